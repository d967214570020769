"""The gallery engine: trained styles, and any picture as a style; one forward pass, any blend."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from impasto.engines import WRAP, Check, Progress, encoder
from impasto.engines.options import Option, settled
from impasto.engines.painter import INPUTS, LEVELS, MULTIPLE, Shape, forward
from impasto.engines.strips import StripPainter
from impasto.job import Look
from impasto.models import gallery
from impasto.raster.sampling import resized
from impasto.runtime import Executor, executor
from impasto.runtime.operations import Ops
from impasto.styles.sources import StyleSource
from impasto.values import Value

MARGIN = 3 * MULTIPLE
"""Pixels painted beyond each border and cut off, because strokes run straight out of the picture there."""

CODES_KEPT = 64
"""Predicted codes that are remembered."""

LONGEST = 3
"""Times the shorter side that the encoder looks at of a long picture."""

ENLARGED = 4
"""Times that a small style picture is enlarged at most."""

SURROUNDINGS = 0.02
"""Weight in a region's statistics of what lies around it: of one pixel alone there is no deviation."""

WHOLE_PIXELS = 4_000_000
"""A larger picture has the last layers, which need the most memory, painted in strips."""

NOISE_SIDE = 2048
"""Pixels after which the noise repeats, farther than anybody could see."""


class GalleryEngine:
    """Feed-forward painting with conditional instance norm (Dumoulin et al. 2017).

    The code of a picture that is no style of the gallery is predicted (Ghiasi et al. 2017).
    """

    name: ClassVar[str] = "gallery"
    title: ClassVar[str] = "Fast"
    paper: ClassVar[str] = "Dumoulin, Shlens & Kudlur 2017, arXiv 1610.07629; Ghiasi et al. 2017, 1705.06830"
    speed: ClassVar[str] = "a second"
    weights: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, Option]] = {}

    def __init__(self, weights: Path = gallery.FILE) -> None:
        loaded = gallery.load(weights)
        self.shape = Shape(**loaded.shape)
        self.codes, self.tensors, self.encoder_tensors = loaded.codes, loaded.weights, loaded.encoder
        shape = self.shape
        self.whole = executor(
            lambda ops, image, code: forward(ops, shape, image, code),
            self.tensors,
            (INPUTS,),
            (shape.code_length,),
        )
        self.device = self.whole.device

        self._predicted: dict[bytes, np.ndarray] = {}

    def check(self, styles: tuple[StyleSource, ...], look: Look) -> dict[str, Value]:
        """See `impasto.engines.Engine.check`: it can paint in every style."""
        return settled(self.name, self.options, dict(look.options))

    def mix(self, styles: tuple[StyleSource, ...], check: Check) -> np.ndarray:
        """The code of a blend: (L,) float32, the weighted mean of the styles' codes."""
        code = np.zeros(self.codes.shape[1], np.float32)
        for style in styles:
            own = self.predict(style.picture, check) if style.code is None else style.code
            code += own * np.float32(style.weight)
        return code

    def predict(self, picture: np.ndarray | None, check: Check) -> np.ndarray:
        """The style code of a picture, (h, w, 3) float32 sRGB in 0..1: (L,) float32."""
        assert picture is not None, "a style has a code, a picture, or both"
        key = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()
        if key not in self._predicted:
            if len(self._predicted) >= CODES_KEPT:
                self._predicted.pop(next(iter(self._predicted)))
            self._predicted[key] = self.encoder([encodable(picture)], [], check)[0, 0]
        return self._predicted[key]

    def paint(
        self,
        picture: np.ndarray,
        styles: tuple[StyleSource, ...],
        look: Look,
        check: Check,
        mask: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """See `impasto.engines.Engine.paint`."""
        height, width = picture.shape[:2]
        beyond = WRAP if look.tile else 0
        noise = white_noise(height - 2 * beyond, width - 2 * beyond, look.seed)
        noise = np.pad(noise, beyond, "wrap")
        # The middle of every picture lies at the same place of the network's grid.
        above, left = MARGIN + -(height // 2) % MULTIPLE, MARGIN + -(width // 2) % MULTIPLE
        below, right = (
            MARGIN + -(before + side) % MULTIPLE for before, side in ((above, height), (left, width))
        )
        around = ((above, below), (left, right))
        padded = np.pad(np.dstack([picture, noise]), (*around, (0, 0)), mode="symmetric")
        code = self.mix(styles, check)
        region = [] if mask is None else weights(np.pad(mask, around, "symmetric"))
        if height * width > WHOLE_PIXELS:
            painted = self.strips.paint(padded, code, check, region)
        elif region:
            painted = self.guided([padded, *region], [code], check)
        else:
            painted = self.whole([padded], [code], check)
        return painted[above : above + height, left : left + width]

    @cached_property
    def guided(self) -> Executor:
        shape = self.shape

        def build(ops: Ops, image: Any, half: Any, quarter: Any, eighth: Any, code: Any) -> Any:
            return forward(ops, shape, image, code, {2: half, 4: quarter, 8: eighth})

        return executor(build, self.tensors, (INPUTS, 1, 1, 1), (shape.code_length,))

    @cached_property
    def strips(self) -> StripPainter:
        return StripPainter(self.shape, self.tensors)

    @cached_property
    def encoder(self) -> Executor:
        return executor(encoder.forward, self.encoder_tensors, (3,), ())


def weights(mask: np.ndarray) -> list[np.ndarray]:
    """How much each pixel counts in the statistics of a region.

    Args:
        mask: (H, W) float32 in 0..1, sides multiples of `MULTIPLE`.

    Returns:
        For each of `LEVELS` (H / level, W / level, 1) float32 of mean 1.
    """
    height, width = mask.shape
    counted = SURROUNDINGS + (1 - SURROUNDINGS) * mask
    pooled = (
        counted.reshape(height // level, level, width // level, level).mean((1, 3), np.float32)
        for level in LEVELS
    )
    return [(weight / weight.mean())[..., None] for weight in pooled]


def white_noise(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W) float32 in -1..1, the same at the same distance from the middle, whatever the size.

    A preview and its picture may differ by a pixel in their working sizes, and with other noise they
    would have other strokes.
    """
    rows, columns = ((np.arange(side) - side // 2) % NOISE_SIDE for side in (height, width))
    return noise_tile(seed)[np.ix_(rows, columns)]


@lru_cache(maxsize=1)
def noise_tile(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((NOISE_SIDE, NOISE_SIDE), np.float32) * 2 - 1


def encodable(picture: np.ndarray) -> np.ndarray:
    """The picture as the encoder looks at it: shorter side `encoder.SIDE`, a long one cut to its middle.

    A tiny picture is repeated instead of enlarged beyond `ENLARGED`, for a blur has no strokes.
    """
    height, width = picture.shape[:2]
    longest = LONGEST * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    picture = picture[top : top + longest, left : left + longest]
    height, width = picture.shape[:2]
    factor = min(encoder.SIDE / min(height, width), ENLARGED)
    small = resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    missing = [math.ceil(encoder.SIDE / side) for side in small.shape[:2]]
    if max(missing) > 1:
        small = np.pad(
            small,
            [(0, side * (n - 1)) for side, n in zip(small.shape[:2], missing, strict=True)] + [(0, 0)],
            "symmetric",
        )
    return np.ascontiguousarray(small.clip(0, 1), np.float32)
