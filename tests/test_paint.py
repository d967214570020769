"""The way of a picture: working size, transparency, strength, detail, depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from impasto.errors import Cancelled, UsageError
from impasto.job import Look, Region, StyleRef
from impasto.paint import WORK_PIXELS, paint, work_size
from impasto.raster import Raster
from impasto.raster.sampling import fill, resized

WAVE = Look(style=(StyleRef("great-wave"),))


def silent(fraction: float, what: str) -> None:
    pass


def raster(height: int, width: int, dtype: str = "uint8", alpha: np.ndarray | None = None) -> Raster:
    """A smooth picture with a disc in it."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    disc = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1) * 0.6
    pixels = np.stack([x, y, disc], -1) * 0.9
    top = np.iinfo(dtype).max if np.issubdtype(np.dtype(dtype), np.integer) else 1
    return Raster((pixels * top).astype(dtype), alpha, format="png")


def painted(source: Raster, **changes: object) -> np.ndarray:
    look = Look.from_dict(WAVE.to_dict() | changes)
    return paint(source, look, silent).raster.pixels


def test_every_picture_is_painted_at_the_same_area() -> None:
    for width, height in ((320, 180), (1600, 900), (6000, 4000), (300, 9000)):
        w, h = work_size(width, height, 1.0)
        assert w * h == pytest.approx(WORK_PIXELS, rel=0.02)
        assert w / h == pytest.approx(width / height, rel=0.02)
    assert work_size(1600, 900, 2.0) == (640, 360)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_strength_zero_is_the_input_itself(dtype: str) -> None:
    source = raster(40, 60, dtype)
    assert paint(source, Look.from_dict(WAVE.to_dict() | {"strength": 0}), silent).raster is source


