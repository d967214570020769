"""The segmenter: what each part of a picture is, sky or building or person, by a network that comes along.

It learned from a larger network's answers (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a
Neural Network"). It halves the resolution five times, sums up the whole picture at the bottom, because a
blue patch is sky or water by what is around it (Liu et al. 2015, "ParseNet"), and comes back up to a quarter
of the resolution with what it saw on the way down (Lin et al. 2017, "Feature Pyramid Networks").
"""

from __future__ import annotations

from impasto.runtime.operations import Ops, Tensor
from impasto.selector import CLASSES

MULTIPLE = 32
"""Height and width of the network's input must be multiples of this."""

CELL = 4
"""Pixels of the input, across and down, that share one answer."""

LEVELS = (32, 80, 160, 160)
"""Channels at 1/4, 1/8, 1/16 and 1/32 of the resolution."""

BLOCKS = (1, 2, 3, 3)
"""Residual blocks at each of them."""

NARROW = 80
"""Channels inside a block of the two coarsest levels."""

UP = (48, 64, 96)
"""Channels at 1/4, 1/8 and 1/16 on the way back up."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution, in the order in which they are applied."""
    shapes: dict[str, tuple[int, int, int]] = {}
    before = 3 * CELL * CELL
    for level, (channels, blocks) in enumerate(zip(LEVELS, BLOCKS, strict=True)):
        shapes[f"down{level}"] = (channels, before, 3)
        for block in range(blocks):
            name = f"block{level}{block}"
            if channels > NARROW:
                shapes[f"{name}.in"] = (NARROW, channels, 1)
                shapes[f"{name}.see"] = (NARROW, NARROW, 3)
                shapes[f"{name}.out"] = (channels, NARROW, 1)
            else:
                shapes[f"{name}.in"] = shapes[f"{name}.out"] = (channels, channels, 3)
        before = channels
    shapes["whole"] = (before, before, 1)
    for level in (2, 1, 0):
        shapes[f"lift{level}"] = (UP[level], before, 1)
        shapes[f"skip{level}"] = (UP[level], LEVELS[level], 1)
        shapes[f"join{level}"] = (UP[level], UP[level], 3)
        before = UP[level]
    return shapes | {"answer": (len(CLASSES), before, 1)}


def forward(ops: Ops, picture: Tensor) -> Tensor:
    """What each cell of a picture is.

    Args:
        ops: the operations, holding the weights named by `convolutions`.
        picture: (N, 3, H, W) float, sRGB in 0..1; H and W multiples of `MULTIPLE`.

    Returns:
        (N, classes, H / `CELL`, W / `CELL`) float: logits of `CLASSES`, in their order.
    """

    def block(x: Tensor, name: str, narrow: bool) -> Tensor:
        y = ops.relu(ops.convolve(x, f"{name}.in"))
        if narrow:
            y = ops.relu(ops.convolve(y, f"{name}.see"))
        return ops.relu(ops.add(x, ops.convolve(y, f"{name}.out")))

    x = ops.unshuffle(picture, CELL)
    seen: list[Tensor] = []
    for level, (channels, blocks) in enumerate(zip(LEVELS, BLOCKS, strict=True)):
        x = ops.relu(ops.convolve(x, f"down{level}", stride=2 if level else 1))
        for index in range(blocks):
            x = block(x, f"block{level}{index}", channels > NARROW)
        seen.append(x)
    x = ops.relu(ops.add(x, ops.convolve(ops.mean(x), "whole")))
    for level in (2, 1, 0):
        lifted = ops.double(ops.convolve(x, f"lift{level}"))
        x = ops.relu(ops.add(lifted, ops.convolve(seen[level], f"skip{level}")))
        x = ops.relu(ops.convolve(x, f"join{level}"))
    return ops.convolve(x, "answer")
