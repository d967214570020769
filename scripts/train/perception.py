"""Content and style distances, measured with the engines' VGG-19."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines.vgg import Vgg

FULL = ("relu1_1", "relu2_1", "relu3_1")
HALF = ("relu2_1", "relu3_1", "relu4_1")


def activations(vgg: Vgg, image: Tensor, last: str) -> dict[str, Tensor]:
    """Of (N, 3, H, W) sRGB in 0..1: relu1_1, relu2_1, ... up to and with `last`."""
    return vgg(image, last, lambda: None)


def gram(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C) Gram matrices, per pixel."""
    n, c, h, w = features.shape
    flat = features.float().reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (h * w)


def pyramid(vgg: Vgg, image: Tensor, window: int | None = None) -> dict[str, Tensor]:
    """Activations of the picture and of its half-size copy, which sees strokes twice as large.

    Args:
        window: side of the random square that stands for the picture at full size, where texture
            is much the same everywhere; half the time of a step goes there.
    """
    near = image
    if window is not None and window < image.shape[-1]:
        top, left = (int(torch.randint(side - window + 1, ())) for side in image.shape[2:])
        near = image[..., top : top + window, left : left + window]
    full = {f"full.{k}": v for k, v in activations(vgg, near, FULL[-1]).items() if k in FULL}
    return full | {f"half.{k}": v for k, v in half(vgg, image).items()}


def half(vgg: Vgg, image: Tensor) -> dict[str, Tensor]:
    features = activations(vgg, F.avg_pool2d(image, 2), HALF[-1])
    return {name: features[name] for name in HALF}
