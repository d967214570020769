"""The encoders and decoders of WCT, distilled to a sixteenth of VGG-19's size, and its transform.

Wang et al. 2020, "Collaborative Distillation for Ultra-Resolution Universal Style Transfer".
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check
from impasto.engines.convolution import convolution
from impasto.engines.vgg import load

LAYERS = ("11", "12", "pool", "21", "22", "pool", "31", "32", "33", "34", "pool", "41", "42", "43", "44")
LAYERS += ("pool", "51")

FLOOR = 1e-5
"""Smallest eigenvalue that is whitened, as a share of the largest: below it there is only noise."""


class Encoder:
    """From (1, 3, H, W) sRGB in 0..1 to the activations of a level, 1 to 5, at 1 / 2**(level - 1)."""

    def __init__(self, path: Path, level: int, device: str) -> None:
        layers = load(path, device)
        self.colour = layers.pop("conv0")
        self.layers = {name: convolution(*layer) for name, layer in layers.items()}
        self.names = LAYERS[: LAYERS.index(f"{level}1") + 1]

    def __call__(self, image: Tensor, check: Check) -> Tensor:
        x = F.conv2d(image, *self.colour)
        for name in self.names:
            if name == "pool":
                x = F.max_pool2d(x, 2, ceil_mode=True)
            else:
                x = F.relu(self.layers[f"conv{name}"](x, check))
        return x


class Decoder:
    """From a level's activations back to (1, 3, H, W), sides rounded up to multiples of the level's."""

    def __init__(self, path: Path, level: int, device: str) -> None:
        self.layers = {name: convolution(*layer) for name, layer in load(path, device).items()}
        self.names = LAYERS[LAYERS.index(f"{level}1") :: -1]

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        for name in self.names:
            if name == "pool":
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            else:
                x = F.relu(self.layers[f"conv{name}"](x, check))
        return x


def moments(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of (1, C, h, w) features weighted by (1, 1, h, w): mean (C, 1), eigenvalues (C,) and eigenvectors
    (C, C) of the covariance, float64."""
    rows, share = x[0].flatten(1).double(), weight.flatten().double()
    share = share / share.sum()
    mean = (rows * share).sum(1, keepdim=True)
    centred = (rows - mean) * share.sqrt()
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    return mean, values.clamp(min=0), vectors


def whitened(x: Tensor, weight: Tensor) -> Tensor:
    """Features with mean 0 and the identity for covariance, under the weight: (C, h w) float64."""
    mean, values, vectors = moments(x, weight)
    scale = values.clamp(min=max(float(values.max()) * FLOOR, 1e-12)).rsqrt()
    return (vectors * scale) @ (vectors.T @ (x[0].flatten(1).double() - mean))


def coloured(white: Tensor, style: Tensor) -> Tensor:
    """Whitened features with the mean and covariance of a style's, (1, C, h, w): (C, h w) float64."""
    mean, values, vectors = moments(style, torch.ones_like(style[:, :1]))
    return (vectors * values.sqrt()) @ (vectors.T @ white) + mean
