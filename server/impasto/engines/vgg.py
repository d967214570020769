"""The normalised VGG-19 (Gatys et al. 2015), the decoder of AdaIN, and statistics of features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check

LEVELS = (("2", "5"), ("9", "12"), ("16", "19", "22", "25"), ("29", "32", "35", "38"), ("42",))
"""Name of each convolution in the file; a pool stands before each new level."""

DECODER = ("1", "up", "5", "8", "11", "14", "up", "18", "21", "up", "25", "28")

EPSILON = 1e-5

Layer = tuple[Tensor, Tensor]


class FrozenConvolution(torch.autograd.Function):
    """3x3 convolution without padding whose weights are not trained.

    The gradient to its input is computed as a convolution with the transposed weights: on a CPU
    oneDNN runs that at twice the speed of its own backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, check: Check) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.check = check
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        ctx.check()
        (weight,) = ctx.saved_tensors
        transposed = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        return F.conv2d(gradients[0], transposed, padding=2), None, None, None


def quick_dtype(device: str) -> torch.dtype:
    """bfloat16 where the processor computes in it, which is several times faster, else float32."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    half = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if half else torch.float32


def load(path: Path, device: str, dtype: torch.dtype = torch.float32) -> dict[str, Layer]:
    """Weight and bias of each layer in a file, which can hold nothing but tensors."""
    saved = torch.load(path, weights_only=True, map_location=device)
    saved = saved.get("model", saved)
    names = [name.removesuffix(".weight") for name in saved if name.endswith(".weight")]
    return {
        name: (
            saved[f"{name}.weight"].to(dtype).contiguous(memory_format=torch.channels_last),
            saved[f"{name}.bias"].to(dtype),
        )
        for name in names
    }


def convolve(x: Tensor, layer: Layer, check: Check) -> Tensor:
    check()
    mode = "reflect" if min(x.shape[2:]) > 1 else "replicate"
    return FrozenConvolution.apply(F.pad(x, (1, 1, 1, 1), mode=mode), *layer, check)  # type: ignore[return-value]


class Vgg:
    """Takes (N, 3, H, W) float sRGB in 0..1, at least 1 x 1.

    Args:
        dtype: of the activations; the picture's own colours are always taken in its own type.
    """

    def __init__(self, path: Path, device: str, dtype: torch.dtype = torch.float32) -> None:
        self.layers = load(path, device, dtype)
        self.dtype = dtype
        self.colour = load(path, device)["0"]

    def __call__(self, image: Tensor, last: str, check: Check) -> dict[str, Tensor]:
        """The activations relu1_1, relu2_1, ... up to and with `last`."""
        weight, bias = (part.to(image.dtype) for part in self.colour)
        x = F.conv2d(image, weight, bias).to(self.dtype, memory_format=torch.channels_last)
        features: dict[str, Tensor] = {}
        for number, level in enumerate(LEVELS, start=1):
            for index, name in enumerate(level):
                x = F.relu(convolve(x, self.layers[name], check))
                if index == 0:
                    features[f"relu{number}_1"] = x
                    if f"relu{number}_1" == last:
                        return features
            x = F.max_pool2d(x, 2, ceil_mode=True)
        raise ValueError(f"no layer {last}")


class Decoder:
    """From relu4_1, (1, 512, h, w), to sRGB about 0..1, (1, 3, 8 h, 8 w)."""

    def __init__(self, path: Path, device: str) -> None:
        self.layers = load(path, device)

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        for name in DECODER:
            if name == "up":
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            else:
                x = convolve(x, self.layers[name], check)
                x = x if name == DECODER[-1] else F.relu(x)
        return x


def coverage(mask: Tensor | None, like: Tensor) -> Tensor:
    """The share of each feature's area that lies in the mask: (1, 1, h, w); all for an empty one."""
    ones = torch.ones_like(like[:, :1])
    if mask is None:
        return ones
    small = F.adaptive_avg_pool2d((mask > 0).to(like.dtype), (like.shape[2], like.shape[3]))
    return small if small.sum() >= 1 else ones


def statistics(x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel in the mask, as AdaIN defines them: (1, C, 1, 1) each."""
    weight = coverage(mask, x)
    total = weight.sum()
    mean = (x * weight).sum((2, 3), keepdim=True) / total
    square = ((x - mean).square() * weight).sum((2, 3), keepdim=True)
    # The published network divides by n - 1.
    return mean, (square / (total - 1).clamp(min=1) + EPSILON).sqrt()
