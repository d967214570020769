"""The segmenter: what each part of a picture is, sky or building or person, by a network that comes along.

It is a DeepLabV3 on the inverted residuals of MobileNetV2 (Sandler et al. 2018), which are spread instead of
strided from an eighth of the resolution on (Chen et al. 2017, "Rethinking Atrous Convolution for Semantic
Image Segmentation"). The whole picture is summed up beside them, because a blue patch is sky or water by what
is around it (Liu et al. 2015, "ParseNet"). Fine detail comes in again on the way up to a quarter (Chen et al.
2018, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation").
"""

from __future__ import annotations

from impasto.runtime.operations import Ops, Tensor

SIDE = 513
"""Pixels of the square that a picture is squeezed into, whatever its shape. They are 8 n + 1, so that the
cells of each level lie on those of the one before."""

KERNEL = "linear"
"""Of libvips, by which it is squeezed: the network is not used to a sharper one."""

BLOCKS = (
    (16, 1, 1),
    (24, 2, 1),
    (24, 1, 1),
    (32, 2, 1),
    (32, 1, 1),
    (32, 1, 1),
    (64, 1, 1),
    (64, 1, 2),
    (64, 1, 2),
    (64, 1, 2),
    (96, 1, 2),
    (96, 1, 2),
    (96, 1, 2),
    (160, 1, 2),
    (160, 1, 4),
    (160, 1, 4),
    (320, 1, 4),
)
"""Channels, stride and dilation of each inverted residual."""

STEM = 32
"""Channels of the first convolution, at half the resolution."""

EXPANSION = 6
"""Times as many channels inside a block, but for the first."""

DETAILED = 2
"""The block from inside which fine detail comes, at a quarter of the resolution."""

LABELS = 151
"""Classes of ADE20K and one for nothing, which the network tells apart; they are gathered into eleven."""

DETAIL, CONTEXT = 48, 256
"""Channels of the fine detail, and of everything else after the blocks."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution; `in` is 1 where it works channel by channel."""
    shapes: dict[str, tuple[int, int, int]] = {"stem": (STEM, 3, 3)}
    before = STEM
    for index, (channels, _, _) in enumerate(BLOCKS):
        inside = before * EXPANSION if index else before
        if index:
            shapes[f"block{index}.expand"] = (inside, before, 1)
        shapes[f"block{index}.see"] = (inside, 1, 3)
        shapes[f"block{index}.project"] = (channels, inside, 1)
        before = channels
    for part in ("whole", "here"):
        shapes[part] = (CONTEXT, before, 1)
        shapes[f"both.{part}"] = (CONTEXT, CONTEXT, 1)
    shapes["detail"] = (DETAIL, EXPANSION * BLOCKS[DETAILED - 1][0], 1)
    before = CONTEXT + DETAIL
    for step in range(2):
        shapes[f"join{step}.see"] = (before, 1, 3)
        shapes[f"join{step}.mix"] = (CONTEXT, before, 1)
        before = CONTEXT
    return shapes | {"answer": (LABELS, before, 1)}


def forward(ops: Ops, picture: Tensor) -> Tensor:
    """What each part of a picture is.

    Args:
        ops: the operations, holding the weights named by `convolutions`, and "groups", (classes, `LABELS`):
            1 where a label belongs to a class.
        picture: (N, 3, H, W) float, sRGB in -1..1; H and W of 8 n + 1.

    Returns:
        (N, classes, (H + 1) / 2, (W + 1) / 2) float: the probabilities of the classes, of sum 1, at
        every second pixel, the first and the last included.
    """
    x = ops.clamp(ops.convolve(picture, "stem", stride=2), 0.0, 6.0)
    before = STEM
    detail = x
    for index, (channels, stride, dilation) in enumerate(BLOCKS):
        y = ops.clamp(ops.convolve(x, f"block{index}.expand"), 0.0, 6.0) if index else x
        y = ops.clamp(ops.convolve(y, f"block{index}.see", stride, dilation), 0.0, 6.0)
        if index == DETAILED:
            detail = ops.relu(ops.convolve(y, "detail"))
        y = ops.convolve(y, f"block{index}.project")
        x = ops.add(x, y) if (channels, stride) == (before, 1) else y
        before = channels
    here, whole = ops.relu(ops.convolve(x, "here")), ops.relu(ops.convolve(ops.mean(x), "whole"))
    x = ops.relu(ops.add(ops.convolve(here, "both.here"), ops.convolve(whole, "both.whole")))
    x = ops.join([ops.between(x), detail], 1)
    for step in range(2):
        x = ops.relu(ops.convolve(x, f"join{step}.see"))
        x = ops.relu(ops.convolve(x, f"join{step}.mix"))
    labels = ops.softmax(ops.pixels(ops.convolve(x, "answer")))
    return ops.between(ops.planes(ops.matmul(labels, ops.constant("groups"))))
