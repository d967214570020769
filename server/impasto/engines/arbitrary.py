"""The arbitrary painter: any picture as a style, by a code of half a thousand numbers.

In the shape of Wang et al. 2023, "MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer":
at a quarter of the resolution, the features of the photograph take on the statistics of the style's (Huang
& Belongie 2017), and these steer the convolutions after them too. Departing from the paper, the style code
is made of statistics alone, by dense layers instead of convolutions of the style's features, whose mean was
all that was used, so that codes can be kept, mixed and taught; instead of the means it holds what they do
further on; a small network corrects it; and the convolutions that were split into groups are whole.

The forward pass is written once against `runtime.operations.Ops`.
"""

from __future__ import annotations

import numpy as np

from impasto.runtime.operations import Ops, Tensor

FULL, HALF, QUARTER = 16, 32, 64
"""Channels at the picture's own resolution, at half of it and at a quarter."""

LEVELS = ("near", "far")
"""Where features are matched: after one residual block, and after two."""

PARTS = ("deviation", "bend", "gain", "shift")
"""What a code holds for each of `LEVELS`, `QUARTER` numbers each: the deviation that a channel of the
photograph's features takes on; where the ReLU after the first convolution bends; and, for both convolutions,
what their result is multiplied by and how much of what they convolve is added. At the end a code has the
`HALF` biases of "half". Means are not among them, for they may be a hundred times the deviations, which
would leave bfloat16 without precision and a trainer without a size of step."""

CODE_LENGTH = len(LEVELS) * len(PARTS) * QUARTER + HALF

EYE = 2 * (FULL + 2 * HALF + 4 * QUARTER)
"""Statistics of a style's picture: deviation and mean of each channel that the style's eye has."""

HIDDEN = 256
"""Units between these statistics and what they correct of a code."""

FARTHEST = 3.0
"""Deviations from what is usual beyond which a statistic makes no more difference."""

MIDDLE = np.float32(0.5)
"""Added at the end: a painting's distance from gray takes more precise steps in bfloat16 than its light."""

MULTIPLE = 4
"""Height and width of the network's input must be multiples of this."""

DIVISOR = 4
"""Of the resolution at which there are norms."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution; those of a picture of one pixel are dense layers."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for eye in ("photo", "style"):
        shapes[f"{eye}.full"] = (FULL, 3, 7 if eye == "photo" else 9)
        shapes[f"{eye}.half"], shapes[f"{eye}.half.mix"] = (HALF, FULL, 3), (HALF, HALF, 1)
        shapes[f"{eye}.quarter"], shapes[f"{eye}.quarter.mix"] = (QUARTER, HALF, 3), (QUARTER, QUARTER, 1)
        for level in LEVELS:
            shapes[f"{eye}.{level}.0"] = shapes[f"{eye}.{level}.1"] = (QUARTER, QUARTER, 3)
    steering = len(LEVELS) * len(PARTS) * QUARTER
    shapes["code"] = (steering, 2 * len(LEVELS) * QUARTER, 1)
    for level in LEVELS:
        shapes[f"code.{level}.0"] = shapes[f"code.{level}.1"] = (QUARTER, QUARTER, 1)
    shapes["code.half"] = (HALF, QUARTER, 1)
    shapes["correction.hidden"] = (HIDDEN, EYE, 1)
    shapes["correction"] = (CODE_LENGTH, HIDDEN, 1)
    for level in LEVELS:
        shapes[f"{level}.0"] = shapes[f"{level}.1"] = (QUARTER, QUARTER, 3)
    shapes["half"], shapes["half.mix"] = (HALF, QUARTER, 3), (HALF, HALF, 1)
    shapes["full"], shapes["full.mix"] = (FULL, HALF, 3), (FULL, FULL, 1)
    return shapes | {"out": (3, FULL, 7)}


def unbiased() -> set[str]:
    """Convolutions that have no bias, for it would be lost in the norms, or is in the code."""
    return {f"{level}.{index}" for level in LEVELS for index in (0, 1)} | {"half"}


def depths(ops: Ops, picture: Tensor, eye: str) -> list[Tensor]:
    """Features of (N, 3, H, W) sRGB in 0..1 at all depths, the last two at `LEVELS`."""
    found = [ops.relu(ops.conv(picture, f"{eye}.full"))]
    for part in ("half", "quarter"):
        found.append(ops.relu(ops.conv(found[-1], f"{eye}.{part}", stride=2)))
        found.append(ops.relu(ops.conv(found[-1], f"{eye}.{part}.mix")))
    for level in LEVELS:
        inner = ops.relu(ops.conv(found[-1], f"{eye}.{level}.0"))
        found.append(ops.add(found[-1], ops.conv(inner, f"{eye}.{level}.1")))
    return found


def see(ops: Ops, picture: Tensor) -> Tensor:
    """What there is of a photograph, (N, 3, H, W) sRGB in 0..1, to match: (N, `QUARTER`, H/4, W/4)."""
    return depths(ops, picture, "photo")[-1]


def summary(ops: Ops, picture: Tensor) -> Tensor:
    """Deviations and means of what is seen in a style's picture: (N, `EYE`, 1, 1)."""
    statistics: list[Tensor] = []
    for x in depths(ops, picture, "style"):
        mean = ops.mean(x)
        centred = ops.subtract(x, mean)
        statistics += [ops.root(ops.mean(ops.multiply(centred, centred))), mean]
    return ops.join(statistics, 1)


