"""What an optimised picture is measured by: content, style and smoothness, whole or in tiles.

Of a picture too large for the memory only summaries of its tiles are kept (see `losses`): each tile is
looked at once to gather them, for their sum is exact, and once more to bring the gradient of the loss
to the pixels. Each tile sees `HALO` pixels beyond its own, as far as the features do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import Check
from impasto.engines.losses import STYLES, Style, differences, wide
from impasto.engines.vgg import Vgg
from impasto.runtime.memory import large_blocks_returned

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_1"

LAYER_WEIGHTS = (8.0, 4.0, 2.0, 1.0, 1.0)
"""Of the style layers: the first ones hold the grain of the painting, and with it that of the picture."""

STRIDES = {name: 2**level for level, name in enumerate(STYLE_LAYERS)}
"""Pixels from one feature to the next."""

GRID = STRIDES[STYLE_LAYERS[-1]]

HALO = 96
"""Pixels; the features of relu5_1 see 85 beyond their own."""

TILE = 384
"""Side in pixels of what is looked at in one piece; with its halo that is more than what `optimise` paints
by default, which so stays whole."""


@dataclass(frozen=True)
class Tile:
    """A piece of a picture: its own rows and columns, and those that it sees."""

    rows: slice
    columns: slice
    seen_rows: slice
    seen_columns: slice

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Of the tile in what it sees: top, left, height and width."""
        top, left = (self.rows.start - self.seen_rows.start), (self.columns.start - self.seen_columns.start)
        return top, left, self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def own(self, features: Tensor, stride: int) -> Tensor:
        """The part of features of what is seen that belongs to the tile itself."""
        top, left, high, wide = self.place
        top, left, high, wide = top // stride, left // stride, -(-high // stride), -(-wide // stride)
        return features[..., top : top + high, left : left + wide]


