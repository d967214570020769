"""Weights in about a quarter of their size: eight bits each, with a scale for each output channel.

B. Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", section 3; here the weights alone are integers, and are made floats again before they are used.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LARGEST = 127
"""Integers go from its negative to it."""


def quantised(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same weights for a file.

    Args:
        weights: floats as `runtime.Weights`.

    Returns:
        for each NAME.weight, (out, ...) int8 and "NAME.scale", (out,) float32. Biases, and kernels that work
        channel by channel, which are few and where rounding does the most harm, are float16. All are in C
        order, as safetensors takes for granted.
    """
    stored: dict[str, np.ndarray] = {}
    for name, value in weights.items():
        if not name.endswith(".weight") or value.shape[1] == 1:
            stored[name] = value.astype(np.float16, "C")
            continue
        greatest = np.abs(value).max(tuple(range(1, value.ndim)), keepdims=True).astype(np.float32)
        scale = np.maximum(greatest, np.finfo(np.float32).tiny) / np.float32(LARGEST)
        stored[name] = np.rint(value / scale).astype(np.int8, "C")
        stored[f"{name.removesuffix('.weight')}.scale"] = scale.ravel()
    return stored


def restored(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights that `quantised` stored: float32 as `runtime.Weights`."""
    weights: dict[str, np.ndarray] = {}
    for name, value in stored.items():
        if name.endswith(".scale"):
            continue
        scale = stored.get(f"{name.removesuffix('.weight')}.scale", np.ones(1, np.float32))
        weights[name] = value.astype(np.float32) * scale.reshape(-1, *(1 for _ in value.shape[1:]))
    return weights
