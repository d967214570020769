"""The arbitrary painter: any picture as a style, in one pass and by a code of half a thousand numbers.

In the shape of Wang et al. 2023, "MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer":
at a quarter of the resolution, the features of the photograph take on the statistics of the style's (Huang
& Belongie 2017), and these steer the convolutions after them too. Departing from the paper, the style code
is a linear map of the statistics instead of convolutions of the style's features, whose mean was all that
was used, so that codes can be kept, mixed and taught; and the convolutions that were split into groups are
whole.

The forward pass is written once against `runtime.operations.Ops`.
"""

from __future__ import annotations

from impasto.engines.painter import Region
from impasto.runtime.operations import Ops, Tensor

FULL, HALF, QUARTER = 16, 32, 64
"""Channels at the picture's own resolution, at half of it and at a quarter."""

LEVELS = ("near", "far")
"""Where features are matched: after one residual block, and after two."""

PARTS = ("deviation", "mean", "gain", "shift")
"""What a code holds for each of `LEVELS`, `QUARTER` numbers each: the statistics that the photograph's
features take on, and what the convolutions that follow are steered by."""

CODE_LENGTH = len(LEVELS) * len(PARTS) * QUARTER

MULTIPLE = 4
"""Height and width of the network's input must be multiples of this."""

DIVISOR = 4
"""Of the resolution at which there are norms."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution; "code" is a dense layer."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for eye in ("photo", "style"):
        shapes[f"{eye}.full"] = (FULL, 3, 7 if eye == "photo" else 9)
        shapes[f"{eye}.half"], shapes[f"{eye}.half.mix"] = (HALF, FULL, 3), (HALF, HALF, 1)
        shapes[f"{eye}.quarter"], shapes[f"{eye}.quarter.mix"] = (QUARTER, HALF, 3), (QUARTER, QUARTER, 1)
        for level in LEVELS:
            shapes[f"{eye}.{level}.0"] = shapes[f"{eye}.{level}.1"] = (QUARTER, QUARTER, 3)
    shapes["code"] = (CODE_LENGTH, 2 * len(LEVELS) * QUARTER, 1)
    for level in LEVELS:
        shapes[f"{level}.0"] = shapes[f"{level}.1"] = (QUARTER, QUARTER, 3)
    shapes["half"], shapes["half.mix"] = (HALF, QUARTER, 3), (HALF, HALF, 1)
    shapes["full"], shapes["full.mix"] = (FULL, HALF, 3), (FULL, FULL, 1)
    return shapes | {"out": (3, FULL, 7)}


def see(ops: Ops, picture: Tensor, eye: str) -> list[Tensor]:
    """Features of (N, 3, H, W) sRGB in 0..1 at each of `LEVELS`: (N, `QUARTER`, H/4, W/4)."""
    x = ops.relu(ops.conv(picture, f"{eye}.full"))
    for part in ("half", "quarter"):
        x = ops.relu(ops.conv(x, f"{eye}.{part}", stride=2))
        x = ops.relu(ops.conv(x, f"{eye}.{part}.mix"))
    found: list[Tensor] = []
    for level in LEVELS:
        inner = ops.relu(ops.conv(x, f"{eye}.{level}.0"))
        x = ops.add(x, ops.conv(inner, f"{eye}.{level}.1"))
        found.append(x)
    return found


def encode(ops: Ops, picture: Tensor) -> Tensor:
    """The style code of (N, 3, H, W) sRGB in 0..1, as a picture of one pixel: (N, `CODE_LENGTH`, 1, 1)."""
    return ops.conv(summary(ops, picture), "code")


def summary(ops: Ops, picture: Tensor) -> Tensor:
    """Deviations and means of what is seen in a style's picture: (N, 2 * levels * `QUARTER`, 1, 1)."""
    statistics: list[Tensor] = []
    for x in see(ops, picture, "style"):
        mean = ops.mean(x)
        centred = ops.subtract(x, mean)
        statistics += [ops.root(ops.mean(ops.multiply(centred, centred))), mean]
    return ops.join(statistics, 1)


def steer(ops: Ops, code: Tensor) -> dict[str, dict[str, Tensor]]:
    """A code, (N, `CODE_LENGTH`), as {level: {part: (N, `QUARTER`)}}."""
    starts = iter(range(0, CODE_LENGTH, QUARTER))
    return {
        level: {
            part: ops.columns(code, start, start + QUARTER)
            for part, start in zip(PARTS, starts, strict=False)
        }
        for level in LEVELS
    }


def layout(ops: Ops, image: Tensor, code: Tensor, region: Region | None = None) -> Tensor:
    """The first part of `forward`: (N, `QUARTER`, H/4, W/4)."""
    return match(ops, see(ops, image, "photo")[-1], code, region)


def match(ops: Ops, seen: Tensor, code: Tensor, region: Region | None = None) -> Tensor:
    """What of `layout` comes after `see`: all that looks at the whole picture.

    The features have means of up to a hundred times their deviations, which bfloat16 would round away.
    So what the code alone makes of a picture without deviations, one value a channel, is computed apart.
    """
    weight = (region or {}).get(DIVISOR)
    steering = steer(ops, code)
    x, flat = seen, None
    for level in reversed(LEVELS):
        deviation, flat, gain, shift = (ops.reshape(steering[level][part], (0, -1, 1, 1)) for part in PARTS)
        # The norm takes away what the level before made of a flat picture.
        x = ops.multiply(ops.norm(x, weight), deviation)
        inner = steered(ops, x, f"{level}.0", gain, shift, bias=False)
        flat_inner = steered(ops, flat, f"{level}.0", gain, shift)
        above = ops.relu(flat_inner)
        below = ops.subtract(above, flat_inner)
        # relu(inner + flat_inner) - relu(flat_inner)
        inner = ops.maximum(ops.subtract(inner, below), ops.negative(above))
        x = ops.add(x, steered(ops, inner, f"{level}.1", gain, shift, bias=False))
        flat = ops.add(flat, steered(ops, above, f"{level}.1", gain, shift))
    return ops.add(x, flat)


def steered(ops: Ops, x: Tensor, name: str, gain: Tensor, shift: Tensor, bias: bool = True) -> Tensor:
    """A convolution that a code has its say in; `gain` and `shift` are (N, `QUARTER`, 1, 1)."""
    return ops.add(ops.multiply(ops.conv(x, name, bias=bias), gain), ops.multiply(x, shift))


def finish(ops: Ops, strokes: Tensor) -> Tensor:
    """The second part: (N, `QUARTER`, h, w) -> (N, 3, 4 h, 4 w). Sees 2 positions beyond its own."""
    return ops.conv(draft(ops, strokes), "out")


def draft(ops: Ops, strokes: Tensor) -> Tensor:
    """All of `finish` but its last convolution: (N, `FULL`, 4 h, 4 w)."""
    x = strokes
    for part in ("half", "full"):
        x = ops.relu(ops.conv_enlarged(x, part))
        x = ops.relu(ops.conv(x, f"{part}.mix"))
    return x


def forward(ops: Ops, image: Tensor, code: Tensor, region: Region | None = None) -> Tensor:
    """Paint `image` in the style of `code`.

    Args:
        ops: the operations, holding the weights named by `convolutions`.
        image: (N, 3, H, W) float, sRGB in 0..1; H and W multiples of `MULTIPLE`.
        code: (N, `CODE_LENGTH`) float.
        region: that the photograph's statistics are those of, or None for all of it.

    Returns:
        (N, 3, H, W) float, sRGB, now and then a little beyond 0..1.
    """
    return finish(ops, layout(ops, image, code, region))
