"""The classic network of one style (Johnson, Alahi & Fei-Fei 2016, with the instance norm of Ulyanov et al.
2016), with random weights: something to measure speed against."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReflectionPad2d(kernel // 2), nn.Conv2d(channels, out, kernel, stride))


def layer(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    norm = nn.InstanceNorm2d(out, affine=True)
    return nn.Sequential(convolution(channels, out, kernel, stride), norm, nn.ReLU())


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Sequential(convolution(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True))
        self.inner = nn.Sequential(layer(channels, channels, 3), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def johnson() -> nn.Sequential:
    """1.68 million parameters; takes and gives (N, 3, H, W), sides multiples of four."""
    torch.manual_seed(0)
    return nn.Sequential(
        layer(3, 32, 9),
        layer(32, 64, 3, 2),
        layer(64, 128, 3, 2),
        *(Residual(128) for _ in range(5)),
        nn.Upsample(scale_factor=2),
        layer(128, 64, 3),
        nn.Upsample(scale_factor=2),
        layer(64, 32, 3),
        convolution(32, 3, 9),
    ).eval()