def encode(ops: Ops, picture: Tensor) -> Tensor:
    """The style code of (N, 3, H, W) sRGB in 0..1, as a picture of one pixel: (N, `CODE_LENGTH`, 1, 1)."""
    seen = summary(ops, picture)
    return ops.add(matched(ops, seen), corrected(ops, seen))


def matched(ops: Ops, seen: Tensor) -> Tensor:
    """The code by which features take on the statistics of the style's, as in the paper: (N, `CODE_LENGTH`,
    1, 1) of what `summary` gave. What the means do is seen in a picture without deviations, one value a
    channel: `flat`."""
    wanted = ops.conv(ops.cut(seen, 1, EYE - 2 * len(LEVELS) * QUARTER, EYE), "code")
    code: list[Tensor] = []
    flat = None
    for level in reversed(LEVELS):
        deviation, flat, gain, shift = parts(ops, wanted, level)
        bend = steered(ops, flat, f"code.{level}.0", gain, shift)
        flat = ops.add(flat, steered(ops, ops.relu(bend), f"code.{level}.1", gain, shift))
        code = [deviation, bend, gain, shift, *code]
    return ops.join([*code, ops.conv(flat, "code.half")], 1)


def corrected(ops: Ops, seen: Tensor) -> Tensor:
    """What is learned to be added to the code of `matched`, of the same statistics."""
    apart = ops.add(ops.multiply(seen, ops.constant("usual.gain")), ops.constant("usual.bias"))
    hidden = ops.relu(ops.conv(ops.clamp(apart, -FARTHEST, FARTHEST), "correction.hidden"))
    return ops.multiply(ops.conv(hidden, "correction"), ops.constant("usual.scale"))


def layout(ops: Ops, image: Tensor, weight: Tensor | None, code: Tensor) -> Tensor:
    """The first part of `forward`: (N, `QUARTER`, H/4, W/4)."""
    return match(ops, see(ops, image), weight, code)


def match(ops: Ops, seen: Tensor, weight: Tensor | None, code: Tensor) -> Tensor:
    """What of `layout` comes after `see`: all that looks at the whole picture."""
    x = seen
    for level in reversed(LEVELS):
        deviation, bend, gain, shift = (planes(ops, part) for part in parts(ops, code, level))
        x = ops.multiply(ops.norm(x, weight), deviation)
        inner = steered(ops, x, f"{level}.0", gain, shift)
        # relu(inner + bend) - relu(bend)
        above = ops.relu(bend)
        inner = ops.maximum(ops.add(inner, ops.subtract(bend, above)), ops.negative(above))
        x = ops.add(x, steered(ops, inner, f"{level}.1", gain, shift))
    return x


def parts(ops: Ops, code: Tensor, level: str) -> list[Tensor]:
    """What a code, (N, `CODE_LENGTH`, ...), holds for a level: (N, `QUARTER`, ...) for each of `PARTS`."""
    first = LEVELS.index(level) * len(PARTS) * QUARTER
    starts = range(first, first + len(PARTS) * QUARTER, QUARTER)
    return [ops.cut(code, 1, start, start + QUARTER) for start in starts]


def planes(ops: Ops, numbers: Tensor) -> Tensor:
    """Numbers of a code, (N, C), as a picture of one pixel: (N, C, 1, 1)."""
    return ops.reshape(numbers, (0, -1, 1, 1))


def steered(ops: Ops, x: Tensor, name: str, gain: Tensor, shift: Tensor) -> Tensor:
    """A convolution that a code has its say in; `gain` and `shift` are (N, `QUARTER`, 1, 1)."""
    return ops.add(ops.multiply(ops.conv(x, name), gain), ops.multiply(x, shift))


def finish(ops: Ops, strokes: Tensor, code: Tensor) -> Tensor:
    """The second part: (N, `QUARTER`, h, w) -> (N, 3, 4 h, 4 w). Sees 2 positions beyond its own."""
    return ops.add(ops.conv(draft(ops, strokes, code), "out"), MIDDLE)


def draft(ops: Ops, strokes: Tensor, code: Tensor) -> Tensor:
    """All of `finish` but its last convolution: (N, `FULL`, 4 h, 4 w)."""
    bias = planes(ops, ops.columns(code, CODE_LENGTH - HALF, CODE_LENGTH))
    x = ops.relu(ops.add(ops.conv_enlarged(strokes, "half"), bias))
    x = ops.relu(ops.conv_enlarged(ops.relu(ops.conv(x, "half.mix")), "full"))
    return ops.relu(ops.conv(x, "full.mix"))


def forward(ops: Ops, image: Tensor, weight: Tensor | None, code: Tensor) -> Tensor:
    """Paint `image` in the style of `code`.

    Args:
        ops: the operations, holding the weights named by `convolutions`.
        image: (N, 3, H, W) float, sRGB in 0..1; H and W multiples of `MULTIPLE`.
        weight: (N, 1, H/4, W/4) of mean 1, how much each place counts in the photograph's statistics (as
            `painter.Region`), or None where all count alike.
        code: (N, `CODE_LENGTH`) float.

    Returns:
        (N, 3, H, W) float, sRGB, now and then a little beyond 0..1.
    """
    return finish(ops, layout(ops, image, weight, code), code)
