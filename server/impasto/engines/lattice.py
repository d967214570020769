"""A loss against the lattice that painters fall into, whose coarse layers make each cell at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines.painter import MULTIPLE

WINDOW = 128
"""Side of what is searched for a lattice at once, in pixels."""

CHANCE = 2.0
"""Ratio of variances up to which it may be chance."""

FAINT = 2 / 255
"""Contrast below which a texture is not seen."""


def lattice(image: Tensor) -> Tensor:
    """How far the texture knows where the cells of the painter lie, 0 when it does not.

    Each cell of 8 x 8 pixels comes from one position of the painter's coarse layers, so what it makes of
    flat areas tends to stamps that all sit at the same place of their cells. For each of the 64 places,
    the texture, its lights and its darks are averaged over the cells of a window; of a texture that knows
    no cells these averages vary as much as those of so many independent pixels, of stamps far more: the
    loss is the mean logarithm of that ratio, as far as it is over `CHANCE`.

    Args:
        image: (N, 3, H, W) float, about 0..1, at least a cell high and wide.

    Returns:
        () float.
    """
    luma = image.mean(1, keepdim=True)
    texture = luma - F.avg_pool2d(luma, 9, 1, 4, count_include_pad=False)
    side = min(WINDOW, image.shape[-2] // MULTIPLE * MULTIPLE, image.shape[-1] // MULTIPLE * MULTIPLE)
    windows = texture.unfold(2, side, side).unfold(3, side, side).reshape(-1, 1, side, side)
    scale = (windows.square().mean((1, 2, 3), keepdim=True) + FAINT**2).sqrt()
    windows = windows / scale
    lights, darks = (F.relu(x).square().clamp(max=9) for x in (windows, -windows))
    seen = torch.cat([windows, lights, darks], 1)
    cells = side // MULTIPLE
    places = seen.reshape(-1, 3, cells, MULTIPLE, cells, MULTIPLE).mean((2, 4))
    expected = seen.var((2, 3)) / cells**2 + 1e-6
    return F.relu(torch.log1p(places.var((2, 3)) / expected) - math.log1p(CHANCE)).mean()
