"""The two bundled networks made ready: the gallery's painter, and the arbitrary one.

Both are steered by a style code and differ in what a code is. The gallery's was trained on its paintings
and paints them better; the arbitrary one takes the style from any picture.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from impasto.engines import Check, arbitrary
from impasto.engines import painter as gallery_painter
from impasto.engines.fitting import Fitting
from impasto.engines.painter import INPUTS, MULTIPLE, Shape
from impasto.engines.strips import ArbitraryStrips, GalleryStrips
from impasto.models import arbitrary as arbitrary_model
from impasto.models import gallery
from impasto.raster.sampling import resized
from impasto.runtime import Executor, executor
from impasto.runtime.memory import tell_glibc
from impasto.runtime.operations import Ops

CODES_KEPT = 64
"""Predicted codes that are remembered."""

SIDE = 512
"""Shorter side in pixels at which a style picture is looked at."""

LONGEST = 3
"""Times the shorter side that is looked at of a long style picture."""

ENLARGED = 4
"""Times that a small style picture is enlarged at most."""

SURROUNDINGS = 0.02
"""Weight in a region's statistics of what lies around it: of one pixel alone there is no deviation."""

WHOLE_PIXELS = 4_000_000
"""A larger picture has the layers that need the most memory run in strips."""

NOISE_SIDE = 2048
"""Pixels after which the noise repeats, farther than anybody could see."""


class Painter(Protocol):
    """A network that a style code steers.

    Attributes:
        fingerprint: identifies the codes that steer it.
        device: where it runs, for the user to read.
        strict: whether what lies beyond a picture's borders, which mirrors it, must not count in its
            statistics.
        bends: whether pictures are bent for it, see `engines.warp`.
        margin: pixels painted beyond each border and cut off, because strokes run straight out of the picture
            there; with a warp more, for it brings some of them in.
    """

    fingerprint: str
    device: str
    strict: ClassVar[bool]
    bends: ClassVar[bool]
    margin: ClassVar[int]

    def paint(
        self, picture: np.ndarray, noise: np.ndarray, code: np.ndarray, mask: np.ndarray | None, check: Check
    ) -> np.ndarray:
        """Paint a whole picture.

        Args:
            picture: (H, W, 3) float32, sRGB in 0..1, sides multiples of 8.
            noise: (H, W) float32 in -1..1.
            code: (L,) float32.
            mask: (H, W) float32 in 0..1 that the picture's statistics are those of, or None for all of it.
            check: see `Check`.

        Returns:
            (H, W, 3) float32, sRGB in 0..1.
        """
        ...


class GalleryPainter:
    """The network of `engines.painter`, with a trained code for each style of the gallery."""

    strict: ClassVar[bool] = False
    bends: ClassVar[bool] = True
    margin: ClassVar[int] = 5 * MULTIPLE

    def __init__(self, weights: Path = gallery.FILE) -> None:
        loaded = gallery.load(weights)
        self.fingerprint = loaded.fingerprint
        self.shape, self.tensors = Shape(**loaded.shape), loaded.weights
        shape = self.shape
        self.whole = executor(
            lambda ops, image, code: gallery_painter.forward(ops, shape, image, code),
            self.tensors,
            (INPUTS,),
            (shape.code_length,),
        )
        self.device = self.whole.device

    def paint(
        self, picture: np.ndarray, noise: np.ndarray, code: np.ndarray, mask: np.ndarray | None, check: Check
    ) -> np.ndarray:
        """See `Painter.paint`."""
        image = np.dstack([picture, noise])
        region = pooled(mask, gallery_painter.LEVELS)
        if image.shape[0] * image.shape[1] > WHOLE_PIXELS:
            return self.strips.paint(image, code, check, region)
        if region:
            return self.guided([image, *region], [code], check)
        return self.whole([image], [code], check)

    @cached_property
    def guided(self) -> Executor:
        shape = self.shape

        def build(ops: Ops, image: Any, half: Any, quarter: Any, eighth: Any, code: Any) -> Any:
            return gallery_painter.forward(ops, shape, image, code, {2: half, 4: quarter, 8: eighth})

        return executor(build, self.tensors, (INPUTS, 1, 1, 1), (shape.code_length,))

    @cached_property
    def strips(self) -> GalleryStrips:
        return GalleryStrips(self.shape, self.tensors)