def tiles(height: int, width: int, side: int = TILE, margin: int = 0) -> list[Tile]:
    """Cut a picture; one that is no larger than a tile with its halo stays whole.

    Args:
        margin: pixels along each edge that are seen, and that no tile owns.
    """
    if height * width <= (side + 2 * HALO) ** 2:
        own = slice(margin, height - margin), slice(margin, width - margin)
        return [Tile(*own, slice(0, height), slice(0, width))]

    def cut(length: int) -> Iterator[tuple[slice, slice]]:
        step = -(-length // -(-length // side))
        step += -step % GRID
        for start in range(0, length - margin, step):
            stop = min(length, start + step)
            seen = slice(max(0, start - HALO), min(length, stop + HALO))
            yield slice(max(start, margin), min(stop, length - margin)), seen

    return [Tile(rows, columns, y, x) for rows, y in cut(height) for columns, x in cut(width)]


def brief(x: Tensor) -> Tensor:
    """In float16 instead of float32, for what is kept of a whole picture."""
    return x.half() if x.dtype == torch.float32 else x


class Objective:
    """The loss of a picture of one size, and its gradient.

    Args:
        vgg: the loss network.
        photo: (1, 3, H, W) float32, whose content is kept.
        paintings: (1, 3, h, w) float32 each, whose style is wanted.
        shares: weights of the paintings, of sum 1.
        kind: a key of `STYLES`.
        weights: of style, content and smoothness.
        mask: (1, 1, H, W), or None for all: only what lies in it, a little away from its border,
            counts (Gatys et al. 2017, "Controlling Perceptual Factors", guided losses).
        margin: of the photograph, pixels along each edge that are seen and not counted.
        side: see `tiles`.
        seed: of what the loss draws.
    """

    def __init__(
        self,
        vgg: Vgg,
        photo: Tensor,
        paintings: Sequence[Tensor],
        shares: Sequence[float],
        kind: str,
        weights: tuple[float, float, float],
        check: Check,
        mask: Tensor | None = None,
        margin: int = 0,
        side: int = TILE,
        seed: int = 0,
    ) -> None:
        self.vgg, self.check = vgg, check
        self.style_weight, self.content_weight, self.variation_weight = weights
        self.tiles = tiles(photo.shape[2], photo.shape[3], side, margin)
        self.numbers = 3 * (photo.shape[2] - 2 * margin) * (photo.shape[3] - 2 * margin)
        self.coverage: list[dict[str, Tensor]] = [{} for _ in self.tiles]
        for name, stride in STRIDES.items():
            inside = region(mask, photo, stride)
            for part, tile in zip(self.coverage, self.tiles, strict=True):
                whole = Tile(tile.rows, tile.columns, slice(0, 0), slice(0, 0))
                part[name] = whole.own(inside, stride)
        tiled = len(self.tiles) > 1
        with torch.no_grad(), large_blocks_returned() if tiled else nullcontext():
            self.content = [
                brief(self.features(photo[..., tile.seen_rows, tile.seen_columns], tile)[CONTENT_LAYER])
                for tile in (self.tiles if self.content_weight else ())
            ]
            energy = (float(wide(x).square().sum()) for x in self.content)
            self.energy = sum(energy) + 1e-12
            known = [self.known(painting, STYLES[kind], side) for painting in paintings]
        random = torch.Generator().manual_seed(seed % 2**63)
        extra = (random,) if kind == "wasserstein" else ()
        self.styles: dict[str, Style] = {
            name: STYLES[kind](
                [features[name] for features in known],
                shares,
                [part[name] for part in self.coverage],
                *extra,
            )
            for name in STYLE_LAYERS
        }

    def known(self, painting: Tensor, kind: type[Style], side: int) -> dict[str, Tensor]:
        """What the style of each layer needs to know of a style picture, (1, 3, h, w)."""
        height, width = painting.shape[2:]
        parts: dict[str, list[Tensor]] = {name: [] for name in STYLE_LAYERS}
        for tile in tiles(height, width, side):
            features = self.features(painting[..., tile.seen_rows, tile.seen_columns], tile)
            for name, x in features.items():
                parts[name].append(kind.known(x))
        counts = {name: -(-height // stride) * -(-width // stride) for name, stride in STRIDES.items()}
        return {name: kind.joined(found, counts[name]) for name, found in parts.items()}

    def features(self, seen: Tensor, tile: Tile) -> dict[str, Tensor]:
        """The tile's own features of the picture that it sees, (1, 3, h, w)."""
        found = self.vgg(seen, STYLE_LAYERS[-1], self.check)
        return {name: tile.own(x, STRIDES[name]) for name, x in found.items()}

    def summaries(self, seen: Tensor, number: int) -> list[Tensor]:
        """What the loss needs to know of a tile: a summary for each style layer, its part of the variation,
        and of the content's loss."""
        tile = self.tiles[number]
        features = self.features(seen, tile)
        weights = self.coverage[number]
        found = [style.summary(features[name], weights[name], number) for name, style in self.styles.items()]
        top, left, *size = tile.place
        found.append(differences(seen[..., top:, left:], *size) / self.numbers)
        if self.content:
            difference = wide(features[CONTENT_LAYER]) - wide(self.content[number])
            found.append((difference.square() * weights[CONTENT_LAYER]).sum() / self.energy)
        return found

    def combined(self, summaries: Sequence[Sequence[Tensor]]) -> Tensor:
        """The loss, () float, of the summaries of all tiles."""
        columns = list(zip(*summaries, strict=True))
        losses = [style.loss(column) for style, column in zip(self.styles.values(), columns, strict=False)]
        weights = torch.tensor(LAYER_WEIGHTS, device=losses[0].device)
        loss = self.style_weight * (torch.stack(losses) * weights).sum() / weights.sum()
        loss = loss + self.variation_weight * torch.stack(columns[len(losses)]).sum()
        if self.content:
            loss = loss + self.content_weight * torch.stack(columns[-1]).sum()
        return loss

    def slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, () float, and its gradient of a picture, (1, 3, H, W)."""
        for style in self.styles.values():
            style.draw()
        image = image.detach()
        if len(self.tiles) == 1:
            loss = self.combined([self.summaries(image.requires_grad_(), 0)])
            (gradient,) = torch.autograd.grad(loss, image)
            return loss.detach(), gradient
        with large_blocks_returned():
            return self.slope_by_tiles(image)

    def slope_by_tiles(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """See `slope`."""
        views = [image[..., tile.seen_rows, tile.seen_columns] for tile in self.tiles]
        with torch.no_grad():
            known = [self.summaries(view, number) for number, view in enumerate(views)]
        known = [[summary.requires_grad_() for summary in summaries] for summaries in known]
        loss = self.combined(known)
        slopes = iter(torch.autograd.grad(loss, [summary for part in known for summary in part]))
        gradient = torch.zeros_like(image)
        for number, (tile, view) in enumerate(zip(self.tiles, views, strict=True)):
            view = view.clone().requires_grad_()
            found = self.summaries(view, number)
            torch.autograd.backward(found, [next(slopes) for _ in found])
            assert view.grad is not None
            gradient[..., tile.seen_rows, tile.seen_columns] += view.grad
        return loss.detach(), gradient


def region(mask: Tensor | None, photo: Tensor, stride: int) -> Tensor:
    """How far each feature of a layer belongs to the mask: (1, 1, h, w) in 0..1.

    The mask is eroded by a feature, for those at its border see what lies beyond. One that
    vanishes so is taken as it is, and an empty one for all.
    """
    height, width = (-(-side // stride) for side in photo.shape[2:])
    ones = torch.ones(1, 1, height, width, device=photo.device)
    if mask is None:
        return ones
    inside = F.adaptive_avg_pool2d((mask > 0).float(), (height, width))
    eroded = 1 - F.max_pool2d(1 - inside, 3, 1, 1)
    for candidate in (eroded, inside):
        if candidate.sum() >= 1:
            return candidate
    return ones
