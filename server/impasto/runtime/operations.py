"""What networks are made of. Each is written once against `Ops`; torch (training, GPU) and OpenVINO (CPU)
each bring their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Tensor = Any
"""A torch tensor or an OpenVINO graph output: whatever the `Ops` in use works on."""


class Ops(Protocol):
    """Planes are (N, C, H, W), pixels (N, H, W, C), tokens (..., tokens, C)."""

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """Convolve with the weights called `name`, borders replicated, size kept (or halved).

        For four channels or fewer, sides must be even.
        """
        ...

    def conv_doubled(self, x: Tensor, name: str, beside: Tensor | None = None) -> Tensor:
        """Nearest-neighbour upsampling by two, then `conv` of a kernel of 3 x 3.

        `beside`, (N, C, 2 H, 2 W), are more channels that it sees, after those of `x`.
        """
        ...

    def conv_enlarged(self, x: Tensor, name: str) -> Tensor:
        """Bilinear upsampling by two, borders replicated, then `conv` of a kernel of 3 x 3."""
        ...

    def norm(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Instance norm: each channel of each picture with mean 0 and variance 1.

        With `weight`, (N, 1, H, W) of mean 1, both are weighted by it.
        """
        ...

    def affine(self, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """Scale each channel by `gain` and shift it by `bias`, both (N, C)."""
        ...

    def relu(self, x: Tensor) -> Tensor: ...

    def clamp(self, x: Tensor, lowest: float, highest: float) -> Tensor: ...

    def add(self, x: Tensor, y: Tensor) -> Tensor: ...

    def subtract(self, x: Tensor, y: Tensor) -> Tensor: ...

    def multiply(self, x: Tensor, y: Tensor) -> Tensor: ...

    def negative(self, x: Tensor) -> Tensor: ...

    def maximum(self, x: Tensor, y: Tensor) -> Tensor: ...

    def mean(self, x: Tensor) -> Tensor:
        """Mean of each channel: (N, C, 1, 1)."""
        ...

    def root(self, x: Tensor) -> Tensor:
        """Square root of values from 0."""
        ...

    def log(self, x: Tensor) -> Tensor:
        """Natural logarithm of values above 0."""
        ...

    def halved(self, x: Tensor) -> Tensor:
        """Planes of (H / 2, W / 2), for even sides: the highest of each 2 x 2."""
        ...

    def between(self, x: Tensor) -> Tensor:
        """Planes of (2 H - 1, 2 W - 1): between each two neighbours, their mean."""
        ...

    def unshuffle(self, x: Tensor, factor: int) -> Tensor: ...

    def shuffle(self, x: Tensor, factor: int) -> Tensor: ...

    def sigmoid(self, x: Tensor) -> Tensor: ...

    def columns(self, code: Tensor, start: int, stop: int) -> Tensor: ...

    def planes(self, x: Tensor) -> Tensor:
        """(N, H, W, C) as (N, C, H, W)."""
        ...

    def pixels(self, x: Tensor) -> Tensor:
        """(N, C, H, W) as (N, H, W, C)."""
        ...

    def convolve(self, x: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        """Convolve planes, zeros beyond the borders; by channel where weights are (C, 1, k, k).

        The weights of a kernel are for points `dilation` apart.
        """
        ...

    def linear(self, x: Tensor, name: str) -> Tensor:
        """(..., in) to (..., out) by weights of (out, in)."""
        ...

    def layer_norm(self, x: Tensor, name: str, epsilon: float) -> Tensor:
        """Mean 0 and variance 1 over the last axis, then a gain and a bias."""
        ...

    def attention(self, query: Tensor, key: Tensor, value: Tensor, bias: str | None = None) -> Tensor:
        """softmax(query key^T + bias) value, all (..., tokens, C); queries come scaled.

        `bias` names weights of (heads, queries, keys). Leading axes of length 1 are shared.
        """
        ...

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """x y^T over the last two axes."""
        ...

    def softmax(self, x: Tensor) -> Tensor:
        """Over the last axis."""
        ...

    def gelu(self, x: Tensor) -> Tensor: ...

    def constant(self, name: str) -> Tensor:
        """Weights as they are."""
        ...

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """-1 once for what is left, 0 for the length that the axis has."""
        ...

    def permute(self, x: Tensor, axes: Sequence[int]) -> Tensor: ...

    def pad(self, x: Tensor, below: Sequence[int]) -> Tensor:
        """Add zeros at the end of each axis."""
        ...

    def cut(self, x: Tensor, axis: int, start: int, stop: int) -> Tensor: ...

    def join(self, parts: Sequence[Tensor], axis: int) -> Tensor: ...

    def slope(self, function: Callable[[Ops, Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """What a function of (ops, x) gives, one number, and its gradient there, in the shape of `x`."""
        ...
