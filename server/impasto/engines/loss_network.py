"""The loss network: a small one that sees of a picture what VGG-19 sees, as far as relu4_1.

Perceptual losses (Gatys et al. 2015; Johnson et al. 2016) compare the features of VGG-19, which has eighty
megabytes. This network has its layers with a quarter to a half of the channels, and was taught (Hinton et
al. 2015, "Distilling the Knowledge in a Neural Network") that linear maps of its features are VGG-19's.
Departing from that, it begins with channels chosen for what they tell of all others, as in Luo et al. 2017,
"ThiNet".

The forward pass is written once against `runtime.operations.Ops`.
"""

from __future__ import annotations

from impasto.runtime.operations import Ops, Tensor

LEVELS = (
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3", "conv3_4"),
    ("conv4_1",),
)
"""Convolutions between pools. What the first of each level sees is compared."""

WIDTHS = (32, 64, 112, 192)
"""Channels at each of `LEVELS`."""

MULTIPLE = 8
"""Height and width of a picture must be multiples of this."""


def convolutions() -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution."""
    shapes: dict[str, tuple[int, int, int]] = {}
    channels = 3
    for names, width in zip(LEVELS, WIDTHS, strict=True):
        for name in names:
            shapes[name], channels = (width, channels, 3), width
        shapes[f"{names[0]}.compared"] = (width, width, 1)
    return shapes


def unbiased() -> set[str]:
    """Convolutions without a bias."""
    return {f"{names[0]}.compared" for names in LEVELS}


def features(ops: Ops, picture: Tensor) -> list[Tensor]:
    """What is compared of (N, 3, H, W) sRGB in 0..1, at each of `LEVELS`: (N, `WIDTHS`, H / 1, 2, 4, 8, ...).

    Squared distances of these, and of their Gram matrices, are those of VGG-19's relu1_1, relu2_1, ...
    """
    found: list[Tensor] = []
    x = picture
    for names in LEVELS:
        x = ops.halved(x) if found else x
        for name in names:
            x = ops.relu(ops.conv(x, name))
            if name == names[0]:
                found.append(ops.conv(x, f"{name}.compared"))
    return found


def products(ops: Ops, x: Tensor) -> Tensor:
    """The sum of the features' products: (N, C, h, w) -> (N, C, C)."""
    rows = ops.reshape(x, (0, 0, -1))
    return ops.matmul(rows, rows)
