"""The encoder: from any picture to its style code, in one pass.

A small network sees the picture, statistics of its layers describe the texture, and two dense
layers turn them into the code that steers the painter (Ghiasi et al. 2017, "Exploring the
structure of a real-time, arbitrary neural artistic stylization network"). Beside means and
energies, products of two projections stand for the Gram matrix (Gao et al. 2016, "Compact
Bilinear Pooling").
"""

from __future__ import annotations

from impasto.runtime.operations import Ops, Tensor

LEVELS = (16, 32, 64, 128)
"""Channels at 1, 1/2, 1/4 and 1/8 of the resolution."""

PRODUCTS = 96
"""Products of projections that are averaged at each level."""

HIDDEN = 384

SIDE = 256
"""Shorter side in pixels at which a style picture is looked at; training used the same."""


def convolutions(code_length: int) -> dict[str, tuple[int, int, int]]:
    """(out, in, kernel) of each convolution; those of kernel 1 after the pooling are dense layers."""
    shapes: dict[str, tuple[int, int, int]] = {}
    before = 3
    for level, channels in enumerate(LEVELS):
        shapes[f"level{level}.0"] = (channels, before, 3)
        if level:
            shapes[f"level{level}.1"] = (channels, channels, 3)
        shapes[f"left{level}"] = shapes[f"right{level}"] = (PRODUCTS, channels, 1)
        before = channels
    shapes["hidden"] = (HIDDEN, 2 * sum(LEVELS) + PRODUCTS * len(LEVELS), 1)
    return shapes | {"code": (code_length, HIDDEN, 1)}


def levels(ops: Ops, picture: Tensor) -> list[Tensor]:
    """Activations of (N, 3, H, W) sRGB in 0..1 at each of `LEVELS`."""
    x = picture
    found: list[Tensor] = []
    for level in range(len(LEVELS)):
        x = ops.relu(ops.conv(x, f"level{level}.0", stride=2 if level else 1))
        if level:
            x = ops.relu(ops.conv(x, f"level{level}.1"))
        found.append(x)
    return found


def forward(ops: Ops, picture: Tensor) -> Tensor:
    """The style code of (N, 3, H, W) sRGB in 0..1, as a picture of one pixel: (N, code length, 1, 1)."""
    pooled: list[Tensor] = []
    for level, x in enumerate(levels(ops, picture)):
        products = ops.multiply(ops.conv(x, f"left{level}"), ops.conv(x, f"right{level}"))
        pooled += [ops.mean(x), ops.root(ops.mean(ops.multiply(x, x))), ops.mean(products)]
    described = pooled[0]
    for part in pooled[1:]:
        described = ops.concat(described, part)
    return ops.conv(ops.relu(ops.conv(described, "hidden")), "code")
