"""Content and style distances, measured with the engines' VGG-19 or with the loss network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import loss_network
from impasto.engines.teaching import LAYERS
from impasto.engines.vgg import Vgg
from impasto.models import fitting
from impasto.runtime.torch_executor import TorchOps, quick_dtype

HALF = LAYERS[1:]

Eye = Callable[[Tensor], dict[str, Tensor]]
"""Gives the activations `LAYERS` of (N, 3, H, W) sRGB in 0..1."""


def activations(vgg: Vgg, image: Tensor, last: str) -> dict[str, Tensor]:
    """Of (N, 3, H, W) sRGB in 0..1: relu1_1, relu2_1, ... up to and with `last`."""
    return vgg(image, last, lambda: None)


def vgg_eye(path: Path, device: str) -> Eye:
    """What VGG-19 sees."""
    vgg = Vgg(path, device, quick_dtype(device))
    return lambda image: activations(vgg, image, LAYERS[-1])


def quick_eye(device: str) -> Eye:
    """What the bundled loss network sees, in a quarter of the time of VGG-19."""
    dtype = quick_dtype(device)
    ops = TorchOps.placed(fitting.loss_network(), device, dtype)

    def see(image: Tensor) -> dict[str, Tensor]:
        image = image.to(dtype, memory_format=torch.channels_last)
        return dict(zip(LAYERS, loss_network.features(ops, image), strict=True))

    return see


def gram(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C) Gram matrices, per pixel."""
    n, c, h, w = features.shape
    flat = features.float().reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (h * w)


def pyramid(eye: Eye, image: Tensor) -> dict[str, Tensor]:
    """Activations of the picture and of its half-size copy, which sees strokes twice as large."""
    full, half = eye(image), eye(F.avg_pool2d(image, 2))
    return {f"full.{name}": full[name] for name in LAYERS} | {f"half.{name}": half[name] for name in HALF}
