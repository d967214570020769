"""Growing, shrinking and feathering masks: (H, W) uint16, 0 outside to `FULL` inside.

Whole numbers throughout, so that what lies beyond the reach of an edge stays exactly 0 or `FULL`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from impasto.raster.picture import bands
from impasto.raster.sampling import image, pixels, scaled

Values = npt.NDArray[np.uint16]

FULL = 65_535

REACH = 8
"""Pixels that a mask is grown by at its own size; for more it is scaled down."""


@dataclass(frozen=True)
class Mask:
    """The part of a mask where it is not 0: `values` (h, w) with its corner at `left`, `top`."""

    left: int
    top: int
    values: Values

    @property
    def right(self) -> int:
        return self.left + self.values.shape[1]

    @property
    def bottom(self) -> int:
        return self.top + self.values.shape[0]

    def part(self, rows: slice, columns: slice) -> Values:
        """Some of its values, by rows and columns of the whole picture that it has."""
        return self.values[
            rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
        ]


def cropped(values: Values) -> Mask | None:
    """The part that is not 0, or None for an empty mask."""
    rows, columns = (np.flatnonzero(values.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return Mask(int(left), int(top), np.ascontiguousarray(values[top:bottom, left:right]))


def grown(values: Values, distance: float) -> Values:
    """The largest value within `distance` pixels of each, a shrunk mask where it is negative."""
    if distance < 0:
        return FULL - grown(FULL - values, -distance)
    if distance < 1:
        return values
    if distance <= REACH:
        return _dilated(values, distance)
    height, width = values.shape
    factor = math.ceil(distance / REACH)
    small = np.pad(values, ((0, -height % factor), (0, -width % factor)))
    small = small.reshape(small.shape[0] // factor, factor, small.shape[1] // factor, factor).max((1, 3))
    small = _dilated(small, distance / factor)
    large = scaled(image(small), small.shape[1] * factor, small.shape[0] * factor, "linear")
    return np.maximum(values, pixels(large)[:height, :width, 0])


def _dilated(values: Values, radius: float) -> Values:
    """By a disc, as a stack of rows: the widest in the middle."""
    reach = int(radius)
    rows: dict[int, list[int]] = {}
    for down in range(reach + 1):
        rows.setdefault(int(math.sqrt(radius**2 - down**2)), []).append(down)
    result = values.copy()
    wide = values.copy()  # the largest value in a row within `across` pixels
    for across in range(reach + 1):
        if across:
            np.maximum(wide[:, across:], values[:, :-across], out=wide[:, across:])
            np.maximum(wide[:, :-across], values[:, across:], out=wide[:, :-across])
        for down in rows.get(across, []):
            end = max(0, len(values) - down)
            np.maximum(result[down:], wide[:end], out=result[down:])
            np.maximum(result[:end], wide[down:], out=result[:end])
    return result


def feathered(values: Values, distance: float) -> Values:
    """Blur that reaches `distance` pixels, to both sides of an edge."""
    reach = round(distance)
    if reach < 1:
        return values
    first = (reach + 1) // 2
    result = values
    for radius in (first, reach - first):  # two boxes make a ramp without corners
        if radius:
            result = _across(_down(result, radius), radius)
    return result


def _across(values: Values, radius: int) -> Values:
    """The mean of each pixel's 2 radius + 1 neighbours in its row, rounded."""
    result = np.empty_like(values)
    radius = min(radius, FULL // 2 - 1)  # sums of a window fit 32 bits; the running sum may wrap
    count = np.uint32(2 * radius + 1)
    for rows in bands(*values.shape):
        padded = np.pad(values[rows], ((0, 0), (radius + 1, radius)), "edge")
        sums = np.cumsum(padded, 1, np.uint32)
        window = sums[:, 2 * radius + 1 :] - sums[:, : -2 * radius - 1]
        result[rows] = (window + count // 2) // count
    return result


def _down(values: Values, radius: int) -> Values:
    return np.ascontiguousarray(_across(np.ascontiguousarray(values.T), radius).T)


def joined(sign: str, left: Values, right: Values) -> Values:
    """Union “|”, intersection “&” or difference “-” of two masks."""
    if sign == "-":
        return np.minimum(left, FULL - right)
    function: Callable[[Values, Values], Values] = np.maximum if sign == "|" else np.minimum
    return function(left, right)
