"""Watching from login on, as a service of the system's own kind: a systemd user unit on Linux, a launchd
agent on macOS, a scheduled task on Windows."""

from __future__ import annotations

import hashlib
import os
import plistlib
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from impasto.errors import UsageError
from impasto.files import publish

RESTART = 10
"""Seconds after which a watcher that failed is started again."""

Run = Callable[[Sequence[str]], str]
"""Runs a program; returns "" or why it failed."""


@dataclass(frozen=True)
class Service:
    """What is installed.

    Attributes:
        name: of the service; the same folders have the same name.
        path: of the file that describes it.
        text: of that file.
        begin, end: programs that start it and have it start at login, and the reverse.
    """

    name: str
    path: Path
    text: bytes
    begin: tuple[tuple[str, ...], ...]
    end: tuple[tuple[str, ...], ...]


def service(folders: Sequence[Path], command: Sequence[str], system: str = sys.platform) -> Service:
    """The service that watches folders. It works from the folder that is the working directory now.

    Args:
        folders: absolute; the first names the service.
        command: that watches them.
        system: as `sys.platform` says it.
    """
    digest = hashlib.sha256(b"\0".join(os.fsencode(folder) for folder in folders)).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9]+", "-", folders[0].name).strip("-") or "folder"
    name = f"impasto-watch-{plain}-{digest}"
    title = f"Impasto paints what is dropped into {', '.join(map(str, folders))}"
    if system == "darwin":
        return _launchd(name, command)
    if system == "win32":
        return _task(name, title, command)
    return _systemd(name, title, command)


def _systemd(name: str, title: str, command: Sequence[str]) -> Service:
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    text = (
        "[Unit]\n"
        f"Description={_in_unit(title)}\n"
        "\n[Service]\n"
        f"ExecStart={' '.join(map(_quoted, command))}\n"
        f"WorkingDirectory={_in_unit(str(Path.cwd()))}\n"
        "Restart=on-failure\n"
        f"RestartSec={RESTART}\n"
        "RestartPreventExitStatus=2 130\n"  # wrong use, which another start would meet too; stopped
        "SuccessExitStatus=130\n"
        "Nice=10\n"
        "\n[Install]\n"
        "WantedBy=default.target\n"
    )
    begin = (("systemctl", "--user", "daemon-reload"), ("systemctl", "--user", "enable", "--now", name))
    end = (("systemctl", "--user", "disable", "--now", name),)
    return Service(name, base / "systemd/user" / f"{name}.service", text.encode(), begin, end)


def _in_unit(text: str) -> str:
    """A text that systemd takes as it is: no specifiers, no second line."""
    return re.sub(r"[\x00-\x1f]", " ", text).replace("\\", "\\\\").replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a unit's command line."""
    if re.search(r"[\x00-\x1f]", word):
        raise UsageError(f"A service cannot watch {word!r}: its name has a line break; rename it.")
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"'


def _launchd(name: str, command: Sequence[str]) -> Service:
    label = f"org.impasto.{name}"
    logs = Path.home() / "Library/Logs/Impasto"
    text = plistlib.dumps(
        {
            "Label": label,
            "ProgramArguments": list(command),
            "WorkingDirectory": str(Path.cwd()),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": RESTART,
            "ProcessType": "Background",
            "StandardErrorPath": str(logs / f"{name}.log"),
            "StandardOutPath": str(logs / f"{name}.log"),
        }
    )
    path = Path.home() / "Library/LaunchAgents" / f"{label}.plist"
    domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 501}"
    begin = (("launchctl", "bootstrap", domain, str(path)),)
    return Service(name, path, text, begin, (("launchctl", "bootout", f"{domain}/{label}"),))


def _task(name: str, title: str, command: Sequence[str]) -> Service:
    program, *words = command
    windowless = Path(program).with_name("pythonw.exe")
    text = f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>{escape(title)}</Description></RegistrationInfo>
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions><Exec>
    <Command>{escape(str(windowless if windowless.exists() else program))}</Command>
    <Arguments>{escape(subprocess.list2cmdline(words))}</Arguments>
    <WorkingDirectory>{escape(str(Path.cwd()))}</WorkingDirectory>
  </Exec></Actions>
</Task>
"""
    base = Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "impasto" / "services"
    path = base / f"{name}.xml"
    task = ("/TN", f"Impasto\\{name}")
    begin = (("schtasks", "/Create", "/F", *task, "/XML", str(path)), ("schtasks", "/Run", *task))
    end = (("schtasks", "/End", *task), ("schtasks", "/Delete", "/F", *task))
    return Service(name, path, text.encode("utf-16"), begin, end)


def execute(words: Sequence[str]) -> str:
    """Run a program of the system; returns "" or why it failed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        return f"{words[0]}: {error.strerror}"
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip().partition("\n")[0]


def install(wanted: Service, run: Run = execute) -> str:
    """Write a service's file and start it.

    Returns:
        "" or why it could not be started; the file is there all the same.

    Raises:
        UnwritablePicture: the file cannot be written.
    """
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "darwin":
        (Path.home() / "Library/Logs/Impasto").mkdir(parents=True, exist_ok=True)
    if wanted.path.exists():
        for words in wanted.end:  # else the old command line stays in force
            run(words)
    publish(wanted.path, wanted.text)
    return next((reason for words in wanted.begin if (reason := run(words))), "")


def remove(installed: Service, run: Run = execute) -> bool:
    """Stop a service and remove its file; false when there was none."""
    if not installed.path.exists():
        return False
    for words in installed.end:
        run(words)
    installed.path.unlink(missing_ok=True)
    if installed.begin[0][0] == "systemctl":
        run(installed.begin[0])
    return True
