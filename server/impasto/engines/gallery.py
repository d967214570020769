"""The gallery engine: trained styles, one forward pass, any blend."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from impasto.engines import Check
from impasto.engines.painter import GRAIN, MULTIPLE, Shape, forward
from impasto.job import Look, StyleRef
from impasto.models import gallery
from impasto.runtime import executor

MARGIN = 3 * MULTIPLE
"""Pixels painted beyond each border and cut off, because strokes run straight out of the picture there."""


class GalleryEngine:
    """Feed-forward painting with conditional instance norm (Dumoulin et al. 2017)."""

    name: ClassVar[str] = "gallery"
    weights: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        loaded = gallery.load()
        shape = Shape(**loaded.shape)
        self.codes = loaded.codes
        self.executor = executor(
            lambda ops, image, code: forward(ops, shape, image, code), loaded.weights, shape.code_length
        )
        self.device = self.executor.device

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
        grain = random.random(picture.shape, np.float32) * (2 * GRAIN) - GRAIN
        below, right = MARGIN + -height % MULTIPLE, MARGIN + -width % MULTIPLE
        padded = np.pad(picture + grain, ((MARGIN, below), (MARGIN, right), (0, 0)), mode="symmetric")
        painted = self.executor(padded, self.mix(look.style), check)
        return painted[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
