"""Adaptive instance normalisation (Huang & Belongie 2017) with the published decoder."""

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
"""Pixels; a larger picture is painted at this area, because the activations need 2 GB there."""

STYLE_AREA = 512 * 512
"""Pixels of a style picture, the size that the decoder was trained with."""


class AdainEngine(pictures.PictureEngine):
    """Gives the features of the picture the mean and deviation of the style's, a blend by weights."""

    name: ClassVar[str] = "adain"
    title: ClassVar[str] = "AdaIN"
    paper: ClassVar[str] = "Huang & Belongie 2017, arXiv 1703.06868"
    speed: ClassVar[str] = "four seconds"
    weights: ClassVar[tuple[str, ...]] = ("vgg19-normalised", "adain-decoder")
    options: ClassVar[Mapping[str, Option]] = {
        "alpha": Option(1.0, "how far the features go from the photograph's to the style's", 0.0, 1.0),
        "colours": pictures.COLOURS,
    }

    def __init__(self) -> None:
        super().__init__()
        vgg_file, decoder_file = require_all(self.weights).values()
        from impasto.engines.vgg import Decoder, Vgg

        self.vgg = Vgg(vgg_file, self.device)
        self.decoder = Decoder(decoder_file, self.device)

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

        from impasto.engines.vgg import statistics

        chosen = self.check(styles, look)
        report = progress or (lambda fraction, what: None)
        height, width = picture.shape[:2]
        small = pictures.within(picture, LARGEST)
        region = None if mask is None else pictures.tensor(mask[:, :, None], self.device)
        with torch.inference_mode():
            content = self.vgg(pictures.tensor(small, self.device), "relu4_1", check)["relu4_1"]
            report(0.3, "painting")
            mean, deviation = statistics(content, region)
            normal = (content - mean) / deviation
            mixed = torch.zeros_like(content)
            images = self.paintings(styles, STYLE_AREA, chosen["colours"], picture, mask)
            for number, (style, image) in enumerate(zip(styles, images, strict=True), start=1):
                mean, deviation = statistics(self.vgg(image, "relu4_1", check)["relu4_1"])
                mixed += style.weight * (normal * deviation + mean)
                report(0.3 + 0.3 * number / len(styles), "painting")
            mixed = content + float(chosen["alpha"]) * (mixed - content)
            painted = self.decoder(mixed, check)[:, :, : small.shape[0], : small.shape[1]]
            report(1.0, "painting")
        return pictures.array(painted, height, width)
