"""VGG-19, normalised (Gatys et al. 2015) or torchvision's; the decoder of AdaIN; statistics of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check
from impasto.engines.convolution import convolution

LEVELS = (("2", "5"), ("9", "12"), ("16", "19", "22", "25"), ("29", "32", "35", "38"), ("42",))
"""Name of each convolution in the file; a pool stands before each new level."""

TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
"""Numbers of the same convolutions among the features of torchvision's VGG-19."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of the colours that torchvision's was trained with."""

DECODER = ("1", "up", "5", "8", "11", "14", "up", "18", "21", "up", "25", "28")

EPSILON = 1e-5

Layer = tuple[Tensor, Tensor]


def load(path: Path, device: str, dtype: torch.dtype = torch.float32) -> dict[str, Layer]:
    """Weight and bias of each layer in a file, which can hold nothing but tensors."""
    saved = torch.load(path, weights_only=True, map_location=device)
    saved = saved.get("model", saved)
    if f"features.{TORCHVISION[0]}.weight" in saved:
        saved = from_torchvision(saved)
    names = [name.removesuffix(".weight") for name in saved if name.endswith(".weight")]
    return {
        name: (
            saved[f"{name}.weight"].to(dtype).contiguous(memory_format=torch.channels_last),
            saved[f"{name}.bias"].to(dtype),
        )
        for name in names
    }


def from_torchvision(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's VGG-19 by the names of the normalised one, as far as that goes."""
    names = [name for level in LEVELS for name in level]
    found = {
        f"{name}.{part}": saved[f"features.{number}.{part}"]
        for name, number in zip(names, TORCHVISION, strict=True)
        for part in ("weight", "bias")
    }
    mean, deviation = torch.tensor(IMAGENET, device=found["2.bias"].device)
    return found | {"0.weight": torch.diag(1 / deviation)[:, :, None, None], "0.bias": -mean / deviation}


def unpooled(gradient: Tensor, pooled: Tensor) -> Tensor:
    """The gradient of what was pooled, each at its place."""
    # Found anew, because the places take as much memory as an activation.
    _, places = F.max_pool2d(pooled, 2, ceil_mode=True, return_indices=True)
    backward = torch.ops.aten.max_pool2d_with_indices_backward
    return backward(gradient, pooled, [2, 2], [2, 2], [0, 0], [1, 1], True, places)


class Level(torch.autograd.Function):
    """The layers of `Vgg` from one pool to the next in one piece, whose weights are not trained.

    Faster than layers that autograd strings together: gradients are changed where they lie, and go back
    by `Convolution.backward`. Level by level, what one kept is gone when the gradient has passed it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, vgg: Vgg, number: int, names: Sequence[str], check: Check) -> Any:
        kept = [x] if number > 1 else []
        x = F.max_pool2d(x, 2, ceil_mode=True) if number > 1 else x
        for name in names:
            x = vgg.layers[name](x, check).relu_()
            kept.append(x)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(*kept)
        ctx.set_materialize_grads(False)
        ctx.vgg, ctx.number, ctx.names, ctx.check = vgg, number, names, check
        first, last = kept[-len(names)], kept[-1]
        return (first,) if len(names) == 1 else (first, last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None, None, None, None]:
        kept = list(ctx.saved_tensors)
        own, flow = gradients[0], gradients[1] if len(gradients) > 1 else None
        for name in reversed(ctx.names):
            if name == ctx.names[0] and own is not None:
                flow = own if flow is None else flow.add_(own)
            activation = kept.pop()
            if flow is not None:
                # Where it lies, unless it is still what came from outside.
                outside = flow is own or name == ctx.names[-1]
                place = torch.empty_like(activation) if outside else flow
                flow = torch.ops.aten.threshold_backward.grad_input(flow, activation, 0, grad_input=place)
                flow = ctx.vgg.layers[name].backward(flow, ctx.check)
        if flow is not None and ctx.number > 1:
            flow = unpooled(flow, kept.pop())
        return flow, None, None, None, None


class Vgg:
    """Takes (N, 3, H, W) float sRGB in 0..1, at least 1 x 1.

    Args:
        dtype: of the activations; the picture's own colours are always taken in its own type.
    """

    def __init__(self, path: Path, device: str, dtype: torch.dtype = torch.float32) -> None:
        exact = load(path, device)
        self.colour = exact.pop("0")
        names = [name for level in LEVELS for name in level if name in exact]
        self.layers = {name: convolution(*(part.to(dtype) for part in exact.pop(name))) for name in names}
        self.dtype = dtype

    def __call__(self, image: Tensor, last: str, check: Check) -> dict[str, Tensor]:
        """The activations relu1_1, relu2_1, ... up to and with `last`."""
        depth = int(last.removeprefix("relu").removesuffix("_1"))
        weight, bias = (part.to(image.dtype) for part in self.colour)
        x = F.conv2d(image, weight, bias).to(self.dtype, memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for number, names in enumerate(LEVELS[:depth], start=1):
            names = names[:1] if number == depth else names
            found[f"relu{number}_1"], *rest = Level.apply(x, self, number, names, check)  # type: ignore[misc]
            x = rest[0] if rest else x
        return found


class Decoder:
    """From relu4_1, (1, 512, h, w), to sRGB about 0..1, (1, 3, 8 h, 8 w)."""

    def __init__(self, path: Path, device: str) -> None:
        self.layers = {name: convolution(*layer) for name, layer in load(path, device).items()}

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        for name in DECODER:
            if name == "up":
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            else:
                x = self.layers[name](x, check)
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
