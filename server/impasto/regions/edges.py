"""Coarse masks brought to the picture's own edges.

A guided filter (He, Sun & Tang 2010, "Guided Image Filtering") with the colours as its guide, coarse to fine,
its coefficients at a reduced resolution (He & Sun 2015, "Fast Guided Filter"): in each window the mask is
explained as a linear function of the colours, and that function is applied to the full picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from impasto.raster import Raster
from impasto.raster.enlargement import Enlargement
from impasto.raster.picture import bands
from impasto.raster.sampling import image, pixels, scaled, working_copy
from impasto.runtime import on_all_cores

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the full picture; x1 and y1 are the first beyond."""


@dataclass(frozen=True)
class Stage:
    """One pass of the filter.

    Attributes:
        side: longer side in pixels at which it looks at the picture.
        radius: of its windows, in those pixels.
        softness: variance of a colour channel below which there is no edge.
    """

    side: int
    radius: int
    softness: float


STAGES = (Stage(768, 16, 5e-4), Stage(1536, 12, 2e-4))
"""Larger windows first: what a mask takes for solid, such as the sky between branches, is told from it by
the same colours where the mask is right."""

STEEPEST = 6.0
"""Times that the slopes in a window are raised at most; more would make a mask of noise."""

CONTRAST = 1.2
"""About one half, of the result: nearly 0 is 0, and nearly 1 is 1."""

REACH = 0.015
"""How far from the coarse mask's edge the picture's edge is looked for, in parts of the longer side."""

REACH_CELLS = 2
"""The same in cells of the coarse mask, at least."""

CERTAIN = 0.1
"""Coarse values this close to 0 or 1 count as 0 or 1."""


def refine(coarse: np.ndarray, raster: Raster, box: Box | None = None) -> np.ndarray:
    """A mask that follows the picture's edges; see `Refiner` for several of one picture.

    Args:
        coarse: (h, w) float32 in 0..1, of the whole picture, at any resolution.
        raster: the picture.
        box: the part wanted, or None for all.

    Returns:
        (H, W) float32 in 0..1, of the part: exactly 0 and exactly 1 away from the mask's edge.
    """
    return Refiner(raster).refine(coarse, box)


class Refiner:
    """Brings masks of one picture to its edges; what they share is computed once."""

    def __init__(self, raster: Raster) -> None:
        self.raster = raster
        self._guides: dict[int, np.ndarray] = {}

    @cached_property
    def _finest(self) -> np.ndarray:
        return working_copy(self.raster, *self._size(STAGES[-1].side)) - np.float32(0.5)

    def _size(self, side: int) -> tuple[int, int]:
        """Width and height of the picture at a longer side of `side`, or its own if that is less."""
        factor = min(1.0, side / max(self.raster.width, self.raster.height))
        return max(1, round(self.raster.width * factor)), max(1, round(self.raster.height * factor))

    def _guide(self, side: int) -> np.ndarray:
        """(3, h, w) float32, sRGB in -0.5..0.5: sums of squares stay exact where values are small."""
        if side not in self._guides:
            width, height = self._size(side)
            small = pixels(scaled(image(self._finest), width, height, "linear"))
            self._guides[side] = np.ascontiguousarray(small.transpose(2, 0, 1))
        return self._guides[side]

    def refine(self, coarse: np.ndarray, box: Box | None = None) -> np.ndarray:
        """See `refine`."""
        raster = self.raster
        x0, y0, x1, y1 = box or (0, 0, raster.width, raster.height)
        bounds = np.stack(limits(coarse), 2)
        mask = coarse.astype(np.float32)
        coefficients = lower = upper = np.empty(0, np.float32)
        for stage in STAGES:
            width, height = self._size(stage.side)
            mask = np.ascontiguousarray(enlarged(mask, width, height)[..., 0])
            lower, upper = enlarged(bounds, width, height).transpose(2, 0, 1)
            rows, columns = part = undecided(lower, upper, stage.radius)
            coefficients = np.zeros((height, width, 4), np.float32)
            coefficients[..., 3] = mask
            if rows.stop > rows.start and columns.stop > columns.start:
                guide = self._guide(stage.side)[:, *part]
                factors = explained(guide, mask[part], self._radius(stage), stage.softness)
                coefficients[part] = factors.transpose(1, 2, 0)
                mask[part] = np.clip((factors[:3] * guide).sum(0) + factors[3], lower[part], upper[part])
        explanation = np.dstack([coefficients, lower, upper])
        whole = Enlargement(explanation, raster.width, raster.height, linear=True)
        result = np.empty((y1 - y0, x1 - x0), np.float32)

        def band(rows: slice) -> None:
            area = slice(y0 + rows.start, y0 + rows.stop), slice(x0, x1)
            factors = whole.part(*area)
            if np.array_equal(factors[..., 4], factors[..., 5]):
                result[rows] = factors[..., 4]
                return
            colours = raster.to_srgb(area) - np.float32(0.5)
            found = np.einsum("hwc,hwc->hw", factors[..., :3], colours) + factors[..., 3]
            found = (found - np.float32(0.5)) * np.float32(CONTRAST) + np.float32(0.5)
            result[rows] = np.clip(found, factors[..., 4], factors[..., 5])

        for _ in on_all_cores(band, [*bands(*result.shape)]):
            pass
        return result

    def _radius(self, stage: Stage) -> int:
        """The window's radius where the picture is smaller than the stage."""
        return max(2, round(stage.radius * max(self._size(stage.side)) / stage.side))


