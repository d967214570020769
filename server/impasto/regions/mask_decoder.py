"""SAM's prompt encoder and mask decoder (Kirillov et al. 2023, "Segment Anything").

All of SAM's models share them and differ in the image encoder only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impasto.runtime.operations import Ops, Tensor

SIDE = 1024
"""Pixels of the square that the picture lies in, at its upper left; prompts are in these pixels."""

GRID = 64
"""Tokens of the encoded image on a side."""

MASK_SIDE = 256
"""Pixels of a mask on a side."""

MASKS = 4
"""Answers to a prompt: one for what is meant without doubt, then the part, the object, the whole."""

OUTSIDE, INSIDE, CORNER, OPPOSITE_CORNER, NO_POINT = 0, 1, 2, 3, -1
"""Labels of points: two corners make a box; `NO_POINT` stands at (0, 0) where there is no box."""

CHANNELS, HEADS, LAYERS = 256, 8, 2

LAYER_NORM_EPSILON = 1e-5
PLANE_NORM_EPSILON = 1e-6


class PromptEncoder:
    """Points to tokens."""

    def __init__(self, saved: Mapping[str, np.ndarray]) -> None:
        self.frequencies = saved["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
        kinds = [saved[f"prompt_encoder.point_embeddings.{kind}.weight"] for kind in range(4)]
        # NO_POINT, which is -1, is the last.
        self.kinds = np.concatenate([*kinds, saved["prompt_encoder.not_a_point_embed.weight"]])
        answers = saved["mask_decoder.iou_token.weight"], saved["mask_decoder.mask_tokens.weight"]
        self.answers = np.concatenate(answers)

    def __call__(self, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The tokens of B prompts of N points.

        Args:
            points: (B, N, 2) float32, x and y of centres of pixels in 0..`SIDE` - 1.
            labels: (B, N) integers.

        Returns:
            (B, 1 + `MASKS` + N, 256) float32, the tokens for answers first.
        """
        where = self.positions((points.astype(np.float32) + 0.5) / SIDE)
        where[labels == NO_POINT] = 0
        answers = np.broadcast_to(self.answers, (len(points), *self.answers.shape))
        return np.concatenate([answers, where + self.kinds[labels]], axis=1)

    def positions(self, points: np.ndarray) -> np.ndarray:
        """Encode x and y in 0..1 by random frequencies: (..., 2) to (..., 256)."""
        angles = (2 * points - 1) @ self.frequencies * np.float32(2 * np.pi)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)

    def grid(self) -> np.ndarray:
        """The positions of the encoded image's tokens: (GRID * GRID, 256) float32."""
        centres = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
        x, y = np.meshgrid(centres, centres)
        return self.positions(np.stack([x, y], -1)).reshape(GRID * GRID, CHANNELS)


