"""The gallery engine: trained styles, and any picture as a style; one forward pass, any blend."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

import numpy as np

from impasto.engines import WRAP, Check, Progress
from impasto.engines.options import Option, settled
from impasto.engines.painter import MULTIPLE
from impasto.engines.painters import ArbitraryPainter, GalleryPainter, Painter, white_noise
from impasto.engines.warp import warp
from impasto.errors import UsageError
from impasto.job import Look
from impasto.styles.sources import StyleCode, StyleSource
from impasto.values import Value


class GalleryEngine:
    """Feed-forward painting, steered by style codes, whose weighted mean is a blend.

    A blend of the gallery's own styles is painted by the gallery's painter (Dumoulin et al. 2017), any
    other by the arbitrary one (Wang et al. 2023), which predicts the codes of pictures, those of the
    gallery's paintings too.
    """

    name: ClassVar[str] = "gallery"
    title: ClassVar[str] = "Fast"
    paper: ClassVar[str] = "Dumoulin, Shlens & Kudlur 2017, arXiv 1610.07629; Wang et al. 2023, 2211.15313"
    speed: ClassVar[str] = "a second"
    weights: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, Option]] = {}

    def __init__(self) -> None:
        self.gallery = GalleryPainter()
        self.device = self.gallery.device

    @cached_property
    def arbitrary(self) -> ArbitraryPainter:
        return ArbitraryPainter()

    def check(self, styles: tuple[StyleSource, ...], look: Look) -> dict[str, Value]:
        """See `impasto.engines.Engine.check`: it can paint in every style."""
        return settled(self.name, self.options, dict(look.options))

    def mix(self, styles: tuple[StyleSource, ...], check: Check) -> StyleCode:
        """The code of a blend, and which painter it steers.

        Raises:
            UsageError: a saved blend of the gallery's styles, which has no picture, among other styles.
        """
        own = self.gallery.fingerprint
        if all(style.code is not None and style.code.painter == own for style in styles):
            values = sum(style.code.values * np.float32(style.weight) for style in styles if style.code)
            return StyleCode(own, np.asarray(values))
        codes = (self._arbitrary_code(style, check) * np.float32(style.weight) for style in styles)
        return StyleCode(self.arbitrary.fingerprint, np.asarray(sum(codes)))

    def _arbitrary_code(self, style: StyleSource, check: Check) -> np.ndarray:
        if style.code is not None and style.code.painter == self.arbitrary.fingerprint:
            return style.code.values
        if style.picture is None:
            raise UsageError(
                f"The style “{style.ref}” holds no picture, so it cannot be mixed with others; mix the "
                "styles that it was made of."
            )
        return self.arbitrary.predict(style.picture, check)

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
        code = self.mix(styles, check)
        painter: Painter = self.gallery if code.painter == self.gallery.fingerprint else self.arbitrary
        # The middle of every picture lies at the same place of the network's grid.
        above, left = (painter.margin + -(side // 2) % MULTIPLE for side in (height, width))
        below, right = (
            painter.margin + -(before + side) % MULTIPLE for before, side in ((above, height), (left, width))
        )
        around = ((above, below), (left, right))
        if mask is None and painter.strict:
            mask = np.ones((height, width), np.float32)
        picture = np.pad(picture, (*around, (0, 0)), "symmetric")
        noise = np.pad(noise, around, "symmetric")
        if mask is not None:
            mask = np.pad(mask, around, "constant" if painter.strict else "symmetric")
        if painter.bends and not look.tile:  # bent, a texture would not meet itself at its edges
            ground = warp(picture.shape[0], picture.shape[1], look.seed)
            bent = None if mask is None else np.ascontiguousarray(ground.bent(mask)[..., 0])
            painted = ground.straight(painter.paint(ground.bent(picture), noise, code.values, bent, check))
        else:
            painted = painter.paint(picture, noise, code.values, mask, check)
        return painted[above : above + height, left : left + width]
