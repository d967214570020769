"""A picture at working size and its painting, and the way back to the picture's own size."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from impasto.engines import WORK_PIXELS
from impasto.job import Look
from impasto.paint.colour import keep_color
from impasto.raster import Raster
from impasto.raster.colour import LUMA
from impasto.raster.enlargement import Enlargement
from impasto.raster.picture import unit
from impasto.raster.sampling import image, opaque, pixels, scaled, working_copy

CELL = 8
"""Sides of a texture that repeats are multiples of this, because networks work in such cells."""


def work_size(width: int, height: int, scale: float, cell: int = 1) -> tuple[int, int]:
    """Width and height, multiples of `cell`, at which a picture of `width` x `height` is painted."""
    factor = math.sqrt(WORK_PIXELS / (width * height)) / scale
    return max(1, round(width * factor / cell)) * cell, max(1, round(height * factor / cell)) * cell


class Easel:
    """A picture at working size, for every painting of it at that size."""

    def __init__(self, raster: Raster, scale: float, tile: bool = False) -> None:
        """
        Args:
            raster: the picture.
            scale, tile: see `Look`.
        """
        self.raster, self.tile = raster, tile
        self.width, self.height = work_size(raster.width, raster.height, scale, CELL if tile else 1)
        self.photo = working_copy(raster, self.width, self.height, wrap=tile)
        """(height, width, 3) float32, sRGB in 0..1."""

    @property
    def enlarges(self) -> bool:
        """Whether the picture has more pixels than its painting."""
        return self.width < self.raster.width or self.height < self.raster.height

    @cached_property
    def coverage(self) -> np.ndarray | None:
        """How much of each pixel is not transparent: (height, width) float32 in 0..1."""
        alpha = self.raster.alpha
        if alpha is None:
            return None
        covered = image(alpha).cast("float") / opaque(alpha.dtype)
        return pixels(scaled(covered, self.width, self.height, wrap=self.tile))[..., 0].clip(0, 1)

    def full_size(self, small: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
        """What makes rows and columns, at the picture's own size, of (height, width, C) float32."""
        width, height = self.raster.width, self.raster.height
        if self.enlarges:
            return Enlargement(small, width, height, self.tile).part
        large = pixels(scaled(image(small), width, height, wrap=self.tile))
        return lambda rows, columns: large[rows, columns]


class Canvas:
    """A painting on an easel, all of it or a part."""

    def __init__(self, easel: Easel, painted: np.ndarray, left: int = 0, top: int = 0) -> None:
        """
        Args:
            easel: what was painted.
            painted: (h, w, 3) float32, sRGB in 0..1, with its corner at `left`, `top` of the easel.
        """
        self.easel = easel
        self.whole = easel.photo.copy()
        self.whole[top : top + painted.shape[0], left : left + painted.shape[1]] = painted
        self._large: dict[float, Callable[[slice, slice], np.ndarray]] = {}

    def large(self, detail: float, rows: slice, columns: slice) -> np.ndarray:
        """A part of the painting at the picture's own size, less `detail` of the photograph's luma at that of
        work: with as much of the picture's own luma it shows all that is finer as well.
        """
        if detail not in self._large:
            luma = (self.easel.photo @ LUMA)[..., None]
            self._large[detail] = self.easel.full_size(self.whole - detail * luma if detail else self.whole)
        return self._large[detail](rows, columns)

    def finished(self, rows: slice, columns: slice, look: Look) -> np.ndarray:
        """A part of the painting as the picture's own pixels: (h, w, C) float32, not yet quantised.

        Args:
            rows, columns: of the full picture.
            look: strength, detail and the amount of colour to keep.
        """
        raster, area = self.easel.raster, (rows, columns)
        detail = look.detail if self.easel.enlarges else 0.0
        original = raster.to_srgb(area) if detail or look.keep_color else None
        srgb = self.large(detail, *area)
        if detail and original is not None:
            srgb = srgb + detail * (original @ LUMA)[..., None]
        srgb = srgb.clip(0, 1)
        if original is not None:
            srgb = keep_color(srgb, original, look.keep_color)
        own = raster.from_srgb(srgb)
        if look.strength < 1:
            own = unit(raster.pixels[area]) * (1 - look.strength) + own * look.strength
        if look.sprite and raster.alpha is not None:  # what is hidden in the picture says nothing
            hidden = raster.alpha[area][..., None] == 0
            bare = self.large(0.0, *area).clip(0, 1)
            own = np.where(hidden, raster.from_srgb(bare), own)
        return own
