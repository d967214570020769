"""Masks by lightness and by colour."""

from __future__ import annotations

import numpy as np

from impasto.raster import Raster
from impasto.raster.colour import LUMA
from impasto.raster.oklab import oklab
from impasto.raster.picture import bands, quantise
from impasto.regions.shapes import Values
from impasto.selector import Colour, Luminance

SOFT = 0.04
"""Of lightness, over which a mask fades beyond the ends of its range."""

FADE = 0.5
"""Of a colour's tolerance, over which a mask fades beyond it."""


def luminance(raster: Raster, wanted: Luminance) -> Values:
    """Where the picture's encoded luma lies in the range, fading out beside it."""
    result = np.empty((raster.height, raster.width), np.uint16)
    for rows in bands(raster.height, raster.width):
        light = raster.to_srgb(rows) @ LUMA
        beyond = np.maximum(wanted.low - light, light - wanted.high)
        result[rows] = quantise(1 - (beyond / SOFT).clip(0, 1), np.uint16)
    return result


def colour(raster: Raster, wanted: Colour) -> Values:
    """Where the picture's colour lies within the tolerance in Oklab, fading out beside it."""
    centre = oklab(np.array(wanted.rgb, np.float32) / 255)
    reach = max(wanted.tolerance, 1e-3)
    result = np.empty((raster.height, raster.width), np.uint16)
    for rows in bands(raster.height, raster.width):
        away = np.linalg.norm(oklab(raster.to_srgb(rows)) - centre, axis=-1)
        result[rows] = quantise(1 - ((away / reach - 1) / FADE).clip(0, 1), np.uint16)
    return result
