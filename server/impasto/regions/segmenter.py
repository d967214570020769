"""The segmenter: what each part of a picture is, sky or building or person, by a network that comes along.

It learned from a larger network's answers (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a
Neural Network") and started from that network's first layers, the inverted residuals of MobileNetV2
(Sandler et al. 2018). They halve the resolution five times; the whole picture is summed up at the bottom,
because a blue patch is sky or water by what is around it (Liu et al. 2015, "ParseNet"); on the way back up to
a quarter of the resolution, what was seen on the way down comes in again (Lin et al. 2017, "Feature Pyramid
Networks").
"""

from __future__ import annotations

from impasto.runtime.operations import Ops, Tensor
from impasto.selector import CLASSES

MULTIPLE = 32
"""Height and width of the network's input must be multiples of this."""

CELL = 4
"""Pixels of the input, across and down, that share one answer."""

BLOCKS = (
    (16, 1),
    (24, 2),
    (24, 1),
    (32, 2),
    (32, 1),
    (32, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (64, 1),
    (96, 1),
    (96, 1),
    (96, 1),
    (160, 2),
    (160, 1),
)
"""Channels and stride of each inverted residual. The teacher strides no more after the sixth, and spreads its
kernels instead; with strides the same kernels see the same, on fewer points."""

STEM = 32
"""Channels of the first convolution, at half the resolution."""

EXPANSION = 6
"""Times as many channels inside a block, but for the first."""

LEVELS = (2, 5, 12)
"""Blocks after which the resolution is 1/4, 1/8 and 1/16, and whose results come in again on the way up."""

UP = (48, 64, 96)
"""Channels at 1/4, 1/8 and 1/16 on the way up."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution; `in` is 1 where it works channel by channel."""
    shapes: dict[str, tuple[int, int, int]] = {"stem": (STEM, 3, 3)}
    before = STEM
    for index, (channels, _) in enumerate(BLOCKS):
        inside = before * EXPANSION if index else before
        if index:
            shapes[f"block{index}.expand"] = (inside, before, 1)
        shapes[f"block{index}.see"] = (inside, 1, 3)
        shapes[f"block{index}.project"] = (channels, inside, 1)
        before = channels
    shapes["whole"] = (before, before, 1)
    for level, (block, channels) in reversed(list(enumerate(zip(LEVELS, UP, strict=True)))):
        shapes[f"lift{level}"] = (channels, before, 1)
        shapes[f"skip{level}"] = (channels, BLOCKS[block][0], 1)
        shapes[f"join{level}"] = (channels, channels, 3)
        before = channels
    return shapes | {"answer": (len(CLASSES), before, 1)}


def forward(ops: Ops, picture: Tensor) -> Tensor:
    """What each cell of a picture is.

    Args:
        ops: the operations, holding the weights named by `convolutions`.
        picture: (N, 3, H, W) float, sRGB in 0..1; H and W multiples of `MULTIPLE`.

    Returns:
        (N, classes, H / `CELL`, W / `CELL`) float: logits, whose softmax is the probabilities of
        `impasto.selector.CLASSES`.
    """
    x = ops.relu6(ops.convolve(picture, "stem", stride=2))
    before = STEM
    seen: list[Tensor] = []
    for index, (channels, stride) in enumerate(BLOCKS):
        y = ops.relu6(ops.convolve(x, f"block{index}.expand")) if index else x
        y = ops.relu6(ops.convolve(y, f"block{index}.see", stride=stride))
        y = ops.convolve(y, f"block{index}.project")
        x = ops.add(x, y) if (channels, stride) == (before, 1) else y
        before = channels
        if index in LEVELS:
            seen.append(x)
    x = ops.relu(ops.add(x, ops.convolve(ops.mean(x), "whole")))
    for level in reversed(range(len(LEVELS))):
        lifted = ops.double(ops.convolve(x, f"lift{level}"))
        x = ops.relu(ops.add(lifted, ops.convolve(seen[level], f"skip{level}")))
        x = ops.relu(ops.convolve(x, f"join{level}"))
    return ops.convolve(x, "answer")
