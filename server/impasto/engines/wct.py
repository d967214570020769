"""Whitening and colouring transforms (Li et al. 2017), from the deepest level to the finest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from impasto.engines import Check, Progress, pictures
from impasto.engines.options import Option
from impasto.job import Look
from impasto.models.store import require_all
from impasto.styles.sources import StyleSource

LARGEST = 1280 * 720
"""Pixels; a larger picture is painted at this area."""

STYLE_AREA = 512 * 512

LEVELS = (5, 4, 3, 2, 1)

DEEPEST = 4
"""The fifth level, with which the paper begins, shifts larger forms and thereby takes faces apart."""


class WctEngine(pictures.PictureEngine):
    """Gives the features of the picture, level after level, the mean and covariance of the style's.

    Departs from the paper: networks of a sixteenth of the size; eigenvalues have a floor; begins at level 4.
    """

    name: ClassVar[str] = "wct"
    title: ClassVar[str] = "WCT"
    paper: ClassVar[str] = "Li et al. 2017, arXiv 1705.08086; networks: Wang et al. 2020, 2003.08436"
    speed: ClassVar[str] = "three seconds"
    weights: ClassVar[tuple[str, ...]] = tuple(
        f"wct16x-{kind}{level}" for level in reversed(LEVELS) for kind in ("encoder", "decoder")
    )
    options: ClassVar[Mapping[str, Option]] = {
        "alpha": Option(0.6, "how far the features go from the photograph's to the style's", 0.0, 1.0),
        "deepest": Option(DEEPEST, "level to begin with; 5 paints as the paper does", 1, 5),
        "colours": pictures.COLOURS,
    }

    def __init__(self) -> None:
        super().__init__()
        files = require_all(self.weights)
        from impasto.engines.wct_network import Decoder, Encoder

        self.encoders = {n: Encoder(files[f"wct16x-encoder{n}"], n, self.device) for n in LEVELS}
        self.decoders = {n: Decoder(files[f"wct16x-decoder{n}"], n, self.device) for n in LEVELS}

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
        import torch

        from impasto.engines.vgg import coverage
        from impasto.engines.wct_network import coloured, whitened

        chosen = self.check(styles, look)
        report = progress or (lambda fraction, what: None)
        height, width = picture.shape[:2]
        image = pictures.tensor(pictures.within(picture, LARGEST), self.device)
        region = None if mask is None else pictures.tensor(mask[:, :, None], self.device)
        images = list(self.paintings(styles, STYLE_AREA, chosen["colours"], picture, mask))
        weights = [style.weight for style in styles]
        alpha = float(chosen["alpha"])
        with torch.inference_mode():
            levels = LEVELS[-int(chosen["deepest"]) :]
            for done, level in enumerate(levels, start=1):
                encode = self.encoders[level]
                content = encode(image, check)
                white = whitened(content, coverage(region, content))
                mixed = sum(
                    weight * coloured(white, encode(x, check))
                    for weight, x in zip(weights, images, strict=True)
                )
                assert isinstance(mixed, torch.Tensor)
                mixed = mixed.reshape(content.shape).to(content.dtype)
                painted = self.decoders[level](alpha * mixed + (1 - alpha) * content, check)
                image = painted[:, :, : image.shape[2], : image.shape[3]].clamp(0, 1)
                report(done / len(levels), "painting")
        return pictures.array(image, height, width)
