"""Teaching the arbitrary painter a style: its code changes until paintings have that of given pictures.

Only the code is learned (Dumoulin et al. 2017, section 4.2), so the network, and with it every
other style, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from impasto.engines import Check
from impasto.engines.arbitrary import QUARTER, forward
from impasto.engines.lattice import lattice
from impasto.engines.losses import gram, relative, variation
from impasto.engines.pictures import tensor
from impasto.engines.vgg import Vgg
from impasto.raster.sampling import resized
from impasto.runtime.torch_executor import TorchOps, quick_dtype

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT = LAYERS[-1]

STYLE_SIDE = 512
"""Shorter side in pixels at which a style picture is looked at; the painter's styles were, too."""

PHOTOGRAPH_SIDE = 384
"""Shorter side in pixels of the photographs that are cut up."""

CROPS = (128, 256)
"""Shortest and longest side in pixels of what is painted in a step."""

SCENES = 200
"""Crops of photographs that are painted in turn."""

CONTENT_RISE = 1.07
"""Times the content distance of paintings with the predicted code that those with the taught one have."""

CONTENT_WEIGHT, FIRMNESS = 0.5, 0.1
"""Of the content at first, and by how much of what is too much of it that grows with each step."""

VARIATION_WEIGHT, LATTICE_WEIGHT = 2.0, 3.0

RATE, WARM_UP, BETAS = 0.015, 10, (0.9, 0.98)
"""A code that takes larger steps shakes more than it learns."""

AVERAGED = 0.98
"""Share of the average code that stays at each step; at first less."""


@dataclass(frozen=True)
class Distances:
    """Of a painting: to the style, of Gram matrices, and to the photograph, of features.

    Both are relative to the target's energy, the first in the mean over `LAYERS`.
    """

    style: float
    content: float


@dataclass(frozen=True)
class Scene:
    """A crop of a photograph, (1, 3, h, w), its features at `CONTENT`, and the content distance, () float,
    of its painting with the predicted code."""

    photo: Tensor
    content: Tensor
    distance: Tensor


