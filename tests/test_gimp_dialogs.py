"""The plug-in's dialogs in a real GIMP on a screen, with mouse and keyboard, against a real daemon.

Screenshots are kept in the folder that IMPASTO_ARTEFACTS names, else among pytest's temporary files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
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
        return self.window(title)

    def window(self, title: str) -> tuple[int, int, int, int]:
        """Wait for a window: where it is."""
        try:
            return self.screen.window(title, 150)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self.output) from None

    def look(self, picture: Path = PICTURE, **more: Any) -> dict[str, Any]:
        """What layers there are."""
        self._give({"picture": str(picture), **more})
        return self.report()

    def undone(self, picture: Path = PICTURE) -> list[Any]:
        """The layers after one step back, as the user takes it: in the window of the image."""
        before = self.look(picture)["layers"]
        self.screen.click(60, 32)
        self.shot("undo-menu")
        self.screen.key("Down", "Return")
        deadline = time.monotonic() + 20
        while (after := self.look(picture)["layers"]) == before and time.monotonic() < deadline:
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

    def settled(
        self,
        name: str,
        window: tuple[int, int, int, int],
        shows: Callable[[Image.Image], bool] = lambda _picture: True,
        seconds: float = 150.0,
    ) -> Image.Image:
        """A screenshot of a window that shows what it should, and has stopped changing."""
        before, deadline = self.cut(name, window), time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.7)
            after = self.cut(name, window)
            if after.tobytes() == before.tobytes() and shows(after):
                return after
            before = after
        raise AssertionError(f"{name} does not show what it should")

    def cut(self, name: str, window: tuple[int, int, int, int]) -> Image.Image:
        """A screenshot of a window."""
        x, y, width, height = window
        return self.shot(name).crop((x, y, x + width, y + height))

    def report(self, seconds: float = 150.0) -> dict[str, Any]:
        """What the procedure did, when it has ended."""
        file = self._tasks / f"{self._number}.report"
        try:
            daemons.until(file.exists, seconds)
        except AssertionError:
            self.shot("trouble")
            raise AssertionError(self.output) from None
        return json.loads(file.read_text())


@pytest.fixture
def gimp_home() -> Iterator[Path]:
    """A home of its own: a dialog begins with what was chosen in the one before."""
    with tempfile.TemporaryDirectory(prefix="impasto-gimp-") as name:
        yield Path(name)


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, gimp_home: Path) -> Iterator[Desk]:
    """A GIMP on a screen, with a warm daemon that has the models whose weights are at hand."""
    place = guest("gimp-console", ["gimp", *SCREEN], os.environ.get("IMPASTO_GIMP_DEBIAN", "trixie"))
    named = os.environ.get("IMPASTO_ARTEFACTS")
    artefacts = Path(named) if named else tmp_path_factory.mktemp("screens")
    artefacts.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("CUDA_VISIBLE_DEVICES", "")  # on a graphics card nothing takes its time
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        mirror.import_models(*filter(mirror.has, ("mobile-sam", "vgg19-normalised")))
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


@pytest.mark.timeout(900)
def test_stylize(desk: Desk) -> None:
    x, y, width, height = window = desk.open("impasto-stylize", "Stylize with Impasto")
    wave = desk.settled("stylize", window, lambda shot: lively(shot, PREVIEW))
    desk.screen.click(x + 733, y + 42)
    desk.screen.type("munch")
    others = (640, 80, 930, 440)  # there is but one Munch
    desk.settled("stylize-search", window, lambda shot: not lively(shot, others))
    desk.screen.click(x + 571, y + 115)
    scream = desk.settled("stylize-found", window, lambda shot: differ(wave, shot, PREVIEW) > 8)
    desk.screen.click(x + 588, y + 530)
    blend = desk.settled("stylize-blend", window, lambda shot: differ(scream, shot, PREVIEW) > 2)
    desk.screen.click(x + 38, y + 315)
    desk.settled("stylize-original", window, lambda shot: differ(blend, shot, PREVIEW) > 8)
    desk.screen.click(x + 38, y + 315)
    _x, _y, width, height = desk.screen.window("Stylize with Impasto")
    desk.screen.click(x + width - 70, y + height - 45)
    report = desk.report()
    assert report["status"] == "success", report
    assert report["layers"][0][0] == "Impasto"
    assert report["layers"][0][1][0].startswith("scream + "), report
    assert desk.undone() == report["layers"][1:], "not one step"


SKETCHED = (400, 300)
"""Size of the picture, and of its sketches in the window of its painting."""

SKETCH = (14, 14, 410, 310)
"""Where they are seen there, without their edge."""


def sketches(desk: Desk, name: str, box: tuple[int, int, int, int], wanted: int) -> list[Image.Image]:
    """Different pictures that a box of the screen shows one after the other."""
    found = [desk.cut(name, box)]
    deadline = time.monotonic() + 300
    while len(found) < wanted:
        assert time.monotonic() < deadline, f"{name}: {len(found)} pictures"
        time.sleep(0.2)
        shot = desk.cut(name, box)
        if differ(found[-1], shot, (0, 0, *shot.size)) > 0.2:
            found.append(shot)
    return found


@pytest.mark.timeout(900)
def test_sketches(desk: Desk, gimp_home: Path) -> None:
    """A master engine shows what comes about, in the dialog and in a window of its own."""
    pytest.importorskip("torch", reason="torch is not installed")
    if not mirror.has("vgg19-normalised"):
        pytest.skip(f"the weights of VGG-19 are not in {mirror.MIRROR}")
    small, exported = gimp_home / "small.png", gimp_home / "exported.png"
    with Image.open(PICTURE) as photo:
        photo.convert("RGB").resize(SKETCHED).save(small)
    title = "Stylize with Impasto"
    x, y, width, height = window = desk.open("impasto-stylize", title, picture=str(small))
    desk.settled("sketch-fast", window, lambda shot: lively(shot, PREVIEW))
    desk.screen.key("alt+q", "Down")
    left, top, right, bottom = PREVIEW
    box = x + left, y + top, right - left, bottom - top
    sketches(desk, "sketch-preview", box, 3)  # a draft, what comes about, and more of that or the preview
    desk.screen.click(x + 262, y + 440)  # the size of the strokes, and a tenth of the time
    desk.screen.click(x + width - 70, y + height - 45)
    x, y, *_ = desk.window("Impasto is painting")
    left, top, right, bottom = SKETCH
    (shown,) = sketches(desk, "sketch-painting", (x + left, y + top, right - left, bottom - top), 1)
    report = desk.report(500)
    assert report["status"] == "success", report
    group, below = report["layers"]
    assert group[0] == "Impasto", report
    desk.look(small, export=str(exported))
    with Image.open(exported) as painted, Image.open(small) as photo:
        # The frame around the picture is a pixel wide, and its margin 12.
        inside = (left - 13, top - 13, right - 13, bottom - 13)
        final, original = (each.convert("RGB").crop(inside) for each in (painted, photo))
    whole = (0, 0, *shown.size)
    assert differ(shown, original, whole) > 15, "the layer, not a sketch"
    assert 1 < differ(shown, final, whole) < differ(original, final, whole) / 2, "not on the way"

    before = desk.look(small)["layers"]
    desk.open("impasto-paint-again", "Impasto is painting", picture=str(small))
    x, y, width, height = desk.window("Impasto is painting")
    desk.shot("sketch-cancel")
    began = time.monotonic()
    desk.screen.click(x + width - 70, y + height - 30)
    report = desk.report(20)
    assert report["status"] == "cancel" and time.monotonic() - began < 5, report
    desk.screen.gone("Impasto is painting")
    assert desk.look(small)["layers"] == before
    assert desk.undone(small) == [below], "not one step, or what was cancelled is one"


OTTER, POND = (330, 220, 520, 290), (330, 100, 560, 150)
"""Where the dialog of Stylize regions shows the otter's body, and the water above it."""


