"""The loss network: normalised VGG-19 and the content and style distances measured with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Index of each convolution in vgg_normalised.pth, up to relu4_1; a pool stands before each new level.
LEVELS = (("2", "5"), ("9", "12"), ("16", "19", "22", "25"), ("29",))
FULL = ("relu1_1", "relu2_1", "relu3_1")
HALF = ("relu2_1", "relu3_1", "relu4_1")


def fast_dtype(device: str) -> torch.dtype:
    """bfloat16 where the device computes in it, which halves the time of a step; else float32."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    half = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if half else torch.float32


class FrozenConvolution(torch.autograd.Function):
    """3x3 convolution without padding whose weights are not trained.

    The gradient to its input is computed as a convolution with the transposed weights: on a CPU
    oneDNN runs that at twice the speed of its own backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        transposed = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        return F.conv2d(gradients[0], transposed, padding=2), None, None


class Vgg:
    """Normalised VGG-19 (Gatys et al. 2015), relu1_1 to relu4_1; takes (N, 3, H, W) sRGB in 0..1."""

    def __init__(self, path: Path, device: str, dtype: torch.dtype = torch.float32) -> None:
        saved = torch.load(path, weights_only=True, map_location=device)
        self.dtype = dtype

        def layer(name: str) -> tuple[Tensor, Tensor]:
            weight = saved[f"{name}.weight"].to(dtype).contiguous(memory_format=torch.channels_last)
            return weight, saved[f"{name}.bias"].to(dtype)

        self.colour = layer("0")
        self.levels = [[layer(name) for name in level] for level in LEVELS]

    def __call__(self, image: Tensor, last: str) -> dict[str, Tensor]:
        """Return the activations relu1_1, relu2_1, ... up to and with `last`."""
        x = F.conv2d(image.to(self.dtype), *self.colour)
        features: dict[str, Tensor] = {}
        for number, level in enumerate(self.levels, start=1):
            for index, (weight, bias) in enumerate(level):
                x = F.pad(x, (1, 1, 1, 1), mode="reflect")
                x = F.relu(FrozenConvolution.apply(x, weight, bias), inplace=True)
                if index == 0:
                    features[f"relu{number}_1"] = x
                    if f"relu{number}_1" == last:
                        return features
            x = F.max_pool2d(x, 2)
        raise ValueError(f"no layer {last}")


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
    full = {f"full.{k}": v for k, v in vgg(near, FULL[-1]).items() if k in FULL}
    return full | {f"half.{k}": v for k, v in half(vgg, image).items()}


def half(vgg: Vgg, image: Tensor) -> dict[str, Tensor]:
    features = vgg(F.avg_pool2d(image, 2), HALF[-1])
    return {name: features[name] for name in HALF}


def relative(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance of each sample, divided by its target's energy: (N, ...) -> (N,)."""
    dims = tuple(range(1, x.ndim))
    x, target = x.float(), target.float()
    return (x - target).square().sum(dims) / target.square().sum(dims)
