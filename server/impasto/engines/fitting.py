"""Fitting a predicted style code to its picture, in a second or two.

A predicted code is a guess. What it paints is looked at by the loss network, and the code goes a few steps
down the slope of style and content together (Gatys et al. 2015, of whose loss the logarithm is taken here).
Each step is divided by the curvature that is usual (Amari 1998, "Natural Gradient Works Efficiently in
Learning"), which is why so few are enough. `teaching` goes on from there, with VGG-19.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from impasto.engines import Check, arbitrary, loss_network
from impasto.engines.loss_network import LEVELS, MULTIPLE, WIDTHS
from impasto.models import fitting
from impasto.runtime import Network, network
from impasto.runtime.operations import Ops, Tensor

STEPS = 5
"""Codes that are tried, the predicted one first."""

TOGETHER = 2
"""Photographs that are painted at once, of which the peak of memory depends."""

RATE, INERTIA = 0.2, 0.5
CONTENT_WEIGHT = np.float32(3)
"""Per cents of the style's distance that one of the content's is worth."""

EACH = np.float32(0.3)
"""Share of the style's loss in which a per cent counts alike at each level; in the rest only the sum does, as
where paintings are measured."""

STAMP_WEIGHT = np.float32(0.07 * 255**2)
"""Of the texture that all cells of the painter have at the same place: one of 255 is worth seven per cent."""


def texture() -> np.ndarray:
    """The kernel of what a picture's light has beyond its surroundings."""
    kernel = np.full((1, 3, 9, 9), -1 / 243, np.float32)
    kernel[:, :, 4, 4] += 1 / 3
    return kernel


class Fitting:
    """Fits codes of the arbitrary painter.

    Args:
        painter: its weights, as `runtime.Weights`.
    """

    def __init__(self, painter: Mapping[str, np.ndarray]) -> None:
        self.weights = {**painter, **fitting.loss_network(), "texture.weight": texture()}
        known = fitting.curvature()
        scale = painter["usual.scale"].ravel()
        self.inverse = known.inverse * scale[:, None] * scale
        self.photographs = known.photographs.transpose(0, 3, 1, 2).astype(np.float32) / 255
        self.side = self.photographs.shape[-1]

    def fit(self, code: np.ndarray, picture: np.ndarray, check: Check) -> np.ndarray:
        """A code of the style of a picture.

        Args:
            code: (L,) float32, where to begin.
            picture: (h, w, 3) float32, sRGB in 0..1, at least `MULTIPLE` pixels high and wide.
            check: see `Check`.

        Returns:
            (L,) float32: the best code that was seen.
        """
        grams, shares = self.target(picture, check)
        best, lowest, rate = code, np.inf, RATE
        pace, downhill = np.zeros_like(code), np.zeros_like(code)
        for _ in range(STEPS):
            value, slope = self.tried(code, grams, shares, check)
            if value < lowest:
                best, lowest, downhill = code, value, self.inverse @ slope
                pace = INERTIA * pace - rate * downhill
            else:
                rate /= 2
                pace = -rate * downhill
            code = best + pace
        return best

    def tried(
        self, code: np.ndarray, grams: Sequence[np.ndarray], shares: np.ndarray, check: Check
    ) -> tuple[float, np.ndarray]:
        """The loss of a code, (L,) float32, and its slope, (L,), for what `target` gave."""
        parts = [self.loss([code[None], shares, *grams, *scenes], check) for scenes in self.scenes]
        values, slopes = zip(*parts, strict=True)
        return float(np.mean(values)), np.mean(slopes, 0)[0]

    def target(self, picture: np.ndarray, check: Check) -> tuple[list[np.ndarray], np.ndarray]:
        """The Gram matrices of a style's picture at each of `LEVELS`, in units of their own size, and what
        brings others to these units, (1, levels)."""
        height, width = (side // MULTIPLE * MULTIPLE for side in picture.shape[:2])
        grams = self.style([picture[None, :height, :width]], check)
        shares = np.empty((1, len(LEVELS)), np.float32)
        for level, gram in enumerate(grams):
            gram /= (height >> level) * (width >> level)
            shares[0, level] = WIDTHS[level] / max(np.linalg.norm(gram), 1e-6)
            gram *= shares[0, level]
        return grams, shares

    @cached_property
    def scenes(self) -> list[list[np.ndarray]]:
        """What the painter and the loss network see of the photographs, of `TOGETHER` at a time."""

        def build(ops: Ops, photographs: Tensor) -> list[Tensor]:
            return [arbitrary.see(ops, photographs), loss_network.features(ops, photographs)[-1]]

        parts = np.split(self.photographs, len(self.photographs) // TOGETHER)
        see = network(build, self.weights, [parts[0].shape], exact=True)
        return [see([part], lambda: None) for part in parts]

    @cached_property
    def style(self) -> Network:
        """(1, H, W, 3) float32 -> (1, C, C) float32 at each of `LEVELS`."""

        def build(ops: Ops, picture: Tensor) -> list[Tensor]:
            return [loss_network.products(ops, x) for x in loss_network.features(ops, ops.planes(picture))]

        return network(build, self.weights, [(1, -1, -1, 3)], exact=True)

    @cached_property
    def loss(self) -> Network:
        """Code, shares, Gram matrices and one of `scenes` -> the loss, (1,), and its slope, (1, L)."""
        scenes = [each.shape for each in self.scenes[0]]
        grams = [(1, width, width) for width in WIDTHS]
        shapes = [(1, arbitrary.CODE_LENGTH), (1, len(LEVELS)), *grams, *scenes]

        def build(ops: Ops, code: Tensor, *known: Tensor) -> list[Tensor]:
            return list(ops.slope(lambda ops, code: self.distance(ops, code, *known), code))

        return network(build, self.weights, shapes, exact=True)

    def distance(self, ops: Ops, code: Tensor, shares: Tensor, *known: Tensor) -> Tensor:
        """The loss, as one number."""
        *grams, seen, content = known
        painted = arbitrary.finish(ops, arbitrary.match(ops, seen, None, code), code)
        painted = ops.clamp(painted, 0.0, 1.0)
        found = loss_network.features(ops, painted)
        together: Any = None
        loss = ops.multiply(ops.log(self.square(ops, ops.subtract(found[-1], content))), CONTENT_WEIGHT)
        for level, (x, wanted) in enumerate(zip(found, grams, strict=True)):
            share = ops.reshape(ops.cut(shares, 1, level, level + 1), (1, 1, 1))
            pixels = np.float32((self.side >> level) ** 2)
            gram = ops.multiply(loss_network.products(ops, x), ops.multiply(share, 1 / pixels))
            apart = self.square(ops, ops.subtract(gram, wanted))
            together = apart if together is None else ops.add(together, apart)
            loss = ops.add(loss, ops.multiply(ops.log(apart), EACH / np.float32(len(LEVELS))))
        loss = ops.add(loss, ops.multiply(ops.log(together), 1 - EACH))
        cells = ops.unshuffle(ops.conv(painted, "texture"), arbitrary.DIVISOR)
        loss = ops.add(loss, ops.multiply(self.square(ops, ops.mean(cells)), STAMP_WEIGHT))
        return ops.reshape(ops.mean(ops.reshape(loss, (1, 1, -1, 1))), (1,))

    def square(self, ops: Ops, x: Tensor) -> Tensor:
        """The mean square of each of N: (N, ...) -> (N, 1, 1, 1)."""
        rows = ops.reshape(x, (0, 1, 1, -1))
        return ops.mean(ops.multiply(rows, rows))
