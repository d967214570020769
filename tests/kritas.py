"""A real Krita for tests: in a Debian trixie of its own, with a screen, a profile and a driver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chroot import Guest, guest
from screens import screen

TESTS = Path(__file__).parent
DRIVERS = TESTS / "krita"
CHROOT = os.environ.get("IMPASTO_KRITA_CHROOT", "trixie-krita")
PACKAGES = ["krita", "python3-pyqt5", "python3-pyqt5.sip", "xvfb", "openbox", "fonts-dejavu-core"]


class Crashed(AssertionError):
    """Krita has crashed, as it did now and then when a document closed just after it was opened.

    160 documents that were given a layer and closed within 0.3 s, without our plug-in, did not bring it
    about: whether ours has a part in it is not known.
    """


class Krita:
    """A profile in a folder, for Kritas that run one driver each.

    Attributes:
        resources: where Krita keeps plug-ins and settings.
    """

    def __init__(self, home: Path, plugins: tuple[str, ...] = ("impasto",)) -> None:
        """`plugins` are enabled; the caller puts them there."""
        self.home = home
        self.guest: Guest = guest("krita", PACKAGES, name=CHROOT)
        self.resources = home / ".local" / "share" / "krita"
        self.configuration = home / ".config" / "kritarc"
        pykrita = self.resources / "pykrita"
        shutil.copytree(DRIVERS / "impasto_driver", pykrita / "impasto_driver")
        shutil.copy(DRIVERS / "impasto_driver.desktop", pykrita)
        self.configuration.parent.mkdir(parents=True)
        enabled = [f"enable_{name}=true" for name in ("impasto_driver", *plugins)]
        self.configuration.write_text("\n".join(["[python]", *enabled, ""]))
        (home / "run").mkdir(mode=0o700)

    def drive(
        self, script: str, runtime: Path, more: Mapping[str, str] | None = None, timeout: float = 400
    ) -> dict[str, Any]:
        """Run a driver with a daemon's runtime directory; what it reports.

        Raises:
            AssertionError: Krita ended otherwise than by the driver, with what it said.
        """
        report = self.home / "report.json"
        report.unlink(missing_ok=True)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "IMPASTO_RUNTIME_DIR": str(runtime),
            "DRIVE": str(DRIVERS / script),
            "REPORT": str(report),
            **(more or {}),
        }
        seen = Path(environment.get("LATER") or runtime).parent
        folders = list(dict.fromkeys([self.home, TESTS.parent, runtime.parent, seen]))
        output = self.home / "output.txt"
        with screen(self.guest, self.home, folders, "1600x1000") as own:
            environment["DISPLAY"] = own.environment["DISPLAY"]
            settings = [f"{name}={value}" for name, value in environment.items()]
            process = own.start(["env", "-i", *settings, "krita", "--nosplash"], {}, output)
            try:
                status: object = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = f"not ended after {timeout:g} s"
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said = f"{status}\n{output.read_text(errors='replace')[-5000:]}"
        if status in (-signal.SIGSEGV, 128 + signal.SIGSEGV):
            raise Crashed(said)
        assert status == 0, said
        return json.loads(report.read_text())
