"""The plug-in's dialogs in a real GIMP on a screen, with mouse and keyboard, against a real daemon.

Screenshots are kept in the folder that IMPASTO_ARTEFACTS names, else among pytest's temporary files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

import daemons
import mirror
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
            return self.screen.window(title, 150)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self.output) from None

    def look(self) -> dict[str, Any]:
        """What layers there are."""
        self._give({"picture": str(PICTURE)})
        return self.report()

    def undone(self) -> list[Any]:
        """The layers after one step back, as the user takes it: in the window of the image."""
        before = self.look()["layers"]
        self.screen.click(60, 32)
        self.shot("undo-menu")
        self.screen.key("Down", "Return")
        deadline = time.monotonic() + 20
        while (after := self.look()["layers"]) == before and time.monotonic() < deadline:
            time.sleep(0.3)
        self.shot("undone")
        return after

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
def desk(tmp_path_factory: pytest.TempPathFactory, gimp_home: Path) -> Iterator[Desk]:
    """A GIMP on a screen, with a warm daemon that has Segment Anything where its weights are at hand."""
    place = guest("gimp-console", ["gimp", *SCREEN], os.environ.get("IMPASTO_GIMP_DEBIAN", "trixie"))
    named = os.environ.get("IMPASTO_ARTEFACTS")
    artefacts = Path(named) if named else tmp_path_factory.mktemp("screens")
    artefacts.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        if mirror.has("mobile-sam"):
            mirror.import_models("mobile-sam")
        running = stack.enter_context(daemons.daemon("--entry", "impasto.backends.work"))
        home, profile, tasks = gimp_home, gimp_home / "profile", gimp_home / "tasks"
        profile.mkdir(exist_ok=True)
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
            with contextlib.suppress(subprocess.TimeoutExpired):  # a dialog that a failed test has left
                process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def lively(picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Whether there is a picture in a box, instead of one colour."""
    return min(ImageStat.Stat(picture.crop(box)).stddev) > 15


def differ(one: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """How much two pictures differ in a box, in 0..255."""
    change = ImageChops.difference(one.crop(box), other.crop(box))
    return sum(ImageStat.Stat(change).mean) / 3


PREVIEW = (30, 30, 500, 290)
"""Where the dialog of Stylize shows the layer."""


def test_stylize(desk: Desk) -> None:
    x, y, width, height = window = desk.open("impasto-stylize", "Stylize with Impasto")
    wave = desk.settled("stylize", window)
    assert lively(wave, PREVIEW), "the preview is empty"
    desk.screen.click(x + 733, y + 42)
    desk.screen.type("munch")
    found = desk.settled("stylize-search", window)
    assert not lively(found, (640, 80, 930, 440)), "there is but one Munch"
    desk.screen.click(x + 571, y + 115)
    scream = desk.settled("stylize-found", window)
    assert differ(wave, scream, PREVIEW) > 8, "the preview is the same for another style"
    desk.screen.click(x + 588, y + 530)
    blend = desk.settled("stylize-blend", desk.screen.window("Stylize with Impasto"))
    assert differ(scream, blend, PREVIEW) > 2, "blending changes nothing"
    desk.screen.click(x + 38, y + 315)
    original = desk.settled("stylize-original", window)
    assert differ(blend, original, PREVIEW) > 8, "the original is not shown"
    desk.screen.click(x + 38, y + 315)
    _x, _y, width, height = desk.screen.window("Stylize with Impasto")
    desk.screen.click(x + width - 70, y + height - 45)
    report = desk.report()
    assert report["status"] == "success", report
    assert report["layers"][0][0] == "Impasto"
    assert report["layers"][0][1][0].startswith("scream + "), report
    assert desk.undone() == report["layers"][1:], "not one step"


def test_regions(desk: Desk) -> None:
    title = "Stylize regions with Impasto"
    x, y, _, _ = window = desk.open("impasto-stylize-regions", title, select=[400, 150, 700, 500])
    desk.settled("regions", window)
    desk.screen.click(x + 795, y + 250)
    desk.settled("regions-subjects", window)
    desk.screen.key("Escape")
    desk.screen.click(x + 250, y + 200)
    desk.settled("regions-clicked", window)
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
