"""The segmenter as a torch module, for training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.regions.segmenter import convolutions, forward
from impasto.runtime.torch_executor import TorchOps

MOMENTUM = 0.05
"""Of the running statistics of batch norms."""


def normalised(name: str) -> bool:
    """Whether a batch norm follows the convolution. It is folded into the weights in the end."""
    return not name.startswith(("whole", "lift", "skip", "answer"))


class Layer(nn.Module):
    """A convolution, zeros beyond the borders, and its batch norm if it has one."""

    def __init__(self, name: str, out: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=not normalised(name))
        self.norm = nn.BatchNorm2d(out, momentum=MOMENTUM) if normalised(name) else None
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        if name == "answer":
            nn.init.normal_(self.convolution.weight, std=0.01)
        if self.convolution.bias is not None:
            nn.init.zeros_(self.convolution.bias)
        if self.norm is not None and name.endswith(".out"):  # a block starts as the identity
            nn.init.zeros_(self.norm.weight)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of a convolution that does the same as both."""
        weight, bias = self.convolution.weight.detach(), self.convolution.bias
        if self.norm is None:
            assert bias is not None
            return weight, bias.detach()
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert variance is not None
        gain = self.norm.weight.detach() / (variance + self.norm.eps).sqrt()
        return weight * gain[:, None, None, None], self.norm.bias.detach() - mean * gain

    def apply_to(self, x: Tensor, stride: int) -> Tensor:
        """In the dtype of `x`."""
        weight, bias = self.convolution.weight.to(x.dtype), self.convolution.bias
        if x.shape[2] > 1:  # of a single pixel the layout means nothing, and confuses the convolution
            weight = weight.contiguous(memory_format=torch.channels_last)
        bias = None if bias is None else bias.to(x.dtype)
        x = F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)
        return x if self.norm is None else self.norm(x)


class TorchSegmenter(nn.Module):
    """`impasto.regions.segmenter.forward` with trainable weights: (N, 3, H, W) -> (N, classes, H/4, W/4).

    Args:
        dtype: that the convolutions are computed in; the weights are kept in float32.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        layers = {name.replace(".", "_"): Layer(name, *shape) for name, shape in convolutions().items()}
        self.layers = nn.ModuleDict(layers)

    def layer(self, name: str) -> Layer:
        found = self.layers[name.replace(".", "_")]
        assert isinstance(found, Layer)
        return found

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them, with the batch norms folded in."""
        weights: dict[str, Tensor] = {}
        for name in convolutions():
            weights[f"{name}.weight"], weights[f"{name}.bias"] = self.layer(name).folded()
        return weights

    def forward(self, picture: Tensor) -> Tensor:
        return forward(LayerOps(self), picture.to(self.dtype)).float()


class LayerOps(TorchOps):
    """Operations whose convolutions are the layers of a `TorchSegmenter`."""

    def __init__(self, module: TorchSegmenter) -> None:
        self.module, self.dtype = module, module.dtype

    def convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        return self.module.layer(name).apply_to(x, stride)