def prepare(saved: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From the names and tensors of an official file to what `forward` wants.

    The scale of the attention is folded into its queries. Transposed convolutions whose stride is their
    size become linear layers, which give each token its 2 x 2 parts.
    """
    prefix = "mask_decoder."
    weights = {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}
    for name, value in weights.items():
        if ".q_proj." in name:
            channels = weights[name.replace(".bias", ".weight")].shape[0] // HEADS
            weights[name] = value * np.float32(channels**-0.5)
    for layer in range(LAYERS):
        _prepare_to_image(weights, f"transformer.layers.{layer}.cross_attn_token_to_image")
        _prepare_from_tokens(weights, f"transformer.layers.{layer}.cross_attn_image_to_token")
    _prepare_to_image(weights, "transformer.final_attn_token_to_image")
    for name in ("output_upscaling.0", "output_upscaling.3"):
        kernel = weights[f"{name}.weight"]
        weights[f"{name}.weight"] = kernel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0]).copy()
        weights[f"{name}.bias"] = np.tile(weights[f"{name}.bias"], 4)
    weights["no_mask"] = saved["prompt_encoder.no_mask_embed.weight"]
    weights["positions"] = PromptEncoder(saved).grid()[None]
    return weights


def _by_head(weight: np.ndarray) -> np.ndarray:
    """(out, in) weights as (HEADS, out of a head, in)."""
    return weight.reshape(HEADS, -1, weight.shape[1])


def _prepare_to_image(weights: dict[str, np.ndarray], name: str) -> None:
    # What the bias of the keys adds is the same for all of them, and the softmax takes it out again.
    weights[f"{name}.keys"] = _by_head(weights[f"{name}.k_proj.weight"]).transpose(0, 2, 1).copy()
    weights[f"{name}.values"] = _by_head(weights[f"{name}.v_proj.weight"])
    weights[f"{name}.out_proj.bias"] = (
        weights[f"{name}.out_proj.bias"] + weights[f"{name}.out_proj.weight"] @ weights[f"{name}.v_proj.bias"]
    )


def _prepare_from_tokens(weights: dict[str, np.ndarray], name: str) -> None:
    weights[f"{name}.queries"] = _by_head(weights[f"{name}.q_proj.weight"]).transpose(0, 2, 1).copy()
    weights[f"{name}.queries_bias"] = weights[f"{name}.q_proj.bias"].reshape(HEADS, 1, -1)
    out = weights[f"{name}.out_proj.weight"]
    weights[f"{name}.out"] = out.reshape(CHANNELS, HEADS, -1).transpose(1, 0, 2).copy()


def forward(ops: Ops, encoded: Tensor, tokens: Tensor) -> list[Tensor]:
    """Answer B prompts about one picture.

    Args:
        ops: the operations, holding the weights of `prepare`.
        encoded: (1, GRID, GRID, 256), the picture.
        tokens: (B, T, 256) from `PromptEncoder`.

    Returns:
        [(B, MASKS, MASK_SIDE, MASK_SIDE) logits, (B, MASKS) predicted intersection over union].
    """
    positions = ops.constant("positions")
    image = ops.add(ops.reshape(encoded, (1, GRID * GRID, CHANNELS)), ops.constant("no_mask"))
    queries = tokens
    for layer in range(LAYERS):
        name = f"transformer.layers.{layer}"
        placed = queries if layer == 0 else ops.add(queries, tokens)
        attended = _among_tokens(ops, placed, queries, f"{name}.self_attn")
        queries = _norm(ops, attended if layer == 0 else ops.add(queries, attended), f"{name}.norm1")
        placed_image = ops.add(image, positions)
        attended = _to_image(
            ops, ops.add(queries, tokens), placed_image, image, f"{name}.cross_attn_token_to_image"
        )
        queries = _norm(ops, ops.add(queries, attended), f"{name}.norm2")
        hidden = ops.relu(ops.linear(queries, f"{name}.mlp.lin1"))
        queries = _norm(ops, ops.add(queries, ops.linear(hidden, f"{name}.mlp.lin2")), f"{name}.norm3")
        attended = _from_tokens(
            ops, placed_image, ops.add(queries, tokens), queries, f"{name}.cross_attn_image_to_token"
        )
        image = _norm(ops, ops.add(image, attended), f"{name}.norm4")
    name = "transformer.final_attn_token_to_image"
    attended = _to_image(ops, ops.add(queries, tokens), ops.add(image, positions), image, name)
    queries = _norm(ops, ops.add(queries, attended), "transformer.norm_final_attn")
    quality = _perceptron(ops, ops.cut(queries, 1, 0, 1), "iou_prediction_head")
    return [_masks(ops, image, queries), ops.reshape(quality, (-1, MASKS))]


def _masks(ops: Ops, image: Tensor, queries: Tensor) -> Tensor:
    """Upscale the image twice by two, and take its product with a vector for each mask."""
    x = ops.reshape(ops.linear(image, "output_upscaling.0"), (-1, GRID**2 * 4, CHANNELS // 4))
    x = ops.gelu(ops.layer_norm(x, "output_upscaling.1", PLANE_NORM_EPSILON))
    x = ops.gelu(ops.linear(x, "output_upscaling.3"))
    x = ops.reshape(x, (-1, GRID**2 * 16, CHANNELS // 8))
    vectors = [
        _perceptron(ops, ops.cut(queries, 1, 1 + mask, 2 + mask), f"output_hypernetworks_mlps.{mask}")
        for mask in range(MASKS)
    ]
    masks = ops.matmul(ops.join(vectors, 1), x)
    # Rows, columns, then row and column in each of the two upscalings.
    masks = ops.permute(ops.reshape(masks, (-1, GRID, GRID, 2, 2, 2, 2)), (0, 1, 3, 5, 2, 4, 6))
    return ops.reshape(masks, (-1, MASKS, MASK_SIDE, MASK_SIDE))


def _heads(ops: Ops, x: Tensor, name: str) -> Tensor:
    """(B, T, C) projected to (B, HEADS, T, channels of a head)."""
    return ops.permute(ops.reshape(ops.linear(x, name), (0, 0, HEADS, -1)), (0, 2, 1, 3))


def _unite(ops: Ops, x: Tensor, name: str) -> Tensor:
    """(B, HEADS, T, channels of a head) projected to (B, T, C)."""
    return ops.linear(ops.reshape(ops.permute(x, (0, 2, 1, 3)), (0, 0, -1)), name)


def _among_tokens(ops: Ops, placed: Tensor, tokens: Tensor, name: str) -> Tensor:
    query, key = _heads(ops, placed, f"{name}.q_proj"), _heads(ops, placed, f"{name}.k_proj")
    attended = ops.attention(query, key, _heads(ops, tokens, f"{name}.v_proj"))
    return _unite(ops, attended, f"{name}.out_proj")


# Between the few tokens and the many of the image, the projections are done on the side of the few:
# (x A) (y B)^T is x (A B^T) y^T. That is half of the work.


def _to_image(ops: Ops, placed: Tensor, placed_image: Tensor, image: Tensor, name: str) -> Tensor:
    """The tokens look at the image: (B, T, C)."""
    query = ops.matmul(_heads(ops, placed, f"{name}.q_proj"), ops.constant(f"{name}.keys"))
    attended = ops.attention(ops.reshape(query, (0, -1, CHANNELS)), placed_image, image)
    attended = ops.reshape(attended, (0, HEADS, -1, CHANNELS))
    return _unite(ops, ops.matmul(attended, ops.constant(f"{name}.values")), f"{name}.out_proj")


def _from_tokens(ops: Ops, placed_image: Tensor, placed: Tensor, tokens: Tensor, name: str) -> Tensor:
    """The image looks at the tokens: (B, GRID * GRID, C)."""
    key = _heads(ops, placed, f"{name}.k_proj")
    value = ops.matmul(_heads(ops, tokens, f"{name}.v_proj"), ops.constant(f"{name}.out"))
    absorbed = ops.reshape(ops.matmul(key, ops.constant(f"{name}.queries")), (0, -1, CHANNELS))
    shift = ops.reshape(ops.matmul(key, ops.constant(f"{name}.queries_bias")), (0, 1, -1))
    scores = ops.add(ops.matmul(placed_image, absorbed), shift)
    shares = ops.softmax(ops.reshape(scores, (0, 0, HEADS, -1)))
    value = ops.permute(ops.reshape(value, (0, -1, CHANNELS)), (0, 2, 1))
    attended = ops.matmul(ops.reshape(shares, (0, 0, -1)), value)
    return ops.add(attended, ops.constant(f"{name}.out_proj.bias"))


def _perceptron(ops: Ops, x: Tensor, name: str) -> Tensor:
    x = ops.relu(ops.linear(x, f"{name}.layers.0"))
    x = ops.relu(ops.linear(x, f"{name}.layers.1"))
    return ops.linear(x, f"{name}.layers.2")


def _norm(ops: Ops, x: Tensor, name: str) -> Tensor:
    return ops.layer_norm(x, name, LAYER_NORM_EPSILON)
