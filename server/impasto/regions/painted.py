"""Masks that somebody painted: a file, an alpha channel, or pixels that a plug-in sent."""

from __future__ import annotations

import numpy as np

from impasto.errors import JobError
from impasto.raster import Raster
from impasto.raster.colour import LUMA
from impasto.raster.picture import bands, quantise, unit
from impasto.raster.sampling import opaque
from impasto.regions.shapes import Values


def coverage(mask: Raster, width: int, height: int, name: str) -> Values:
    """The alpha of a painted mask where it has one that says anything, else its lightness.

    The numbers of the file count, whatever its profile: half of the largest value is half.

    Args:
        mask: the mask.
        width, height: of the picture.
        name: of the mask, for messages.

    Raises:
        JobError: the mask is not of the picture's size.
    """
    if (mask.width, mask.height) != (width, height):
        raise JobError(
            f"The mask “{name}” has {mask.width} x {mask.height} pixels and the picture "
            f"{width} x {height}; give it the picture's size."
        )
    if mask.alpha is not None and mask.alpha.min() < opaque(mask.alpha.dtype):
        source = mask.alpha[..., None]
    else:
        source = mask.pixels
    result = np.empty((height, width), np.uint16)
    for rows in bands(height, width):
        values = unit(source[rows])
        light = values[..., 0] if values.shape[2] == 1 else values @ LUMA
        result[rows] = quantise(light, np.uint16)
    return result
