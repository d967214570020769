"""Neural style by optimisation (Gatys et al. 2015), from coarse to fine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from impasto.engines import Check, Progress, pictures
from impasto.job import Look
from impasto.models.store import require
from impasto.raster.sampling import resized
from impasto.styles.sources import StyleSource

STAGES = ((1 / 16, 80), (1 / 4, 60), (1.0, 30))
"""Share of the pixels, and steps there: the coarse stages lay out, where a step costs little."""

LARGEST = 512 * 512
"""Pixels; a larger picture is painted at this area: a step there takes seconds and 2 GB on a CPU."""

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_1"
STYLE_WEIGHT, CONTENT_WEIGHT, VARIATION_WEIGHT = 1.0, 0.15, 0.5


class OptimiseEngine:
    """Departs from the paper: normalised VGG, losses relative to their targets, Adam, coarse to fine."""

    name: ClassVar[str] = "optimise"
    weights: ClassVar[tuple[str, ...]] = ("vgg19-normalised",)

    def __init__(self) -> None:
        self.device = pictures.torch_device(self.name)
        (path,) = (require(name) for name in self.weights)
        from impasto.engines.vgg import Vgg

        self.vgg = Vgg(path, self.device)

    def check(self, styles: tuple[StyleSource, ...]) -> None:
        """See `impasto.engines.Engine.check`: it needs pictures."""
        pictures.check_pictures(self.name, styles)

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
        from impasto.engines.descent import descend
        from impasto.engines.vgg import gram

        self.check(styles)
        report = progress or (lambda fraction, what: None)
        height, width = picture.shape[:2]
        whole = pictures.within(picture, LARGEST)
        region = None if mask is None else pictures.tensor(mask[:, :, None], self.device)
        shares = np.cumsum([0.0, *(area * steps for area, steps in STAGES)])
        shares /= shares[-1]
        image = None
        for (area, steps), (start, stop) in zip(STAGES, pairwise(shares), strict=True):
            pixels = max(1, round(area * whole.shape[0] * whole.shape[1]))
            photo = np.clip(pictures.within(whole, pixels), 0, 1)
            content = pictures.tensor(photo, self.device)
            target = self.vgg(content, CONTENT_LAYER, check)[CONTENT_LAYER]
            grams: dict[str, Any] = dict.fromkeys(STYLE_LAYERS, 0.0)
            for style in styles:
                assert style.picture is not None
                near = pictures.tensor(pictures.within(style.picture, pixels), self.device)
                for layer, features in self.vgg(near, STYLE_LAYERS[-1], check).items():
                    grams[layer] = grams[layer] + style.weight * gram(features)

            def loss(x: Any, target: Any = target, grams: dict[str, Any] = grams) -> Any:
                features = self.vgg(x, STYLE_LAYERS[-1], check)
                style = sum(relative(gram(features[name], region), grams[name]) for name in STYLE_LAYERS)
                return (
                    STYLE_WEIGHT * style / len(STYLE_LAYERS)
                    + CONTENT_WEIGHT * relative(features[CONTENT_LAYER], target)
                    + VARIATION_WEIGHT * variation(x)
                )

            if image is not None:
                grown = pictures.array(image, image.shape[2], image.shape[3])
                content = pictures.tensor(
                    resized(grown, photo.shape[1], photo.shape[0]).clip(0, 1), self.device
                )

            def stepped(step: int, steps: int = steps, start: float = start, stop: float = stop) -> None:
                report(start + (stop - start) * step / steps, "painting")

            image = descend(content, loss, steps, check, stepped)
        assert image is not None
        return pictures.array(image, height, width)


def relative(x: Any, target: Any) -> Any:
    """Squared distance, divided by the target's energy."""
    return (x - target).square().sum() / (target.square().sum() + 1e-12)


def variation(x: Any) -> Any:
    """Mean squared difference of neighbours in (1, 3, H, W)."""
    down = (x[:, :, 1:] - x[:, :, :-1]).square().sum()
    across = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().sum()
    return (down + across) / x.numel()
