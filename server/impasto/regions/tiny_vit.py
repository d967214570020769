"""The image encoder of MobileSAM: TinyViT-5M without its head, and SAM's neck.

Wu et al. 2022, "TinyViT: Fast Pretraining Distillation for Small Vision Transformers"; Zhang et
al. 2023, "Faster Segment Anything: Towards Lightweight SAM for Mobile Applications".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from impasto.runtime.operations import Ops, Tensor

SIDE = 1024
"""Pixels; the network was trained at this size only."""

GRID = SIDE // 16

BATCH_NORM_EPSILON = LAYER_NORM_EPSILON = 1e-5
NECK_EPSILON = 1e-6

HEAD = 32
"""Channels of an attention head."""


@dataclass(frozen=True)
class Stage:
    """Blocks of windowed attention; `side` and `window` are in tokens."""

    channels: int
    blocks: int
    side: int
    window: int


CONVOLUTIONS = 2
"""Blocks of the first stage, which has no attention."""

STAGES = (Stage(128, 2, 128, 7), Stage(160, 6, 64, 14), Stage(320, 2, 64, 7))


def prepare(saved: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From the names and tensors of the official file, without their prefix, to what `forward` wants.

    Batch norms are folded into the convolutions before them, the scale of the attention into its queries.
    """
    weights: dict[str, np.ndarray] = {}
    for name, value in saved.items():
        if name.endswith(".c.weight"):
            layer = name.removesuffix(".c.weight")
            deviation = np.sqrt(saved[f"{layer}.bn.running_var"] + np.float32(BATCH_NORM_EPSILON))
            gain = saved[f"{layer}.bn.weight"] / deviation
            weights[f"{layer}.weight"] = value * gain[:, None, None, None]
            weights[f"{layer}.bias"] = saved[f"{layer}.bn.bias"] - saved[f"{layer}.bn.running_mean"] * gain
        elif ".bn." not in name and not name.startswith(("head.", "norm_head.")):
            weights[name] = value
    for index, stage in enumerate(STAGES, start=1):
        for block in range(stage.blocks):
            _prepare_attention(weights, f"layers.{index}.blocks.{block}.attn", stage)
    return weights


def _prepare_attention(weights: dict[str, np.ndarray], name: str, stage: Stage) -> None:
    heads = stage.channels // HEAD
    for part in ("weight", "bias"):
        # Rows come head by head, each with its query, key and value; (3, heads, HEAD) is what we cut.
        rows = weights.pop(f"{name}.qkv.{part}")
        rows = rows.reshape(heads, 3, HEAD, -1).transpose(1, 0, 2, 3).reshape(rows.shape).copy()
        rows[: stage.channels] *= np.float32(HEAD**-0.5)
        weights[f"{name}.qkv.{part}"] = rows
    by_offset = weights.pop(f"{name}.attention_biases")
    y, x = np.divmod(np.arange(stage.window**2), stage.window)
    offset = np.abs(y[:, None] - y) * stage.window + np.abs(x[:, None] - x)
    weights[f"{name}.offsets"] = by_offset[:, offset]


def forward(ops: Ops, image: Tensor) -> list[Tensor]:
    """Encode (1, SIDE, SIDE, 3), see `regions.sam.normalised`: [(1, GRID, GRID, 256)]."""
    x = ops.planes(image)
    x = ops.convolve(x, "patch_embed.seq.0", 2)
    x = ops.convolve(ops.gelu(x), "patch_embed.seq.2", 2)
    for block in range(CONVOLUTIONS):
        x = _inverted_bottleneck(ops, x, f"layers.0.blocks.{block}")
    for index, stage in enumerate(STAGES, start=1):
        x = _merge_patches(ops, x, f"layers.{index - 1}.downsample", stage)
        for block in range(stage.blocks):
            x = _attention_block(ops, x, f"layers.{index}.blocks.{block}", stage)
    x = ops.pixels(ops.convolve(x, "neck.0"))
    x = ops.planes(ops.layer_norm(x, "neck.1", NECK_EPSILON))
    return [ops.layer_norm(ops.pixels(ops.convolve(x, "neck.2")), "neck.3", NECK_EPSILON)]


def _inverted_bottleneck(ops: Ops, x: Tensor, name: str) -> Tensor:
    y = ops.gelu(ops.convolve(x, f"{name}.conv1"))
    y = ops.gelu(ops.convolve(y, f"{name}.conv2"))
    return ops.gelu(ops.add(x, ops.convolve(y, f"{name}.conv3")))


def _merge_patches(ops: Ops, x: Tensor, name: str, stage: Stage) -> Tensor:
    x = ops.gelu(ops.convolve(x, f"{name}.conv1"))
    # The last stage keeps its resolution, so that the grid is that of SAM.
    x = ops.gelu(ops.convolve(x, f"{name}.conv2", 1 if stage is STAGES[-1] else 2))
    return ops.convolve(x, f"{name}.conv3")


def _attention_block(ops: Ops, x: Tensor, name: str, stage: Stage) -> Tensor:
    """Planes in, planes out."""
    attended = _windowed_attention(ops, ops.pixels(x), f"{name}.attn", stage)
    x = ops.convolve(ops.add(x, ops.planes(attended)), f"{name}.local_conv")
    y = ops.layer_norm(ops.pixels(x), f"{name}.mlp.norm", LAYER_NORM_EPSILON)
    y = ops.linear(ops.gelu(ops.linear(y, f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
    return ops.add(x, ops.planes(y))


def _windowed_attention(ops: Ops, x: Tensor, name: str, stage: Stage) -> Tensor:
    """Attention within windows of (1, side, side, C); what hangs over the border is zero."""
    window, channels, heads = stage.window, stage.channels, stage.channels // HEAD
    missing = -stage.side % window
    count, padded = (stage.side + missing) // window, stage.side + missing
    x = ops.pad(x, (0, missing, missing, 0))
    x = ops.reshape(x, (count, window, count, window, channels))
    x = ops.reshape(ops.permute(x, (0, 2, 1, 3, 4)), (count**2, window**2, channels))
    x = ops.linear(ops.layer_norm(x, f"{name}.norm", LAYER_NORM_EPSILON), f"{name}.qkv")
    x = ops.permute(ops.reshape(x, (count**2, window**2, 3 * heads, HEAD)), (0, 2, 1, 3))
    query, key, value = (ops.cut(x, 1, part * heads, (part + 1) * heads) for part in range(3))
    x = ops.permute(ops.attention(query, key, value, f"{name}.offsets"), (0, 2, 1, 3))
    x = ops.linear(ops.reshape(x, (count**2, window**2, channels)), f"{name}.proj")
    x = ops.permute(ops.reshape(x, (count, count, window, window, channels)), (0, 2, 1, 3, 4))
    x = ops.reshape(x, (1, padded, padded, channels))
    return ops.cut(ops.cut(x, 1, 0, stage.side), 2, 0, stage.side)
