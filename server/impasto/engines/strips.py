"""The painters on pictures too large to pass as a whole: the same result, with a lower peak of memory.

The gallery painter's layers at half the resolution need most of the memory and little of the time.
They are run in strips; the one instance norm among them gets its exact statistics from a first pass
over all strips, because statistics of its own would give every strip another look. The arbitrary
painter has norms only in its middle, at a quarter of the resolution, which is run as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from impasto.engines import Check, arbitrary, painter
from impasto.engines.painter import INPUTS, Shape
from impasto.runtime import NORM_EPSILON, Executor, Weights, executor
from impasto.runtime.operations import Ops

STRIP_PIXELS = 1_000_000

HALO = 2
"""Rows of `painter.layout`'s result that a strip needs from its neighbours."""

SEEN, FINISHED = 8, 3
"""Rows, in units of four pixels, that strips of `arbitrary.see` and of `arbitrary.finish` need."""


@dataclass(frozen=True)
class Strip:
    """Rows in units of four pixels: those that it paints, and those that it looks at."""

    start: int
    stop: int
    top: int
    bottom: int

    def own(self, result: np.ndarray, scale: int) -> np.ndarray:
        """The rows of `result`, with `scale` rows a unit, that belong to the strip itself."""
        return result[scale * (self.start - self.top) : scale * (self.stop - self.top)]


def strips(height: int, width: int, halo: int = HALO) -> Iterator[Strip]:
    """Cut a picture of `height` x `width` pixels into strips that look `halo` units beyond their own."""
    units, step = height // 4, max(halo, STRIP_PIXELS // (4 * width))
    for start in range(0, units, step):
        stop = min(start + step, units)
        yield Strip(start, stop, max(0, start - halo), min(units, stop + halo))


class GalleryStrips:
    """`painter.forward` in three stages."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        self.shape, self.weights = shape, weights

        def layout(ops: Ops, image: Any, code: Any) -> Any:
            return painter.layout(ops, shape, image, code)

        def finish(ops: Ops, strokes: Any, image: Any, gain: Any, bias: Any) -> Any:
            return painter.finish(ops, ops.affine(painter.resolve(ops, strokes, image), gain, bias))

        self.layout = executor(layout, weights, (INPUTS,), (shape.code_length,))
        self.resolve = executor(painter.resolve, weights, (shape.quarter, INPUTS), ())
        self.finish = executor(finish, weights, (shape.quarter, INPUTS), (shape.half, shape.half))

    @cached_property
    def guided_layout(self) -> Executor:
        shape = self.shape

        def layout(ops: Ops, image: Any, half: Any, quarter: Any, eighth: Any, code: Any) -> Any:
            return painter.layout(ops, shape, image, code, {2: half, 4: quarter, 8: eighth})

        return executor(layout, self.weights, (INPUTS, 1, 1, 1), (shape.code_length,))

    def paint(
        self, picture: np.ndarray, code: np.ndarray, check: Check, region: Sequence[np.ndarray] = ()
    ) -> np.ndarray:
        """Paint a whole picture.

        Args:
            picture: (H, W, `INPUTS`) float32, sides multiples of `painter.MULTIPLE`.
            code: (L,) float32.
            check: see `Check`.
            region: for each of `painter.LEVELS` a weight (h, w, 1) of mean 1, or nothing for all.

        Returns:
            (H, W, 3) float32, sRGB in 0..1.
        """
        height, width = picture.shape[:2]
        layout = self.guided_layout if region else self.layout
        strokes = layout([picture, *region], [code], check)
        count, total, squares = 0.0, np.zeros(self.shape.half), np.zeros(self.shape.half)
        for strip in strips(height, width):
            seen = strokes[strip.top : strip.bottom], picture[4 * strip.top : 4 * strip.bottom]
            draft = strip.own(self.resolve(seen, [], check), 2)
            weight = region[0][2 * strip.start : 2 * strip.stop] if region else np.ones_like(draft[..., :1])
            count += float(weight.sum(dtype=np.float64))
            total += (draft * weight).sum((0, 1), np.float64)
            squares += (np.square(draft) * weight).sum((0, 1), np.float64)
        mean = total / count
        gain, bias = painter.split(self.shape, code, lambda vector, start, stop: vector[start:stop])["up1"]
        gain = gain / np.sqrt(squares / count - mean**2 + NORM_EPSILON)
        affine = [gain.astype(np.float32), (bias - mean * gain).astype(np.float32)]
        painted = np.empty((height, width, 3), np.float32)
        for strip in strips(height, width):
            seen = strokes[strip.top : strip.bottom], picture[4 * strip.top : 4 * strip.bottom]
            painted[4 * strip.start : 4 * strip.stop] = strip.own(self.finish(seen, affine, check), 4)
        return painted


class ArbitraryStrips:
    """`arbitrary.forward` in three stages."""

    def __init__(self, weights: Weights) -> None:
        self.see = executor(arbitrary.see, weights, (3,), ())
        self.match = executor(arbitrary.match, weights, (arbitrary.QUARTER, 1), (arbitrary.CODE_LENGTH,))
        self.finish = executor(arbitrary.finish, weights, (arbitrary.QUARTER,), (arbitrary.CODE_LENGTH,))

    def paint(self, picture: np.ndarray, code: np.ndarray, check: Check, region: np.ndarray) -> np.ndarray:
        """Paint a whole picture.

        Args:
            picture: (H, W, 3) float32, sides multiples of `arbitrary.MULTIPLE`.
            code: (L,) float32.
            check: see `Check`.
            region: a weight (H/4, W/4, 1) of mean 1.

        Returns:
            (H, W, 3) float32, sRGB.
        """
        height, width = picture.shape[:2]
        seen = np.empty((height // 4, width // 4, arbitrary.QUARTER), np.float32)
        for strip in strips(height, width, SEEN):
            part = self.see([picture[4 * strip.top : 4 * strip.bottom]], [], check)
            seen[strip.start : strip.stop] = strip.own(part, 1)
        strokes = self.match([seen, region], [code], check)
        painted = np.empty((height, width, 3), np.float32)
        for strip in strips(height, width, FINISHED):
            part = self.finish([strokes[strip.top : strip.bottom]], [code], check)
            painted[4 * strip.start : 4 * strip.stop] = strip.own(part, 4)
        return painted
