"""Distances of pictures that an optimisation lowers: of styles, and of neighbouring pixels.

A layer's part in the loss depends on the picture only through a small summary of it (a Gram
matrix, a sample of features).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLES = 8192
"""Features of a layer that are compared by the sliced Wasserstein distance in a step."""

DIRECTIONS = 48

PIECE = 4096
"""Features whose products are summed in one piece."""


def wide(x: Tensor) -> Tensor:
    """In float32 at least, for sums over many pixels."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Products(torch.autograd.Function):
    """Sum over a picture's features of their products: (1, C, h, w) -> (C, C) float32 or wider.

    bfloat16 rows are multiplied as such, four times as fast, in pieces that are summed in float32.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        rows = features[0].permute(1, 2, 0).flatten(0, 1)
        products = torch.stack([piece.T @ piece for piece in rows.split(PIECE)])
        return products.sum(0, dtype=torch.promote_types(rows.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        rows = features[0].permute(1, 2, 0)
        # Laid out as the features are, to which it is added.
        slope = rows.flatten(0, 1) @ (gradients[0] + gradients[0].T).to(rows.dtype)
        return slope.reshape(rows.shape).permute(2, 0, 1)[None]


def products(x: Tensor) -> Tensor:
    """See `Products`."""
    return Products.apply(x)  # type: ignore[return-value]


def gram(x: Tensor) -> Tensor:
    """Gram matrix per pixel: (1, C, h, w) -> (C, C)."""
    return products(x) / x[0, 0].numel()


def relative(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance of each sample, divided by its target's energy: (N, ...) -> (N,)."""
    dims = tuple(range(1, x.ndim))
    x, target = wide(x), wide(target)
    return (x - target).square().sum(dims) / (target.square().sum(dims) + 1e-12)


def differences(x: Tensor, height: int, width: int) -> Tensor:
    """Sum of the squared differences of the first `height` x `width` pixels of (N, 3, H, W) to those below
    and to the right."""
    seen = x[:, :, : height + 1, : width + 1]
    down, across = seen.diff(dim=2)[..., :width], seen.diff(dim=3)[:, :, :height]
    return down.square().sum() + across.square().sum()


def variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbours in (N, 3, H, W)."""
    return differences(x, x.shape[2], x.shape[3]) / x.numel()


class Style(Protocol):
    """The style of one layer."""

    @staticmethod
    def known(features: Tensor) -> Tensor:
        """What it needs to know of the features of a style picture's tile, (1, C, h, w)."""
        ...

    @staticmethod
    def joined(parts: Sequence[Tensor], count: int) -> Tensor:
        """What it needs to know of a style picture whose tiles have `count` features together."""
        ...

    def draw(self) -> None:
        """Called before each step: choose anew what is random."""
        ...

    def summary(self, features: Tensor, weight: Tensor, tile: int) -> Tensor:
        """What the loss needs to know of a tile's features, (1, C, h, w), weighted by (1, 1, h, w)."""
        ...

    def loss(self, summaries: Sequence[Tensor]) -> Tensor:
        """The loss, () float, of the summaries of all tiles."""
        ...


class GramStyle:
    """Distance of Gram matrices (Gatys et al. 2015), relative to the target's.

    Args:
        targets: what `joined` gives for each style picture.
        shares: weights of the style pictures, of sum 1.
        weights: of each tile's features.
    """

    def __init__(self, targets: Sequence[Tensor], shares: Sequence[float], weights: Sequence[Tensor]) -> None:
        self.target = torch.stack([share * x for x, share in zip(targets, shares, strict=True)]).sum(0)
        self.total = sum(float(weight.sum()) for weight in weights)
        self.masked = any(bool((weight < 1).any()) for weight in weights)

    @staticmethod
    def known(features: Tensor) -> Tensor:
        """See `Style.known`: the sum of their products, (C, C)."""
        return products(features)

    @staticmethod
    def joined(parts: Sequence[Tensor], count: int) -> Tensor:
        """See `Style.joined`: the Gram matrix."""
        return torch.stack(tuple(parts)).sum(0) / count

    def draw(self) -> None:
        """See `Style.draw`: nothing is random."""

    def summary(self, features: Tensor, weight: Tensor, tile: int) -> Tensor:
        """See `Style.summary`: the sum of the features' products, (C, C)."""
        if self.masked:
            features = features * weight.sqrt().to(features.dtype)
        return products(features) / self.total

    def loss(self, summaries: Sequence[Tensor]) -> Tensor:
        """See `Style.loss`."""
        return relative(torch.stack(tuple(summaries)).sum(0)[None], self.target[None])[0]


class WassersteinStyle:
    """Sliced Wasserstein distance (Heitz et al. 2021) of features drawn anew at each step."""

    def __init__(
        self,
        targets: Sequence[Tensor],
        shares: Sequence[float],
        weights: Sequence[Tensor],
        random: torch.Generator,
    ) -> None:
        self.random = random
        self.places = [weight.flatten().nonzero()[:, 0] for weight in weights]
        self.counts = [len(places) for places in self.places]
        self.samples = min(SAMPLES, sum(self.counts))
        self.pools = targets
        self.drawn = [max(1, round(share * self.samples)) for share in shares]
        self.draw()

    @staticmethod
    def known(features: Tensor) -> Tensor:
        """See `Style.known`: all of them, (C, n)."""
        return wide(features[0].flatten(1))

    @staticmethod
    def joined(parts: Sequence[Tensor], count: int) -> Tensor:
        """See `Style.joined`: those of all tiles."""
        return torch.cat(tuple(parts), 1)

    def _choose(self, count: int, out_of: int) -> Tensor:
        return torch.randint(out_of, (count,), generator=self.random)

    def draw(self) -> None:
        """See `Style.draw`."""
        chosen = self._choose(self.samples, sum(self.counts)).sort().values
        starts = torch.tensor([0, *self.counts]).cumsum(0)
        self.chosen = [
            places[(chosen[(chosen >= start) & (chosen < stop)] - start).to(places.device)]
            for places, start, stop in zip(self.places, starts[:-1], starts[1:], strict=True)
        ]
        pools = zip(self.pools, self.drawn, strict=True)
        self.target = torch.cat(
            [pool[:, self._choose(count, pool.shape[1]).to(pool.device)] for pool, count in pools], 1
        )
        channels = self.target.shape[0]
        directions = torch.randn(DIRECTIONS, channels, generator=self.random).to(self.target)
        self.directions = F.normalize(directions)

    def summary(self, features: Tensor, weight: Tensor, tile: int) -> Tensor:
        """See `Style.summary`: the features drawn, (C, n)."""
        return wide(features[0].flatten(1)[:, self.chosen[tile]])

    def loss(self, summaries: Sequence[Tensor]) -> Tensor:
        """See `Style.loss`."""
        found = (self.directions @ torch.cat(tuple(summaries), 1)).sort(1).values
        wanted = (self.directions @ self.target).sort(1).values
        if wanted.shape != found.shape:
            wanted = F.interpolate(wanted[None], found.shape[1], mode="linear", align_corners=True)[0]
        return relative(found[None], wanted[None])[0]


STYLES: dict[str, Any] = {"gram": GramStyle, "wasserstein": WassersteinStyle}
