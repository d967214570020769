"""A picture at working size and its painting, and the way back to the picture's own size."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from impasto.job import Look
from impasto.paint.colour import keep_color
from impasto.raster import Raster
from impasto.raster.colour import LUMA
from impasto.raster.picture import unit
from impasto.raster.sampling import image, pixels, scaled, working_copy

WORK_PIXELS = 1280 * 720
"""Area at which a picture is painted at scale 1; the gallery's strokes look right at this size."""


def work_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height at which a picture of `width` x `height` is painted."""
    factor = math.sqrt(WORK_PIXELS / (width * height)) / scale
    return max(1, round(width * factor)), max(1, round(height * factor))


class Easel:
    """A picture at working size, for every painting of it at that size."""

    def __init__(self, raster: Raster, scale: float) -> None:
        """
        Args:
            raster: the picture.
            scale: of the strokes, see `Look`.
        """
        self.raster = raster
        self.width, self.height = work_size(raster.width, raster.height, scale)
        self.photo = working_copy(raster, self.width, self.height)
        """(height, width, 3) float32, sRGB in 0..1."""

    @property
    def enlarges(self) -> bool:
        """Whether the picture has more pixels than its painting."""
        return self.width < self.raster.width or self.height < self.raster.height

    @cached_property
    def blurred(self) -> Any:
        """The photograph's luma without what is finer than the working size, at full size."""
        return scaled(image(self.photo @ LUMA), self.raster.width, self.raster.height)


class Canvas:
    """A painting on an easel, all of it or a part."""

    def __init__(self, easel: Easel, painted: np.ndarray, left: int = 0, top: int = 0) -> None:
        """
        Args:
            easel: what was painted.
            painted: (h, w, 3) float32, sRGB in 0..1, with its corner at `left`, `top` of the easel.
        """
        self.easel = easel
        whole = image(easel.photo).insert(image(painted), left, top)
        self.large = scaled(whole, easel.raster.width, easel.raster.height)

    def finished(self, rows: slice, columns: slice, look: Look) -> np.ndarray:
        """A part of the painting as the picture's own pixels: (h, w, C) float32, not yet quantised.

        Args:
            rows, columns: of the full picture.
            look: strength, detail and the amount of colour to keep.
        """
        raster, area = self.easel.raster, (rows, columns)
        crop = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        srgb = pixels(self.large.crop(*crop))
        finer = look.detail > 0 and self.easel.enlarges
        original = raster.to_srgb(area) if finer or look.keep_color else None
        if finer and original is not None:
            coarse = pixels(self.easel.blurred.crop(*crop))
            srgb = srgb + look.detail * ((original @ LUMA)[..., None] - coarse)
        srgb = srgb.clip(0, 1)
        if original is not None:
            srgb = keep_color(srgb, original, look.keep_color)
        own = raster.from_srgb(srgb)
        if look.strength < 1:
            own = unit(raster.pixels[area]) * (1 - look.strength) + own * look.strength
        return own
