"""Start the daemon in the background."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import NoDaemon

VENDORED = not Path(__file__).parents[1].joinpath("daemon").is_dir()
"""Whether this is a copy in a plug-in: there, no daemon lies beside the client."""
COMMAND_FILE = Path(__file__).with_name("command.json")
"""Beside a vendored client, the installer leaves the daemon's command here: a list of words."""


def daemon_command() -> list[str]:
    """The command that runs the daemon.

    Raises:
        NoDaemon: Impasto cannot be found.
    """
    if not VENDORED:
        return [sys.executable, "-m", "impasto", "serve"]
    if COMMAND_FILE.exists():
        return list(map(str, json.loads(COMMAND_FILE.read_text(encoding="utf-8"))))
    program = shutil.which("impasto")
    if program is None:
        raise NoDaemon("Impasto is not installed, or its command “impasto” is not on the PATH.")
    return [program, "serve"]


def launch(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    """Start `command` so that it outlives this program.

    Args:
        command: program and arguments.
        directory: the runtime directory; it takes the output, and is where the daemon runs: in a
            user's folder, Python would import that folder's files.
    """
    environment = dict(os.environ)
    if VENDORED:  # those of Krita's or GIMP's own Python would break ours
        for name in ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH"):
            environment.pop(name, None)
    if "PYTHONPATH" in environment:  # the daemon runs elsewhere: “server” must still mean the same
        places = filter(None, environment["PYTHONPATH"].split(os.pathsep))
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, places))
    windows_flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(
        subprocess, "CREATE_NEW_PROCESS_GROUP", 0
    )
    with _output(directory).open("wb") as output:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=environment,
                start_new_session=True,
                creationflags=windows_flags,
            )
        except OSError as error:
            raise NoDaemon(
                "The daemon cannot be started: {program}: {reason}.",
                program=command[0],
                reason=error.strerror,
            ) from None


def last_words(directory: Path) -> str:
    """The last line that the daemon wrote before it gave up, or ""."""
    try:
        lines = _output(directory).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _output(directory: Path) -> Path:
    return directory / "start.txt"