class Slow:
    """An engine that shows a white sheet at half the size on its way to a black one."""

    name, device = "slow", "cpu"

    def check(self, styles: object, look: Look) -> None:
        pass

    def paint(
        self,
        picture: np.ndarray,
        styles: object,
        look: Look,
        check: object,
        mask: np.ndarray | None = None,
        progress: Any = None,
    ) -> np.ndarray:
        progress(0.5, "painting", np.ones((picture.shape[0] // 2, picture.shape[1] // 2, 3), np.float32))
        return np.zeros_like(picture)


@pytest.mark.parametrize("tile", [False, True])
def test_a_sketch_is_the_picture_with_what_is_painted_so_far(
    monkeypatch: pytest.MonkeyPatch, tile: bool
) -> None:
    monkeypatch.setattr("impasto.paint.studio.engine", lambda name: Slow())
    monkeypatch.setattr("impasto.paint.studio.SKETCHED", 0.0)
    source, look = raster(90, 160), replace(WAVE, tile=tile)
    whole: list[np.ndarray] = []
    paint(source, look, silent, sketch=whole.append)
    (sketch,) = whole
    assert sketch.shape[0] * sketch.shape[1] == pytest.approx(512 * 512, rel=0.01)
    photo = resized(source.to_srgb(), sketch.shape[1], sketch.shape[0]).clip(0, 1)
    assert (sketch == 1).all()
    parts: list[np.ndarray] = []
    dark = Region("luminance:0-0.2", look, feather=0)
    painting = paint(source, replace(WAVE, style=(), tile=tile), silent, (), [dark], parts.append)
    apart = np.abs(parts[0] - photo).max(-1) > 0.05
    changed = (painting.raster.pixels != source.pixels).any(-1).astype(np.float32)[..., None]
    assert np.mean(apart == (resized(changed, *apart.shape[::-1])[..., 0] > 0.5)) > 0.97
    assert 0.1 < apart.mean() < 0.9


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_depth_is_kept_and_depths_agree(dtype: str) -> None:
    result = painted(raster(90, 160, dtype))
    assert result.dtype == dtype
    full = np.iinfo(dtype).max if np.issubdtype(result.dtype, np.integer) else 1
    reference = painted(raster(90, 160, "float32"))
    assert np.abs(result / full - reference).mean() < 0.01


def test_sixteen_bit_output_uses_its_depth() -> None:
    assert len(np.unique(painted(raster(90, 160, "uint16")) % 257)) > 200


def test_distance_to_the_input_rises_with_strength() -> None:
    source = raster(90, 160)
    distances = [
        np.abs(painted(source, strength=step / 10).astype(float) - source.pixels).mean() for step in range(11)
    ]
    assert distances[0] == 0
    assert all(a < b for a, b in pairwise(distances))


def test_detail_returns_what_is_finer_than_the_strokes() -> None:
    source = raster(1400, 2100)
    stripes = source.pixels.astype(int)
    stripes[:, ::2] += 20
    source = source.replace(pixels=stripes.clip(0, 255).astype(np.uint8))

    def returned(detail: float) -> float:
        middle = painted(source, detail=detail)[200:-200, 200:-200].astype(float)
        return float((middle[:, ::2] - middle[:, 1::2]).mean()) / 20

    assert abs(returned(0.0)) < 0.1
    assert returned(0.5) == pytest.approx(0.5, abs=0.15)
    assert returned(1.0) == pytest.approx(1.0, abs=0.2)
    assert (painted(source) == painted(source, detail=0.6)).all()


def test_alpha_comes_back_and_hidden_pixels_stay() -> None:
    alpha = np.zeros((90, 160), np.uint8)
    alpha[20:70, 30:100] = np.linspace(1, 255, 70).astype(np.uint8)
    source = raster(90, 160, alpha=alpha)
    result = paint(source, WAVE, silent).raster
    assert result.alpha is not None
    assert (result.alpha == alpha).all()
    assert (result.pixels[alpha == 0] == source.pixels[alpha == 0]).all()
    assert (result.pixels[alpha > 0] != source.pixels[alpha > 0]).any()


def test_transparent_colour_does_not_bleed_into_the_painting() -> None:
    alpha = np.zeros((90, 160), np.uint8)
    alpha[:, 80:] = 255
    source = raster(90, 160, alpha=alpha)
    magenta = source.pixels.copy()
    magenta[:, :80] = (255, 0, 255)
    other = source.replace(pixels=magenta)
    one, two = (paint(each, WAVE, silent).raster.pixels[:, 80:] for each in (source, other))
    assert (one == two).all()


def test_fill_continues_the_known_colours() -> None:
    coverage = np.zeros((33, 47, 1), np.float32)
    coverage[10:20, 15:30] = 1
    filled = fill(np.array([0.2, 0.6, 0.4], np.float32) * coverage, coverage)
    assert np.abs(filled - np.array([0.2, 0.6, 0.4])).max() < 0.02


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_wholly_transparent_and_wholly_opaque(coverage: float) -> None:
    alpha = np.full((24, 32), round(coverage * 255), np.uint8)
    result = paint(raster(24, 32, alpha=alpha), WAVE, silent).raster
    assert np.isfinite(result.pixels).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2), (40, 3000)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    assert painted(raster(*size)).shape == (*size, 3)


def test_gray_stays_gray() -> None:
    gray = raster(60, 80)
    result = paint(gray.replace(pixels=gray.pixels[:, :, :1]), WAVE, silent).raster
    assert result.pixels.shape == (60, 80, 1)


def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    source = raster(1300, 1700)
    whole = painted(source, keep_color=0.5)
    monkeypatch.setattr("impasto.raster.picture.BAND", 1700 * 7)
    assert (painted(source, keep_color=0.5) == whole).all()


def test_progress_rises_and_can_cancel() -> None:
    seen: list[float] = []
    paint(raster(200, 300), WAVE, lambda fraction, what: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def calls() -> Iterator[None]:
        yield
        yield
        raise Cancelled("stopped")

    steps = calls()
    with pytest.raises(Cancelled):
        paint(raster(200, 300), WAVE, lambda fraction, what: next(steps))


def test_no_style_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--style"):
        paint(raster(8, 8), Look(), silent)