class Lesson:
    """A style while it is taught.

    Args:
        vgg: the loss network.
        weights: of the painter, as `runtime.Weights`.
        predicted: (L,) float32, the code predicted from the pictures.
        code: (L,) float32, where to begin.
        pictures: (h, w, 3) float32 each, sRGB in 0..1, whose style is wanted.
        photographs: the same, what is painted; at least 32 pixels high and wide.
        steps: that the lesson will take; the last ones are smaller.
        check: see `Check`.
        seed: of what is painted in which order.
    """

    def __init__(
        self,
        vgg: Vgg,
        weights: Mapping[str, np.ndarray],
        predicted: np.ndarray,
        code: np.ndarray,
        pictures: Sequence[np.ndarray],
        photographs: Sequence[np.ndarray],
        steps: int,
        check: Check,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.vgg, self.check, self.steps, self.device = vgg, check, steps, device
        self.photographs = photographs
        self.random = np.random.default_rng(seed)
        dtype = quick_dtype(device)
        self.ops = TorchOps({name: torch.from_numpy(x).to(device, dtype) for name, x in weights.items()})
        self.predicted, begun = (torch.from_numpy(x).to(device)[None] for x in (predicted, code))
        # The parts of a code differ in size by orders of magnitude, and Adam takes steps of one size.
        self.sizes = by_kind(self.predicted[0].abs()).clamp(min=1e-3)[None]
        self.moved = ((begun - self.predicted) / self.sizes).requires_grad_()
        self.average, self.content_weight = self.moved.detach().clone(), CONTENT_WEIGHT
        self.adam = torch.optim.Adam([self.moved], RATE, betas=BETAS)
        self.done = 0
        self.scenes: list[Scene] = []
        self.targets: dict[str, Tensor] = {}
        for picture in pictures:
            with torch.no_grad():
                found = self.features(tensor(shorter_side(picture, STYLE_SIDE), device))
                for name, x in found.items():
                    share = gram(x) / len(pictures)
                    self.targets[name] = self.targets.get(name, 0) + share

    @property
    def code(self) -> np.ndarray:
        """The style code so far, the average of the last ones: (L,) float32."""
        return self.placed(self.average)[0].cpu().numpy()

    def placed(self, moved: Tensor) -> Tensor:
        """The code, (1, L), that lies so far from the predicted one."""
        return self.predicted + moved * self.sizes

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Of `LAYERS`, of a picture, (1, 3, h, w)."""
        return self.vgg(image, LAYERS[-1], self.check)

    def style_distance(self, found: Mapping[str, Tensor]) -> Tensor:
        """Of Gram matrices, in the mean over `LAYERS`, () float."""
        losses = [relative(gram(found[name])[None], target[None])[0] for name, target in self.targets.items()]
        return torch.stack(losses).mean()

    def painted(self, photo: Tensor, code: Tensor) -> Tensor:
        """(1, 3, H, W) float32, about 0..1."""
        image = photo.to(self.ops.dtype, memory_format=torch.channels_last)
        return forward(self.ops, image, None, code.to(self.ops.dtype)).float()

    def step(self) -> Distances:
        """Paint a crop of a photograph, and bring the code nearer."""
        self.done += 1
        fading = max(0.02, 1 - self.done / (self.steps + 1))
        self.adam.param_groups[0]["lr"] = RATE * min(1.0, self.done / WARM_UP) * fading
        scene = self.drawn()
        image = self.painted(scene.photo, self.placed(self.moved))
        found = self.features(image)
        style = self.style_distance(found)
        content = content_distance(found[CONTENT], scene.content)
        rise = content / scene.distance
        # Of logarithms, for scenes of one style can be several times farther than others.
        loss = style.log() + self.content_weight * rise.log()
        loss = loss + VARIATION_WEIGHT * variation(image) + LATTICE_WEIGHT * lattice(image)
        (gradient,) = torch.autograd.grad(loss, self.moved)
        if bool(torch.isfinite(gradient).all()):
            self.moved.grad = gradient
            self.adam.step()
            # The multiplier of a bound (Boyd et al. 2011, "Distributed Optimization and Statistical Learning
            # via the Alternating Direction Method of Multipliers", section 2.1).
            self.content_weight += FIRMNESS * (float(rise.detach()) - CONTENT_RISE)
            self.content_weight = max(0.0, self.content_weight)
        kept = min(AVERAGED, self.done / (self.done + WARM_UP))
        self.average.lerp_(self.moved.detach(), 1 - kept)
        return Distances(float(style.detach()), float(content.detach()))

    def drawn(self) -> Scene:
        """One of the scenes; a new one until there are `SCENES`."""
        if len(self.scenes) < SCENES:
            photo = self.crop()
            with torch.no_grad():
                content = self.features(photo)[CONTENT]
                found = self.features(self.painted(photo, self.predicted))[CONTENT]
                distance = content_distance(found, content)
            self.scenes.append(Scene(photo, content, distance))
            return self.scenes[-1]
        return self.scenes[int(self.random.integers(SCENES))]

    def crop(self) -> Tensor:
        """Of a photograph at a random scale: (1, 3, h, w)."""
        photo = self.photographs[int(self.random.integers(len(self.photographs)))]
        shortest = min(photo.shape[:2])
        side = int(self.random.integers(min(CROPS[1], shortest), shortest + 1))
        top, left = (int(self.random.integers(length - side + 1)) for length in photo.shape[:2])
        crop = photo[top : top + side, left : left + side]
        target = min(int(self.random.integers(CROPS[0], CROPS[1] + 1)), side) // 8 * 8
        crop = resized(crop, target, target).clip(0, 1)
        crop = crop[:, ::-1] if self.random.random() < 0.5 else crop
        return tensor(np.ascontiguousarray(crop), self.device)


def by_kind(code: Tensor) -> Tensor:
    """The mean of its kind for each number of a code: (L, ...)."""
    return torch.cat([kind.mean().expand_as(kind) for kind in code.split(QUARTER)])


def content_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Of features, relative to the photograph's energy, () float."""
    return relative(found, wanted)[0]


def shorter_side(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture scaled so that its shorter side has `side` pixels; a tiny one is not enlarged."""
    height, width = picture.shape[:2]
    factor = min(1.0, side / min(height, width))
    return resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