@pytest.mark.timeout(900)
def test_regions(desk: Desk) -> None:
    if not mirror.has("mobile-sam"):
        pytest.skip(f"the weights of Segment Anything are not in {mirror.MIRROR}")
    title = "Stylize regions with Impasto"
    x, y, _, _ = window = desk.open("impasto-stylize-regions", title)
    before = desk.settled("regions", window)
    desk.screen.click(x + 400, y + 260)
    clicked = desk.settled("regions-clicked", window, lambda shot: differ(before, shot, OTTER) > 30)
    assert differ(before, clicked, POND) < 2, "the water is marked"
    desk.screen.click(x + 798, y + 280)
    chooser = desk.screen.window("Style of “Clicked thing”")
    gallery = desk.settled("regions-styles", chooser)
    desk.screen.click(chooser[0] + 83, chooser[1] + 380)
    desk.settled("regions-blend", chooser, lambda shot: differ(gallery, shot, (0, 360, 440, 400)) > 8)
    left, top, width, height = desk.screen.window("Style of “Clicked thing”")
    desk.screen.click(left + width - 90, top + height - 45)
    desk.screen.gone("Style of “Clicked thing”")
    desk.screen.click(x + 701, y + 197)
    desk.screen.click(x + 798, y + 241)
    desk.settled("regions-subjects", window)
    desk.screen.click(x + 694, y + 446)
    # How much of it is marked is the business of the segmenter's own tests.
    water = desk.settled("regions-water", window, lambda shot: differ(before, shot, POND) > 4)
    desk.screen.click(x + 764, y + 487)
    desk.settled(
        "regions-preview",
        window,
        lambda shot: differ(water, shot, OTTER) > 8 and differ(water, shot, POND) > 4,
    )
    _x, _y, width, height = desk.screen.window(title)
    desk.screen.click(x + width - 70, y + height - 45)
    report = desk.report()
    assert report["status"] == "success", report
    (name, layers), below = report["layers"]
    assert name == "Impasto" and layers[0].startswith("Water: "), report
    assert layers[1:] == ["Clicked thing: great-wave + starry-night"], report
    desk.shot("regions-result")
    assert desk.undone() == [below], "not one step"


@pytest.mark.timeout(900)
def test_select(desk: Desk) -> None:
    if not mirror.has("mobile-sam"):
        pytest.skip(f"the weights of Segment Anything are not in {mirror.MIRROR}")
    title = "Select with Impasto"
    x, y, _, _ = window = desk.open("impasto-select-object", title)
    before = desk.settled("select", window)
    desk.screen.click(x + 449, y + 235)
    desk.settled("select-clicked", window, lambda shot: differ(before, shot, (420, 210, 560, 270)) > 30)
    desk.screen.click(x + 449, y + 85, 3)
    desk.settled("select-right", window)
    desk.screen.drag(x + 205, y + 105, x + 660, y + 330)
    desk.settled("select-box", window)
    _x, _y, width, height = desk.screen.window(title)
    desk.screen.click(x + width - 70, y + height - 45)
    report = desk.report()
    assert report["status"] == "success", report
    some, left, top, right, bottom = report["bounds"]
    assert some and left > 300 and top > 150 and right < 1580 and bottom < 850, report
    desk.shot("select-result")
