"""The parts of a painting, one over the other, and what they make together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from impasto.job import Look
from impasto.paint.canvas import Canvas
from impasto.raster import Raster, quantise
from impasto.raster.picture import bands, unit
from impasto.regions.shapes import FULL, Mask
from impasto.runtime import on_all_cores


@dataclass(frozen=True)
class Layer:
    """A part of the painting.

    Attributes:
        region: its index, or -1 for the base.
        look: strength, detail and the amount of colour to keep.
        mask: where it is, or None for everywhere.
        canvas: the painting, or None where the picture stays as it is.
    """

    region: int
    look: Look
    mask: Mask | None
    canvas: Canvas | None

    def pixels(self, raster: Raster, rows: slice, columns: slice) -> np.ndarray:
        """A part of the layer, whatever its mask: (h, w, C) float32 of the picture's own values."""
        if self.canvas is None or self.look.strength == 0:
            return unit(raster.pixels[rows, columns])
        return self.canvas.finished(rows, columns, self.look)

    def covers(self, rows: slice, width: int) -> bool:
        """Whether nothing of what lies under it shows in `rows` of a picture."""
        if self.mask is None:
            return True
        inside = self.mask.top <= rows.start and rows.stop <= self.mask.bottom
        whole = inside and self.mask.left == 0 and self.mask.right == width
        return whole and bool((self.mask.part(rows, slice(0, width)) == FULL).all())

    def area(self, rows: slice, width: int) -> tuple[slice, slice] | None:
        """The rows and columns that it has among `rows` of a picture, or None."""
        if self.mask is None:
            return rows, slice(0, width)
        rows = slice(max(rows.start, self.mask.top), min(rows.stop, self.mask.bottom))
        if rows.start >= rows.stop:
            return None
        columns = np.flatnonzero(self.mask.part(rows, slice(self.mask.left, self.mask.right)).any(0))
        if not len(columns):
            return None
        return rows, slice(self.mask.left + int(columns[0]), self.mask.left + int(columns[-1]) + 1)


def compose(raster: Raster, layers: Sequence[Layer], progress: Callable[[float], None]) -> Raster:
    """The picture with its layers over it, from first to last.

    A pixel where no layer has any weight, and one under alpha 0 of what is no sprite, stays as it is
    to the bit.

    Args:
        progress: called with the fraction done; may raise to stop.
    """
    result = np.empty_like(raster.pixels)

    def band(rows: slice) -> None:
        before = raster.pixels[rows]
        covering = [number for number, layer in enumerate(layers) if layer.covers(rows, raster.width)]
        touched = np.full(before.shape[:2], bool(covering))
        above = layers
        if covering:
            mixed = layers[covering[-1]].pixels(raster, rows, slice(0, raster.width))
            above = layers[covering[-1] + 1 :]
        else:
            mixed = unit(before)
        for layer in above:
            area = layer.area(rows, raster.width)
            if layer.mask is None or area is None:
                continue
            own = layer.pixels(raster, *area)
            here = slice(area[0].start - rows.start, area[0].stop - rows.start), area[1]
            values = layer.mask.part(*area)
            weight = (values * np.float32(1 / FULL))[..., None]
            under = mixed[here]
            # Not a product with 0 where there is no weight: floats may be infinite there.
            mixed[here] = np.where(
                weight == 0, under, np.where(weight == 1, own, under + (own - under) * weight)
            )
            touched[here] |= values > 0
        if raster.alpha is not None and not any(layer.look.sprite for layer in layers):
            touched &= raster.alpha[rows] != 0
        after = quantise(mixed, before.dtype)
        result[rows] = after if touched.all() else np.where(touched[..., None], after, before)

    for done in on_all_cores(band, [*bands(raster.height, raster.width)]):
        progress(done)
    return raster.replace(pixels=result)


def cut(raster: Raster, layer: Layer, progress: Callable[[float], None]) -> Raster:
    """A layer for itself, as large as its mask, in the picture's own depth and with its alpha."""
    mask = layer.mask
    left, top, right, bottom = (
        (mask.left, mask.top, mask.right, mask.bottom)
        if mask is not None
        else (0, 0, raster.width, raster.height)
    )
    within = slice(top, bottom), slice(left, right)
    alpha = None if raster.alpha is None else np.ascontiguousarray(raster.alpha[within])
    before = np.ascontiguousarray(raster.pixels[within])
    result = np.empty_like(before)

    def band(rows: slice) -> None:
        own = layer.pixels(raster, slice(top + rows.start, top + rows.stop), within[1])
        after = quantise(own, before.dtype)
        if alpha is not None:
            after = np.where(alpha[rows][..., None] == 0, before[rows], after)
        result[rows] = after

    part = raster.replace(pixels=result, alpha=alpha)
    for done in on_all_cores(band, [*bands(part.height, part.width)]):
        progress(done)
    return part
