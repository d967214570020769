"""The gallery engine: trained styles, one forward pass, any blend."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from impasto.engines import Check
from impasto.engines.painter import INPUTS, MULTIPLE, Shape, forward
from impasto.engines.strips import StripPainter
from impasto.job import Look, StyleRef
from impasto.models import gallery
from impasto.runtime import executor

MARGIN = 3 * MULTIPLE
"""Pixels painted beyond each border and cut off, because strokes run straight out of the picture there."""

WHOLE_PIXELS = 4_000_000
"""A larger picture has the last layers, which need the most memory, painted in strips."""


class GalleryEngine:
    """Feed-forward painting with conditional instance norm (Dumoulin et al. 2017)."""

    name: ClassVar[str] = "gallery"
    weights: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        loaded = gallery.load()
        self.shape = Shape(**loaded.shape)
        self.codes, self.tensors = loaded.codes, loaded.weights
        shape = self.shape
        self.whole = executor(
            lambda ops, image, code: forward(ops, shape, image, code),
            self.tensors,
            (INPUTS,),
            (shape.code_length,),
        )
        self.device = self.whole.device

    def check(self, look: Look) -> None:
        """See `impasto.engines.Engine.check`."""
        for style in look.style:
            gallery.find(style.ref)

    def mix(self, styles: tuple[StyleRef, ...]) -> np.ndarray:
        """The code of a blend: (L,) float32, the weighted mean of the styles' codes."""
        total = sum(style.weight for style in styles)
        code = np.zeros(self.codes.shape[1], np.float32)
        for style in styles:
            code += self.codes[gallery.find(style.ref)] * np.float32(style.weight / total)
        return code

    def paint(self, picture: np.ndarray, look: Look, check: Check) -> np.ndarray:
        """See `impasto.engines.Engine.paint`."""
        height, width = picture.shape[:2]
        random = np.random.default_rng(look.seed)
        noise = random.random((height, width, 1), np.float32) * 2 - 1
        below, right = MARGIN + -height % MULTIPLE, MARGIN + -width % MULTIPLE
        padded = np.pad(
            np.dstack([picture, noise]), ((MARGIN, below), (MARGIN, right), (0, 0)), mode="symmetric"
        )
        code = self.mix(look.style)
        if height * width <= WHOLE_PIXELS:
            painted = self.whole([padded], [code], check)
        else:
            painted = self.strips.paint(padded, code, check)
        return painted[MARGIN : MARGIN + height, MARGIN : MARGIN + width]

    @cached_property
    def strips(self) -> StripPainter:
        return StripPainter(self.shape, self.tensors)
