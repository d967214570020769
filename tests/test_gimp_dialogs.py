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
from PIL import Image, ImageStat

import daemons
from chroot import SCREEN, guest
from impasto import installer
from impasto.installer import gimp
from screens import Screen, screen

ROOT = Path(__file__).parents[1]
DRIVER = Path(__file__).parent / "gimp" / "dialogs.py"
PICTURE = ROOT / "examples" / "oakland-zoo-otters.jpg"


class Desk:
    """A GIMP on a screen that opens one dialog after the other."""

    def __init__(self, own: Screen, tasks: Path, output: Path, shots: Path) -> None:
        self.screen, self._tasks, self._output, self._shots = own, tasks, output, shots
        self._number = 0

    def open(self, procedure: str, title: str, **more: Any) -> tuple[int, int, int, int]:
        """Call a procedure; where its window is."""
        self._give({"procedure": procedure, "picture": str(PICTURE), **more})
        try:
            return self.screen.window(title, 60)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self.output) from None

    def quit(self) -> None:
        self._give({})

    def _give(self, task: dict[str, Any]) -> None:
        self._number += 1
        draft = self._tasks / "draft"
        draft.write_text(json.dumps(task))
        draft.rename(self._tasks / f"{self._number}.task")

    @property
    def output(self) -> str:
        """The end of what GIMP and the plug-in said."""
        return self._output.read_text(errors="replace")[-3000:]

    def shot(self, name: str) -> Image.Image:
        """Take a screenshot, which is kept under a name."""
        inside = self._tasks / f"{name}.png"
        self.screen.shot(inside)
        (self._shots / f"{name}.png").write_bytes(inside.read_bytes())
        return Image.open(inside).convert("RGB")

    def settled(self, name: str, window: tuple[int, int, int, int], seconds: float = 20.0) -> Image.Image:
        """A screenshot of a window that has stopped changing."""
        before, deadline = self._cut(name, window), time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.7)
            after = self._cut(name, window)
            if after.tobytes() == before.tobytes():
                break
            before = after
        return before

    def _cut(self, name: str, window: tuple[int, int, int, int]) -> Image.Image:
        x, y, width, height = window
        return self.shot(name).crop((x, y, x + width, y + height))

    def report(self, seconds: float = 60.0) -> dict[str, Any]:
        """What the procedure did, when it has ended."""
        file = self._tasks / f"{self._number}.report"
        try:
            daemons.until(file.exists, seconds)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self.output) from None
        return json.loads(file.read_text())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A GIMP in a fresh profile, on a screen, with a warm daemon."""
    place = guest("gimp-console", ["gimp", *SCREEN], os.environ.get("IMPASTO_GIMP_DEBIAN", "trixie"))
    named = os.environ.get("IMPASTO_ARTEFACTS")
    artefacts = Path(named) if named else tmp_path_factory.mktemp("screens")
    artefacts.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="impasto-gui-")))
        running = stack.enter_context(daemons.daemon("--entry", "impasto.backends.work"))
        profile, tasks = home / "profile", home / "tasks"
        profile.mkdir()
        tasks.mkdir()
        said = place.run(["gimp-console", "--version"], {}, []).stdout
        version = next(word for word in said.split() if word[0].isdigit())
        settings = ["(show-welcome-dialog no)", "(check-updates no)", "(color-profile-policy keep)"]
        (profile / "gimprc").write_text("\n".join([f'(config-version "{version}")', *settings]))
        installer.install(gimp.sources(), gimp.target(profile))
        own = stack.enter_context(screen(place, home, [home, ROOT, running.runtime.parent]))
        batch = f"exec(open({str(DRIVER)!r}).read())"
        words = ["gimp", "-s", "-n", "--quit", "--batch-interpreter", "python-fu-eval", "-b", batch]
        environment = {
            "GIMP3_DIRECTORY": str(profile),
            "IMPASTO_RUNTIME_DIR": str(running.runtime),
            "TASKS": str(tasks),
        }
        process = own.start(words, environment, home / "output.txt")
        found = Desk(own, tasks, home / "output.txt", artefacts)
        try:
            yield found
            found.quit()
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_stylize(desk: Desk) -> None:
    window = desk.open("impasto-stylize", "Stylize with Impasto")
    before = desk.settled("stylize", window)
    left = before.crop((20, 60, 20 + 420, 60 + 200))
    assert min(ImageStat.Stat(left).stddev) > 15, "the preview is empty"
    desk.screen.key("Return")
    report = desk.report()
    assert report["status"] == "success", report
    assert report["layers"][0][0] == "Impasto"


def test_regions(desk: Desk) -> None:
    x, y, width, height = desk.open("impasto-stylize-regions", "Stylize regions with Impasto")
    desk.settled("regions", (x, y, width, height))
    desk.screen.click(x + 250, y + 200)
    desk.settled("regions-clicked", (x, y, width, height))
    desk.screen.key("Escape")
    report = desk.report()
    assert report["status"] == "cancel", report


def test_select(desk: Desk) -> None:
    x, y, width, height = desk.open("impasto-select-object", "Select with Impasto")
    desk.screen.click(x + 250, y + 200)
    desk.settled("select", (x, y, width, height))
    desk.screen.key("Escape")
    report = desk.report()
    assert report["status"] == "cancel", report