def limits(coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value that the mask may take: both 0 or both 1 away from the coarse mask's edge."""
    reach = max(REACH_CELLS, math.ceil(REACH * max(coarse.shape)))
    least, most = spread(coarse, reach, np.minimum), spread(coarse, reach, np.maximum)
    least, most = (least - 0.5) / (0.5 - CERTAIN), (most - CERTAIN) / (0.5 - CERTAIN)
    return least.clip(0, 1), most.clip(0, 1)


def spread(values: np.ndarray, reach: int, choose: np.ufunc) -> np.ndarray:
    """The least or greatest value within `reach` cells across and down."""
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if axis == other else (0, 0) for other in (0, 1)], "edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis)
        values = choose.reduce(windows, axis=2)
    return values


def undecided(lower: np.ndarray, upper: np.ndarray, radius: int) -> tuple[slice, slice]:
    """Rows and columns that hold all that is not settled, and the windows around it."""
    open_ = lower < upper
    found: list[slice] = []
    for axis, length in ((1, lower.shape[0]), (0, lower.shape[1])):
        where = np.flatnonzero(open_.any(axis))
        if not len(where):
            return slice(0, 0), slice(0, 0)
        start, stop = int(where[0]) - 2 * radius, int(where[-1]) + 1 + 2 * radius
        found.append(slice(max(0, start), min(length, stop)))
    return found[0], found[1]


def enlarged(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """(h, w) or (h, w, C) -> (`height`, `width`, C), linearly."""
    return pixels(scaled(image(values), width, height, "linear"))


def explained(guide: np.ndarray, mask: np.ndarray, radius: int, softness: float) -> np.ndarray:
    """The mask as a linear function of the colours around each pixel (eqs. 14 to 16 of He, Sun & Tang).

    Args:
        guide: (3, h, w) float32.
        mask: (h, w) float32.
        radius: of the windows.
        softness: added to the variances.

    Returns:
        (4, h, w) float32: factors of the three channels, and what is added.
    """
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    values = [*guide, mask, *(guide[i] * guide[j] for i, j in pairs), *(channel * mask for channel in guide)]
    red, green, blue, mean, *products = averaged(np.stack(values), radius)
    means = (red, green, blue)
    rr, rg, rb, gg, gb, bb = (
        product - means[i] * means[j] + np.float32(softness * (i == j))
        for product, (i, j) in zip(products[:6], pairs, strict=True)
    )
    cr, cg, cb = (product - channel * mean for product, channel in zip(products[6:], means, strict=True))
    # The inverse of the symmetric 3 x 3 covariance, by its cofactors.
    m00, m01, m02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    m11, m12, m22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * m00 + rg * m01 + rb * m02
    slopes = [
        (m00 * cr + m01 * cg + m02 * cb) / determinant,
        (m01 * cr + m11 * cg + m12 * cb) / determinant,
        (m02 * cr + m12 * cg + m22 * cb) / determinant,
    ]
    # Regression leaves a compromise, grayer than any mask of things is. One of zeros and ones with the same
    # mean has the variance mean (1 - mean), and the slopes are raised towards it.
    explained_variance = np.maximum(slopes[0] * cr + slopes[1] * cg + slopes[2] * cb, np.float32(1e-6))
    gain = np.sqrt(np.maximum(mean * (1 - mean), 0) / explained_variance).clip(1, STEEPEST)
    slopes = [slope * gain for slope in slopes]
    offset = mean - slopes[0] * red - slopes[1] * green - slopes[2] * blue
    return averaged(np.stack([*slopes, offset]), radius)


def averaged(planes: np.ndarray, radius: int) -> np.ndarray:
    """Mean of (C, h, w) over windows of 2 `radius` + 1 pixels, cut off at the picture's borders."""
    for axis in (1, 2):
        length = planes.shape[axis]
        index = np.arange(length)
        stop, start = np.minimum(index + radius + 1, length), np.maximum(index - radius, 0)
        sums = np.cumsum(planes, axis, dtype=np.float32)
        sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis)), sums], axis)
        counts = (stop - start).astype(np.float32).reshape([-1 if axis == other else 1 for other in range(3)])
        planes = (np.take(sums, stop, axis) - np.take(sums, start, axis)) / counts
    return planes
