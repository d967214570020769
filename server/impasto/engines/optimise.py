"""Neural style by optimisation (Gatys et al. 2015), from coarse to fine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from impasto.engines import WORK_PIXELS, Check, Progress, pictures
from impasto.engines.options import Option, Value
from impasto.job import Look
from impasto.models.store import require
from impasto.raster.sampling import resized
from impasto.runtime.memory import large_blocks_kept
from impasto.styles.sources import StyleSource

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.engines.descent import Slope

HALVING = 2**-0.5

MARGIN = 8
"""Pixels beyond each edge that mirror the picture, are not counted and are cut off: where the loss network's
sight ends, colours come out too bright."""

OPTIONS = {
    "steps": Option(300, "steps of all sizes together", 1, 10000),
    "size": Option(512, "side in pixels of a square as large as what is painted at scale 1", 32, 8192),
    "start": Option("content", "what the first step begins with", choices=("content", "noise", "gallery")),
    "loss": Option("gram", "distance of styles", choices=("gram", "wasserstein")),
    "method": Option("adam", "of descent", choices=("adam", "lbfgs")),
    "style_weight": Option(1.0, "weight of the style's distance", 0.0, 1000.0),
    "content_weight": Option(0.3, "weight of the content's distance", 0.0, 1000.0),
    "smoothness": Option(8.0, "weight of the differences between neighbouring pixels", 0.0, 1000.0),
    "style_scale": Option(1.0, "size of the style pictures", 0.125, 8.0),
    "colours": pictures.COLOURS,
}


class OptimiseEngine(pictures.PictureEngine):
    """Departs from the paper: normalised VGG, losses relative to their targets, Adam, averaged
    iterates, coarse to fine."""

    name: ClassVar[str] = "optimise"
    title: ClassVar[str] = "Master"
    paper: ClassVar[str] = "Gatys, Ecker & Bethge 2015, arXiv 1508.06576"
    speed: ClassVar[str] = "two minutes"
    weights: ClassVar[tuple[str, ...]] = (pictures.loss_network(),)
    options: ClassVar[Mapping[str, Option]] = OPTIONS
    stages: ClassVar[tuple[tuple[float, float], ...]] = (
        (HALVING**2, 0.1),
        (HALVING, 0.1),
        (1.0, 0.8),
    )
    """Size, as a share of the last one's sides, and share of the steps there: coarse ones lay out the
    large forms, where a step costs little."""

    rate: ClassVar[float | None] = None
    """Of Adam, in the place of the usual one."""

    def __init__(self) -> None:
        super().__init__()
        path = require(self.weights[0])
        from impasto.engines.descent import prepare
        from impasto.engines.vgg import Vgg
        from impasto.runtime.torch_executor import quick_dtype

        self.vgg = Vgg(path, self.device, quick_dtype(self.device))
        prepare()

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
        image = self.descended(picture, styles, look, check, mask, progress)
        return image if image.shape[:2] == (height, width) else resized(image, width, height).clip(0, 1)

    def descended(
        self,
        picture: np.ndarray,
        styles: tuple[StyleSource, ...],
        look: Look,
        check: Check,
        mask: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """What `paint` enlarges to the picture's size: (h, w, 3) float32, sRGB in 0..1. Arguments as of
        `paint`."""
        from impasto.engines.descent import descend
        from impasto.engines.objective import Objective

        chosen: dict[str, Any] = self.check(styles, look)
        report = progress or (lambda fraction, what, picture=None: None)
        height, width = picture.shape[:2]
        # A share of the given size, not a size, because what is given may be a part of a picture.
        share = min(1.0, chosen["size"] ** 2 / WORK_PIXELS)
        paintings = [
            pictures.coloured(style.picture, chosen["colours"], picture, mask)
            for style in styles
            if style.picture is not None
        ]
        shares = [style.weight for style in styles]
        margin = 0 if look.tile else MARGIN
        image = self.first(chosen["start"], picture, styles, look, check)
        stages = self.planned(chosen["steps"])
        spent = np.cumsum([0.0, *(size**2 * steps for size, steps in stages)])
        spent /= spent[-1]
        for number, ((size, steps), (start, stop)) in enumerate(zip(stages, pairwise(spent), strict=True)):
            photo = pictures.within(picture, size**2 * share * height * width)
            high, wide = photo.shape[:2]
            inner = (..., slice(margin, margin + high), slice(margin, margin + wide))
            region = None
            if mask is not None:
                around = with_margin(mask[:, :, None], round(margin * height / high))
                region = pictures.tensor(around, self.device)
            style_area = size**2 * share * WORK_PIXELS * chosen["style_scale"] ** 2
            objective = Objective(
                self.vgg,
                pictures.tensor(with_margin(photo, margin), self.device),
                [pictures.tensor(pictures.within(x, style_area), self.device) for x in paintings],
                shares,
                chosen["loss"],
                (chosen["style_weight"], chosen["content_weight"], chosen["smoothness"]),
                check,
                region,
                margin,
                seed=look.seed + number,
            )
            del photo  # a large one

            def stepped(
                step: int,
                point: Tensor,
                steps: int = steps,
                start: float = start,
                stop: float = stop,
                inner: tuple[Any, ...] = inner,
                shape: tuple[int, int] = (high, wide),
            ) -> None:
                now = None if progress is None else pictures.array(point[inner], *shape)
                report(start + (stop - start) * step / steps, "painting", now)

            with nullcontext() if len(objective.tiles) > 1 else large_blocks_kept():
                found = descend(
                    # What has no name is gone as soon as the descent has a copy of its own.
                    pictures.tensor(with_margin(resized(image, wide, high).clip(0, 1), margin), self.device),
                    mirroring(objective.slope, margin, high, wide, self.device),
                    steps,
                    check,
                    stepped,
                    chosen["method"],
                    self.rate if chosen["method"] == "adam" else None,
                )
            image = pictures.array(found[inner], high, wide)
        return image

    def planned(self, steps: int) -> list[tuple[float, int]]:
        """Size and number of steps of each stage; the last ones have what few steps there are."""
        ends = np.round(np.cumsum([share for _, share in self.stages]) * steps).astype(int)
        counts = np.diff(ends, prepend=0)
        return [(size, int(count)) for (size, _), count in zip(self.stages, counts, strict=True) if count]

    def first(
        self, start: Value, picture: np.ndarray, styles: tuple[StyleSource, ...], look: Look, check: Check
    ) -> np.ndarray:
        """What the first step begins with: (h, w, 3) float32 in 0..1."""
        if start == "gallery":
            from impasto.engines import engine

            return engine("gallery").paint(picture, styles, look, check)
        if start == "noise":
            return np.random.default_rng(look.seed).random(picture.shape, np.float32)
        return picture


def with_margin(picture: np.ndarray, margin: int) -> np.ndarray:
    """(h, w, C), surrounded by `margin` pixels of its mirror image."""
    return np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), "symmetric")


def mirroring(slope: Slope, margin: int, height: int, width: int, device: str = "cpu") -> Slope:
    """A slope that first makes the margin of the picture mirror it anew, and lets nothing pull at it.

    A margin that is free satisfies deep layers, which see it from far away, in the picture's place. And
    pixels would weigh twice, if what pulls at their mirror images pulled at them.

    Args:
        margin: of what the slope is given, (1, 3, `height` + 2 margin, `width` + 2 margin).
    """
    from torch import from_numpy

    # Dimension, start, and where what belongs there lies.
    edges: list[tuple[int, int, Tensor]] = []
    for dim, side in ((2, height), (3, width)):
        whole = from_numpy(np.pad(np.arange(side), margin, "symmetric") + margin).to(device)
        edges += [(dim, start, whole[start : start + margin]) for start in (0, margin + side)]

    def mirrored(image: Tensor) -> tuple[Tensor, Tensor]:
        image = image.detach()
        for dim, start, source in edges:
            image.narrow(dim, start, margin).copy_(image.index_select(dim, source))
        loss, gradient = slope(image)
        for dim, start, _ in edges:
            gradient.narrow(dim, start, margin).zero_()
        return loss, gradient

    return mirrored