class ArbitraryPainter:
    """The network of `engines.arbitrary`, which also predicts the code of a picture."""

    LEVELS: ClassVar[tuple[int, ...]] = (arbitrary.DIVISOR,)
    strict: ClassVar[bool] = True
    bends: ClassVar[bool] = False
    margin: ClassVar[int] = 3 * MULTIPLE

    def __init__(self, weights: Path = arbitrary_model.FILE) -> None:
        loaded = arbitrary_model.load(weights)
        self.fingerprint, self.tensors = loaded.fingerprint, loaded.weights
        self.whole = executor(arbitrary.forward, self.tensors, (3, 1), (arbitrary.CODE_LENGTH,))
        self.device = self.whole.device
        self._predicted: dict[bytes, np.ndarray] = {}

    def predict(self, picture: np.ndarray, check: Check) -> np.ndarray:
        """The style code of a picture, (h, w, 3) float32 sRGB in 0..1: (L,) float32.

        It is remembered: fitting it takes a second or two.
        """
        key = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()
        if key not in self._predicted:
            if len(self._predicted) >= CODES_KEPT:
                self._predicted.pop(next(iter(self._predicted)))
            picture = encodable(picture)
            predicted = self.encoder([picture], [], check)[0, 0]
            # Made anew, for until the next picture it would only take memory.
            self._predicted[key] = Fitting(self.tensors).fit(predicted, picture, check)
            tell_glibc("malloc_trim", 0)
        return self._predicted[key]

    def paint(
        self, picture: np.ndarray, noise: np.ndarray, code: np.ndarray, mask: np.ndarray | None, check: Check
    ) -> np.ndarray:
        """See `Painter.paint`; it has no use for the noise."""
        (region,) = pooled(np.ones(picture.shape[:2], np.float32) if mask is None else mask, self.LEVELS)
        if picture.shape[0] * picture.shape[1] > WHOLE_PIXELS:
            return self.strips.paint(picture, code, check, region).clip(0, 1)
        return self.whole([picture, region], [code], check).clip(0, 1)

    @cached_property
    def strips(self) -> ArbitraryStrips:
        return ArbitraryStrips(self.tensors)

    @cached_property
    def encoder(self) -> Executor:
        # Codes outlast a processor, and a statistic may be a hundred times what tells two styles apart.
        return executor(arbitrary.encode, self.tensors, (3,), (), exact=True)


def pooled(mask: np.ndarray | None, levels: Sequence[int]) -> list[np.ndarray]:
    """How much each pixel counts in the statistics of a region.

    Args:
        mask: (H, W) float32 in 0..1, sides multiples of all `levels`, or None.

    Returns:
        For each of `levels` (H / level, W / level, 1) float32 of mean 1; nothing without a mask.
    """
    if mask is None:
        return []
    weights: list[np.ndarray] = []
    for level in levels:
        rows = mask.reshape(-1, level, mask.shape[1]).sum(1)
        covered = rows.reshape(len(rows), -1, level).sum(2) / level**2
        weight = SURROUNDINGS + (1 - SURROUNDINGS) * covered
        weights.append((weight / weight.mean())[..., None])
    return weights


def white_noise(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W) float32 in -1..1, the same at the same distance from the middle, whatever the size.

    A preview and its picture may differ by a pixel in their working sizes, and with other noise they
    would have other strokes.
    """
    rows, columns = ((np.arange(side) - side // 2) % NOISE_SIDE for side in (height, width))
    return _noise_tile(seed)[np.ix_(rows, columns)]


@lru_cache(maxsize=1)
def _noise_tile(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((NOISE_SIDE, NOISE_SIDE), np.float32) * 2 - 1


def encodable(picture: np.ndarray) -> np.ndarray:
    """The picture as its style is looked at: shorter side `SIDE`, a long one cut to its middle.

    A tiny picture is repeated instead of enlarged beyond `ENLARGED`, for a blur has no strokes.
    """
    height, width = picture.shape[:2]
    longest = LONGEST * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    picture = picture[top : top + longest, left : left + longest]
    height, width = picture.shape[:2]
    factor = min(SIDE / min(height, width), ENLARGED)
    small = resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    missing = [math.ceil(SIDE / side) for side in small.shape[:2]]
    if max(missing) > 1:
        small = np.pad(
            small,
            [(0, side * (n - 1)) for side, n in zip(small.shape[:2], missing, strict=True)] + [(0, 0)],
            "symmetric",
        )
    return np.ascontiguousarray(small.clip(0, 1), np.float32)
