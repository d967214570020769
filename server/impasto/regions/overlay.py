"""A picture with a selection in colour over it, to look at."""

from __future__ import annotations

import numpy as np

from impasto.raster import Raster, quantise
from impasto.raster.picture import bands, unit

TINT = np.array([1.0, 0.15, 0.2], np.float32)
SHADE = 0.55
"""Of the tint where a mask is full."""

DIMMED = 0.6
"""Lightness of what is not selected."""

GOLDEN = 0.618034
"""Of the colour circle from one segment to the next, so that neighbours differ."""


def overlay(picture: Raster, mask: np.ndarray, labels: bool = False) -> Raster:
    """The picture in 8-bit sRGB with the mask over it.

    Args:
        picture: of any kind.
        mask: (H, W) uint8 or uint16: how much each pixel is selected, or with `labels` the number of
            its segment, 0 for none.
        labels: whether the mask holds numbers.
    """
    result = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows in bands(picture.height, picture.width):
        srgb = picture.to_srgb(rows)
        if labels:
            tint, weight = palette(mask[rows]), (mask[rows] > 0)[..., None].astype(np.float32)
        else:
            tint, weight = TINT, unit(mask[rows])[..., None]
        selected = srgb * (1 - SHADE) + tint * SHADE
        result[rows] = quantise(srgb * DIMMED * (1 - weight) + selected * weight, np.uint8)
    return Raster(result, format="png")


def palette(numbers: np.ndarray) -> np.ndarray:
    """A colour for each number: (..., 3) float32 in 0..1."""
    hue = (numbers.astype(np.float32) * GOLDEN)[..., None] % 1
    wave = np.abs((hue + np.array([0, 2 / 3, 1 / 3], np.float32)) % 1 * 6 - 3) - 1
    return 0.15 + 0.8 * wave.clip(0, 1)
