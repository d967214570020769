"""Scaling: every pixel stays where it is in the picture, to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

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
