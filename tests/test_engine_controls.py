"""Each engine under each control: mask, strength, cancel, progress, seed; by the way that every job takes."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from impasto.engines import engine, technique
from impasto.errors import Cancelled
from impasto.job import ENGINES, Look, Region
from impasto.paint import Progress, paint
from impasto.raster import Raster, load
from impasto.raster.sampling import shrunk
from impasto.regions.shapes import feathered
from impasto.styles.sources import Attachment
from mirror import import_models

EXAMPLES = Path(__file__).parents[1] / "examples"

SECONDS = 2.0
"""For which an engine paints before it is cancelled."""

MASK = "attachment:0"
STYLE = "attachment:1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        engine.cache_clear()
        yield
    engine.cache_clear()


@pytest.fixture(params=ENGINES[1:])
def name(request: pytest.FixtureRequest, store: object) -> str:
    weights = technique(request.param).weights
    if weights:
        pytest.importorskip("torch", reason="torch is not installed")
    import_models(*weights)
    return request.param


@pytest.fixture(scope="module")
def photo() -> Raster:
    return shrunk(load(EXAMPLES / "roman-colosseum.jpg"), 160)


def quarter(photo: Raster) -> np.ndarray:
    """A mask of the upper left quarter: (H, W) uint8."""
    mask = np.zeros((photo.height, photo.width), np.uint8)
    mask[: photo.height // 2, : photo.width // 2] = 255
    return mask


def attachments(photo: Raster) -> list[Attachment]:
    """The mask, and a small style picture."""
    own = Raster(quarter(photo)[..., None])
    style = shrunk(load(EXAMPLES / "lake-sherburne.jpg"), 96).to_srgb()
    return [
        Attachment("mask.png", None, lambda: np.zeros((1, 1, 3), np.float32), lambda: own),
        Attachment("style.png", None, lambda: style),
    ]


def look(name: str, scale: float = 4.0, **more: object) -> Look:
    """A look that paints quickly: at a quarter of the working size, in a few steps."""
    options = {"steps": 6, "size": 256} if "steps" in technique(name).options and scale == 4 else {}
    return Look.from_dict({"style": STYLE, "engine": name, "scale": scale, "options": options} | more)


def silent(fraction: float, what: str) -> None:
    pass


def painted(photo: Raster, look: Look, progress: Progress = silent) -> np.ndarray:
    return paint(photo, look, progress, attachments(photo)).raster.pixels


@pytest.mark.parametrize("feather", [0, 6])
def test_nothing_leaks_out_of_a_mask(name: str, feather: int, photo: Raster) -> None:
    region = Region(MASK, look(name), feather=feather)
    result = paint(photo, Look(), silent, attachments(photo), [region]).raster.pixels
    changed = (result != photo.pixels).any(-1)
    inside = feathered(quarter(photo).astype(np.uint16) * 257, feather) > 0
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.8
    assert inside.mean() < 0.4


def test_distance_to_the_photograph_rises_with_strength(name: str, photo: Raster) -> None:
    distances = [
        np.abs(painted(photo, look(name, strength=strength)).astype(float) - photo.pixels).mean()
        for strength in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert distances[0] == 0
    assert all(a < b for a, b in pairwise(distances))
    assert distances[-1] > 4


def test_progress_rises_and_the_same_seed_gives_the_same_bytes(name: str, photo: Raster) -> None:
    def once() -> bytes:
        seen: list[float] = []
        result = painted(photo, look(name, seed=7), lambda done, what: seen.append(done))
        assert seen == sorted(seen)
        assert seen[-1] == 1
        return result.tobytes()

    assert once() == once()


def test_it_is_cancelled_within_a_second_at_full_size(name: str, photo: Raster) -> None:
    """The seconds are the thread's own, whatever else the machine does."""
    engine(name)
    times = [time.thread_time()]

    def progress(done: float, what: str) -> None:
        times.append(time.thread_time())
        if times[-1] - times[0] > SECONDS:
            raise Cancelled("stopped")

    with contextlib.suppress(Cancelled):
        painted(photo, look(name, scale=1.0), progress)
    times.append(time.thread_time())
    assert max(np.diff(times)) < 1
