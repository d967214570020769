"""Scaling: every pixel stays where it is in the picture, to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.raster.enlargement import Enlargement
from impasto.raster.sampling import image, pixels, resized, scaled


@pytest.mark.parametrize("kernel", ["linear", "cubic"])
@pytest.mark.parametrize("size", [(20, 20), (36, 12), (12, 31), (7, 30), (30, 7), (6, 6)], ids=str)
def test_a_slope_stays_in_its_place(kernel: str, size: tuple[int, int]) -> None:
    height, width = size
    ramp = np.add.outer(np.arange(12, dtype=np.float32), 3 * np.arange(12, dtype=np.float32))[:, :, None]
    found = pixels(scaled(image(ramp), width, height, kernel))[..., 0]
    down, across = ((np.arange(side) + 0.5) * 12 / side - 0.5 for side in size)
    expected = np.add.outer(down, 3 * across)
    inside = np.ix_(*((place > 3) & (place < 8) for place in (down, across)))
    assert found.shape == size
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.2)
    assert abs((found[inside] - expected[inside]).mean()) < 0.02


@pytest.mark.parametrize("size", [(50, 70), (21, 33), (15, 90), (80, 20)], ids=str)
def test_a_mirrored_picture_is_scaled_to_the_mirrored_result(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((30, 40, 3), np.float32)
    found = resized(picture[::-1, ::-1], size[1], size[0])[::-1, ::-1]
    np.testing.assert_allclose(found, resized(picture, size[1], size[0]), atol=0.02)


def test_labels_are_not_mixed() -> None:
    labels = np.random.default_rng(0).choice(np.array([3, 700], np.uint16), (9, 11, 1))
    assert set(np.unique(pixels(scaled(image(labels), 40, 50, "nearest")))) == {3, 700}


def enlarged(source: np.ndarray, length: int, wrap: bool, linear: bool) -> np.ndarray:
    """Pixel by pixel, along the first axis; Keys 1981 unless `linear`."""
    made = []
    for index in range(length):
        at = (index + 0.5) * len(source) / length - 0.5
        total = np.zeros(source.shape[1:])
        for near in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            d = abs(at - near)
            weight = 1.5 * d**3 - 2.5 * d**2 + 1 if d <= 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
            weight = max(0, 1 - d) if linear else weight
            total += weight * source[near % len(source) if wrap else min(max(near, 0), len(source) - 1)]
        made.append(total)
    return np.stack(made)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 130), (45, 2), (45, 130)])
@pytest.mark.parametrize("factor", [1.0, 1.13, 4.7])
def test_an_enlargement_interpolates(
    height: int, width: int, channels: int, factor: float, wrap: bool, linear: bool
) -> None:
    source = np.random.default_rng(0).normal(size=(height, width, channels)).astype(np.float32)
    tall, wide = round(factor * height), round(factor * width)
    columns = enlarged(source, tall, wrap, linear).swapaxes(0, 1)
    expected = enlarged(columns, wide, wrap, linear).swapaxes(0, 1)
    found = Enlargement(source, wide, tall, wrap, linear)
    np.testing.assert_allclose(found.part(slice(0, tall), slice(0, wide)), expected, atol=1e-5)
    part = slice(tall // 3, tall // 3 + tall // 2 + 1), slice(wide // 5, wide)
    np.testing.assert_allclose(found.part(*part), expected[part], atol=1e-5)
