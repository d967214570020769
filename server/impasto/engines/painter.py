"""The painter: one compact network for every style, steered by a style code.

A style is a vector, the concatenated gain and bias of every conditional instance norm
(Dumoulin, Shlens & Kudlur 2017, "A Learned Representation for Artistic Style"). Mixing
styles is mixing vectors. Most of it works at an eighth of the picture's resolution, so that
strokes are large and a picture of 24 megapixels still passes as a whole.

The forward pass is written once against `runtime.operations.Ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from impasto.runtime.operations import Ops, Tensor

Slots = dict[str, tuple[Tensor, Tensor]]

LEVELS = (2, 4, 8)
"""Divisors of the resolution at which there are norms."""

Region = Mapping[int, Tensor]
"""What the statistics are taken from: for each of `LEVELS` a weight of the pixels there, (N, 1, h, w)
of mean 1. So guide Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer", the
Gram matrices of their optimisation."""

MULTIPLE = 8
"""Height and width of the network's input must be multiples of this."""

INPUTS = 4
"""Channels of the network's input: sRGB in 0..1, and uniform noise in -1..1.

Where a photograph is flat, every cell of 8 x 8 pixels would look the same to the network and come
out as the same stamp; from noise it paints irregular strokes (Ulyanov et al. 2016, "Texture
Networks")."""


@dataclass(frozen=True)
class Shape:
    """The painter's size: channels at 1/4, 1/8 and 1/2 of the resolution, and residual blocks.

    The blocks at 1/8 see far and lay out the strokes; those at 1/4 give them their grain, and
    break up the grid that textures made at 1/8 alone would show.
    """

    quarter: int = 32
    eighth: int = 96
    half: int = 16
    blocks: int = 7
    fine_blocks: int = 5

    def residuals(self) -> dict[str, int]:
        """Channels of each residual block's two convolutions, by name."""
        coarse = {f"block{index}": self.eighth for index in range(self.blocks)}
        return coarse | {f"fine{index}": self.quarter for index in range(self.fine_blocks)}

    def norms(self) -> dict[str, int]:
        """Channels of each conditional norm, in the order in which a style code holds them."""
        norms = {"stem": self.quarter, "down": self.eighth, "up0": self.quarter, "up1": self.half}
        for name, channels in self.residuals().items():
            norms[f"{name}.0"] = norms[f"{name}.1"] = channels
        return norms

    def convolutions(self) -> dict[str, tuple[int, int, int]]:
        """(out, in, kernel) of each convolution."""
        convolutions = {
            "stem": (self.quarter, 16 * INPUTS, 3),
            "down": (self.eighth, self.quarter, 3),
            "up0": (self.quarter, self.eighth, 3),
            "up1": (self.half, self.quarter + 4 * INPUTS, 3),
            "out": (12, self.half, 3),
        }
        for name, channels in self.residuals().items():
            convolutions[f"{name}.0"] = convolutions[f"{name}.1"] = (channels, channels, 3)
        return convolutions

    @property
    def code_length(self) -> int:
        return 2 * sum(self.norms().values())


def split(shape: Shape, code: Tensor, columns: Callable[[Tensor, int, int], Tensor]) -> Slots:
    """Cut a style code, or several (N, L), into {norm: (gain, bias)} by `columns(code, start, stop)`."""
    slots: Slots = {}
    start = 0
    for name, channels in shape.norms().items():
        middle, stop = start + channels, start + 2 * channels
        slots[name] = columns(code, start, middle), columns(code, middle, stop)
        start = stop
    return slots


def forward(ops: Ops, shape: Shape, image: Tensor, code: Tensor, region: Region | None = None) -> Tensor:
    """Paint `image` in the style of `code`.

    Args:
        ops: the operations, holding the weights named by `Shape.convolutions`.
        shape: the painter's size.
        image: (N, `INPUTS`, H, W) float; H and W multiples of `MULTIPLE`.
        code: (N, `Shape.code_length`) float.
        region: that the picture's statistics are those of, or None for all of it.

    Returns:
        (N, 3, H, W) float, sRGB in 0..1.
    """
    gain, bias = split(shape, code, ops.columns)["up1"]
    draft = resolve(ops, layout(ops, shape, image, code, region), image)
    return finish(ops, ops.affine(ops.norm(draft, (region or {}).get(2)), gain, bias))


def layout(ops: Ops, shape: Shape, image: Tensor, code: Tensor, region: Region | None = None) -> Tensor:
    """The first part of `forward`, nearly all of its work: (N, `Shape.quarter`, H/4, W/4)."""
    slots = split(shape, code, ops.columns)

    def norm(x: Tensor, name: str) -> Tensor:
        divisor = 4 if name in ("stem", "up0") or name.startswith("fine") else 8
        return ops.affine(ops.norm(x, (region or {}).get(divisor)), *slots[name])

    def residual(x: Tensor, name: str) -> Tensor:
        y = ops.relu(norm(ops.conv(x, f"{name}.0"), f"{name}.0"))
        return ops.add(x, norm(ops.conv(y, f"{name}.1"), f"{name}.1"))

    stem = ops.relu(norm(ops.conv(ops.unshuffle(image, 4), "stem"), "stem"))
    x = ops.relu(norm(ops.conv(stem, "down", stride=2), "down"))
    for block in range(shape.blocks):
        x = residual(x, f"block{block}")
    x = ops.relu(norm(ops.add(ops.conv_doubled(x, "up0"), stem), "up0"))
    for block in range(shape.fine_blocks):
        x = residual(x, f"fine{block}")
    return x


def resolve(ops: Ops, strokes: Tensor, image: Tensor) -> Tensor:
    """The second part, up to its norm: (N, `Shape.half`, H/2, W/2). Sees 1 pixel beyond its own."""
    return ops.conv_doubled(strokes, "up1", ops.unshuffle(image, 2))


def finish(ops: Ops, draft: Tensor) -> Tensor:
    """The last part, from the normalised result of `resolve`. Sees 1 pixel beyond its own."""
    return ops.sigmoid(ops.shuffle(ops.conv(ops.relu(draft), "out"), 2))
