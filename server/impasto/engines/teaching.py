"""Teaching the arbitrary painter a style: its code changes until paintings have that of given pictures.

Only the code is learned (Dumoulin et al. 2017, section 4.2), so the network, and with it every
other style, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check
from impasto.engines.arbitrary import QUARTER, forward
from impasto.engines.losses import gram, relative, variation
from impasto.engines.pictures import tensor
from impasto.engines.vgg import Vgg, quick_dtype
from impasto.raster.sampling import resized
from impasto.runtime.torch_executor import TorchOps

FULL = ("relu1_1", "relu2_1", "relu3_1")
HALF = ("relu2_1", "relu3_1", "relu4_1")
CONTENT = ("relu3_1", "relu4_1")

STYLE_SIDE = 512
"""Shorter side in pixels at which a style picture is looked at; the painter's styles were, too."""

CROP = 256
"""Side in pixels of what is painted in a step."""

WINDOW = 144
"""Side in pixels of what is looked at at full size, where texture is much the same everywhere."""

STYLE_WEIGHT, VARIATION_WEIGHT = 6.0, 5.0

LOST_WEIGHT = 30.0
"""Of content lost beyond what the first code loses: a style is to be met, not a photograph dissolved."""

RATE, WARM_UP, BETAS = 0.05, 10, (0.9, 0.98)


@dataclass(frozen=True)
class Distances:
    """Of a painting: to the style, a sum over layers, and to the photograph, relative to its energy."""

    style: float
    content: float


class Lesson:
    """A style while it is taught.

    Args:
        vgg: the loss network.
        weights: of the painter, as `runtime.Weights`.
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
        self.first = torch.from_numpy(code).to(device)[None]
        # The parts of a code differ in size by orders of magnitude, and Adam takes steps of one size.
        sizes = self.first.reshape(-1, QUARTER).abs().mean(1, keepdim=True).clamp(min=1e-3)
        self.sizes = sizes.expand(-1, QUARTER).reshape(1, -1)
        self.moved = torch.zeros_like(self.first).requires_grad_()
        self.adam = torch.optim.Adam([self.moved], RATE, betas=BETAS)
        self.done = 0
        self.targets: dict[str, Tensor] = {}
        for picture in pictures:
            with torch.no_grad():
                found = self.looked(tensor(shorter_side(picture, STYLE_SIDE), device), None)
                for name, x in found.items():
                    share = gram(x) / len(pictures)
                    self.targets[name] = self.targets.get(name, 0) + share

    @property
    def code(self) -> np.ndarray:
        """The style code so far: (L,) float32."""
        return self.learned().detach()[0].cpu().numpy()

    def learned(self) -> Tensor:
        """The same, (1, L), differentiable."""
        return self.first + self.moved * self.sizes

    def looked(self, image: Tensor, window: int | None) -> dict[str, Tensor]:
        """Features of the picture, or a window of it, and of its half-size copy, which sees strokes
        twice as large."""
        near = image
        if window is not None and window < min(image.shape[2:]):
            top, left = (int(self.random.integers(side - window + 1)) for side in image.shape[2:])
            near = image[..., top : top + window, left : left + window]
        full = self.vgg(near, FULL[-1], self.check)
        half = self.vgg(F.avg_pool2d(image, 2), HALF[-1], self.check)
        return {f"full.{name}": full[name] for name in FULL} | {f"half.{name}": half[name] for name in HALF}

    def style_distance(self, found: Mapping[str, Tensor]) -> Tensor:
        """Sum over the layers of the distances between Gram matrices, () float."""
        losses = [relative(gram(found[name])[None], target[None])[0] for name, target in self.targets.items()]
        return torch.stack(losses).sum()

    def painted(self, photo: Tensor, code: Tensor) -> Tensor:
        """(1, 3, H, W) float32, about 0..1."""
        image = photo.to(self.ops.dtype, memory_format=torch.channels_last)
        return forward(self.ops, image, code.to(self.ops.dtype)).float()

    def step(self) -> Distances:
        """Paint a crop of a photograph, and bring the code nearer."""
        self.done += 1
        fading = max(0.02, 1 - self.done / (self.steps + 1))
        self.adam.param_groups[0]["lr"] = RATE * min(1.0, self.done / WARM_UP) * fading
        photo = self.drawn()
        with torch.no_grad():
            wanted = self.vgg(F.avg_pool2d(photo, 2), HALF[-1], self.check)
            lost = self.vgg(F.avg_pool2d(self.painted(photo, self.first), 2), HALF[-1], self.check)
            allowed = lost_content(lost, wanted)
        image = self.painted(photo, self.learned())
        found = self.looked(image, WINDOW)
        style = self.style_distance(found)
        content = lost_content({name: found[f"half.{name}"] for name in CONTENT}, wanted)
        loss = STYLE_WEIGHT * style + VARIATION_WEIGHT * variation(image)
        loss = loss + LOST_WEIGHT * F.relu(content - allowed)
        (gradient,) = torch.autograd.grad(loss, self.moved)
        if bool(torch.isfinite(gradient).all()):
            self.moved.grad = gradient
            torch.nn.utils.clip_grad_norm_([self.moved], 5.0)
            self.adam.step()
        return Distances(float(style.detach()), float(content.detach()))

    def drawn(self) -> Tensor:
        """A crop of a photograph at a random scale: (1, 3, h, w)."""
        photo = self.photographs[int(self.random.integers(len(self.photographs)))]
        shortest = min(photo.shape[:2])
        side = int(self.random.integers(min(CROP, shortest), shortest + 1))
        top, left = (int(self.random.integers(length - side + 1)) for length in photo.shape[:2])
        crop = photo[top : top + side, left : left + side]
        target = min(CROP, side) // 8 * 8
        crop = resized(crop, target, target).clip(0, 1)
        crop = crop[:, ::-1] if self.random.random() < 0.5 else crop
        return tensor(np.ascontiguousarray(crop), self.device)


def lost_content(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """Sum over the layers of the distances between features, () float."""
    return torch.stack([relative(found[n].float(), wanted[n].float())[0] for n in CONTENT]).sum()


def shorter_side(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture scaled so that its shorter side has `side` pixels; a tiny one is not enlarged."""
    height, width = picture.shape[:2]
    factor = min(1.0, side / min(height, width))
    return resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
