"""The plug-in's dialogs in a real GIMP on a screen, with mouse and keyboard, against a real daemon.

Screenshots are kept in the folder that IMPASTO_ARTEFACTS names, else among pytest's temporary files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import daemons
from chroot import SCREEN, Guest, guest
from impasto import installer
from impasto.installer import gimp
from screens import Screen, screen

ROOT = Path(__file__).parents[1]
DRIVER = Path(__file__).parent / "gimp" / "dialogs.py"
PICTURE = ROOT / "examples" / "oakland-zoo-otters.jpg"


@pytest.fixture(scope="module")
def place() -> Guest:
    return guest("gimp-console", ["gimp", *SCREEN])


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("IMPASTO_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Gimp:
    """A GIMP on a screen that shows one procedure's dialog."""

    def __init__(self, own: Screen, report: Path, output: Path, shots: Path) -> None:
        self.screen, self._report, self._output, self._shots = own, report, output, shots

    def shot(self, name: str) -> Path:
        """Take a screenshot, which is kept under a name."""
        inside = self._report.parent / f"{name}.png"
        self.screen.shot(inside)
        kept = self._shots / f"{name}.png"
        kept.write_bytes(inside.read_bytes())
        return kept

    def report(self, seconds: float = 60.0) -> dict[str, Any]:
        """What the procedure did, when it has ended."""
        try:
            daemons.until(self._report.exists, seconds)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self._output.read_text(errors="replace")[-3000:]) from None
        time.sleep(0.1)
        return json.loads(self._report.read_text())


@pytest.fixture(scope="module")
def stage(place: Guest, artefacts: Path) -> Iterator[Any]:
    """Starts procedures with their dialogs, in one profile, on one screen, with one warm daemon."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="impasto-gui-")))
        running = stack.enter_context(daemons.daemon("--entry", "impasto.backends.work"))
        profile = home / "profile"
        profile.mkdir()
        said = place.run(["gimp-console", "--version"], {}, []).stdout
        version = next(word for word in said.split() if word[0].isdigit())
        settings = ["(show-welcome-dialog no)", "(check-updates no)", "(color-profile-policy keep)"]
        (profile / "gimprc").write_text("\n".join([f'(config-version "{version}")', *settings]))
        installer.install(gimp.sources(), gimp.target(profile))
        folders = [home, ROOT, running.runtime.parent]
        own = stack.enter_context(screen(place, home, folders))

        @contextlib.contextmanager
        def start(procedure: str, **more: str) -> Iterator[Gimp]:
            report, output = home / "report.json", home / "output.txt"
            report.unlink(missing_ok=True)
            batch = f"exec(open({str(DRIVER)!r}).read())"
            words = ["gimp", "-s", "-n", "--quit", "--batch-interpreter", "python-fu-eval", "-b", batch]
            environment = {
                "GIMP3_DIRECTORY": str(profile),
                "IMPASTO_RUNTIME_DIR": str(running.runtime),
                "PICTURE": str(PICTURE),
                "PROCEDURE": procedure,
                "REPORT": str(report),
            }
            process = own.start(words, environment | more, output)
            try:
                yield Gimp(own, report, output, artefacts)
                process.wait(30)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

        yield start


def test_stylize(stage: Any) -> None:
    with stage("impasto-stylize") as running:
        running.screen.window("Stylize with Impasto", 60)
        time.sleep(4)
        running.shot("stylize")
        running.screen.key("Return")
        report = running.report()
    assert report["status"] == "success", report
    assert report["layers"][0][0] == "Impasto"
