"""Convolutions of 3 x 3 whose weights are not trained, mirrored at the picture's edges, and their gradients.

Where a processor computes in float32, most of them go the shorter way of Winograd: Lavin & Gray 2016, "Fast
Algorithms for Convolutional Neural Networks", F(4 x 4, 3 x 3), a quarter of the multiplications.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check

WORK = 10**10
"""Multiplications that are done in one piece; a slow processor's core takes half a second."""

OUT, SEEN = 4, 6
"""Sides in pixels of a tile that `Winograd` computes at once, and of what it sees."""

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""Where the polynomials that stand for tile and kernel are evaluated, besides infinity."""

BLOCK = 2**17
"""Numbers of one place in all tiles of a block: what a block needs stays in the cache."""

FEWEST = 128 * 128
"""Channels in times channels out from where on the shorter way is the faster one."""


class Convolution(Protocol):
    """One with weights and a bias of its own."""

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        """(N, C, H, W) -> (N, O, H, W); `check` is called often enough, however large they are."""
        ...

    def backward(self, gradient: Tensor, check: Check) -> Tensor:
        """From the gradient of what it gave, (N, O, H, W), that of what it took, (N, C, H, W)."""
        ...


class Direct:
    """As torch does it; a large one in strips.

    Its gradient is a convolution with the transposed weights, which oneDNN
    runs at twice the speed of its own backward pass.

    Args:
        weight: (O, C, 3, 3), channels last.
        bias: (O,).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias
        self.turned: Tensor | None = None

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        """See `Convolution`."""
        check()
        count, _, height, width = x.shape
        strips = -(-count * height * width * self.weight.numel() // WORK)
        x = padded(x)
        if strips <= 1:
            return F.conv2d(x, self.weight, self.bias)
        size = (count, self.weight.shape[0], height, width)
        result = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        rows = -(-height // strips)
        for top in range(0, height, rows):
            check()
            result[:, :, top : top + rows] = F.conv2d(x[:, :, top : top + rows + 2], self.weight, self.bias)
        return result

    def backward(self, gradient: Tensor, check: Check) -> Tensor:
        """See `Convolution.backward`."""
        check()
        if self.turned is None:
            turned = self.weight.flip(2, 3).transpose(0, 1)
            self.turned = turned.contiguous(memory_format=torch.channels_last)
        return folded(F.conv2d(gradient, self.turned, padding=2))


class Winograd:
    """On a processor, in float32, by fewer multiplications; it rounds otherwise than `Direct`, a little."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.bias = bias
        _, kernel, _ = transforms()
        self.spread = torch.einsum("ai,bj,ocij->abco", kernel, kernel, weight).flatten(0, 1).contiguous()

    def __call__(self, x: Tensor, check: Check) -> Tensor:
        """See `Convolution`."""
        given, _, taken = transforms()
        height, width = x.shape[2:]
        return self._through(padded(x), (height, width), given, self.spread, taken, self.bias, check)

    def backward(self, gradient: Tensor, check: Check) -> Tensor:
        """See `Convolution.backward`."""
        # A kernel that is turned about takes tiles that are turned about, and gives such.
        given, _, taken = transforms()
        height, width = (length + 2 for length in gradient.shape[2:])
        flow = F.pad(gradient, (2, 2 + -width % OUT, 2, 2 + -height % OUT))
        turned = given.flip(1), self.spread.transpose(1, 2), taken.flip(0)
        return folded(self._through(flow, (height, width), *turned, None, check))

    @staticmethod
    def _through(
        x: Tensor,
        size: tuple[int, int],
        given: Tensor,
        spread: Tensor,
        taken: Tensor,
        bias: Tensor | None,
        check: Check,
    ) -> Tensor:
        """(N, C, H + 2, W + 2) -> (N, O, H, W), in blocks of rows of tiles; `size` is (H, W), and what lies
        beyond that makes the tiles whole."""
        height, width = size
        count, channels, out = *x.shape[:2], spread.shape[2]
        down, across = -(-height // OUT), -(-width // OUT)
        missing = OUT * across + 2 - x.shape[3], OUT * down + 2 - x.shape[2]
        if any(missing):
            x = F.pad(x, (0, missing[0], 0, missing[1]))
        x = x.permute(0, 2, 3, 1).contiguous()
        result = x.new_empty(count, OUT * down, OUT * across, out)
        rows = max(1, BLOCK // (across * max(channels, out)))
        # What a block needs, twice by turns, for new memory is slow.
        most = len(spread) * min(rows, down) * across * max(channels, out)
        first, second = x.new_empty(most), x.new_empty(most)
        _, line, pixel, _ = x.stride()
        strides = (line, pixel, OUT * line, OUT * pixel, 1)
        for picture, painted in zip(x, result, strict=True):
            for top in range(0, down, rows):
                check()
                high = min(rows, down - top)
                tiles = high * across
                shape = SEEN, SEEN, high, across, channels
                tile = second[: math.prod(shape)].view(shape)
                tile.copy_(picture[OUT * top :].as_strided(shape, strides))
                points = squared(given, tile.view(SEEN, SEEN, -1), first, second)
                shape = len(spread), tiles, out
                products = first[: math.prod(shape)].view(shape)
                torch.bmm(points.view(len(spread), tiles, channels), spread, out=products)
                own = squared(taken, products.view(SEEN, SEEN, -1), second, first)
                own = own.view(OUT, OUT, high, across, out).permute(2, 0, 3, 1, 4)
                place = painted[OUT * top : OUT * (top + high)].view(high, OUT, across, OUT, out)
                place.copy_(own) if bias is None else torch.add(own, bias, out=place)
        return result[:, :height, :width].permute(0, 3, 1, 2)


def convolution(weight: Tensor, bias: Tensor) -> Convolution:
    """The faster one for these weights."""
    short = weight.device.type == "cpu" and weight.dtype == torch.float32
    out, channels, *kernel = weight.shape
    short = short and kernel == [3, 3] and out * channels >= FEWEST
    return (Winograd if short else Direct)(weight, bias)


def squared(matrix: Tensor, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Both sides of squares, (m, m, K), by the same matrix, (n, m): (n, n, K), in the memory of `second`,
    where `x` may lie; `first` is needed meanwhile."""
    count, (side, _, length) = len(matrix), x.shape
    half = first[: count * side * length]
    torch.mm(matrix, x.view(side, -1), out=half.view(count, -1))
    whole = second[: count * count * length].view(count, count, length)
    return torch.bmm(matrix.expand(count, -1, -1), half.view(count, side, length), out=whole)


@cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Of rows: what a tile sees, (6, 6); the kernel, (6, 3); and back, (4, 6); float32.

    Toom and Cook's way to multiply polynomials by their values at `POINTS`, transposed.
    """
    powers = torch.tensor(POINTS, dtype=torch.float64)[:, None] ** torch.arange(SEEN)
    infinity = torch.eye(SEEN, dtype=torch.float64)

    def values(length: int) -> Tensor:
        return torch.cat([powers[:, :length], infinity[length - 1 : length, :length]])

    # The products of differences of points; shared out so that numbers stay small.
    points = powers[:, 1]
    products = [(point - points[points != point]).prod() for point in points]
    scale = torch.stack([*products, torch.ones_like(points[0])])[:, None]
    rows = values(SEEN).inverse().T * scale, values(3) / scale, values(OUT).T
    seen, kernel, back = (matrix.float().contiguous() for matrix in rows)
    return seen, kernel, back


def padded(x: Tensor) -> Tensor:
    """With a border of one pixel that mirrors what lies inside the edge."""
    return F.pad(x, (1, 1, 1, 1), mode="reflect" if min(x.shape[2:]) > 1 else "replicate")


def folded(gradient: Tensor) -> Tensor:
    """The gradient of `x` from that of `padded(x)`, whose border is added to the pixels that it repeats."""
    inner = 1 if min(gradient.shape[2:]) > 3 else 0
    for dim in (2, 3):
        last = gradient.shape[dim] - 1
        gradient.select(dim, 1 + inner).add_(gradient.select(dim, 0))
        gradient.select(dim, last - 1 - inner).add_(gradient.select(dim, last))
    return gradient[:, :, 1:-1, 1:-1]
