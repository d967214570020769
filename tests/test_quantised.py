"""Weights in eight bits: what comes back is near, and never where there is nothing."""

from __future__ import annotations

import numpy as np

from impasto.runtime.quantised import LARGEST, quantised, restored


def test_weights_come_back_to_half_a_step_of_their_channel() -> None:
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-4, 2, (24, 1, 1, 1))  # channels of all sizes
    weights = {
        "a.weight": (rng.normal(size=(24, 3, 3, 5)) * spread).astype(np.float32).transpose(0, 3, 1, 2),
        "a.bias": rng.normal(size=24).astype(np.float32),
        "b.weight": rng.normal(size=(7, 9)).astype(np.float32),
        "c.weight": rng.normal(size=(8, 1, 3, 3)).astype(np.float32),
    }
    stored = quantised(weights)
    assert {name: value.dtype.name for name, value in stored.items()} == {
        "a.weight": "int8",
        "a.scale": "float32",
        "a.bias": "float16",
        "b.weight": "int8",
        "b.scale": "float32",
        "c.weight": "float16",
    }
    assert all(value.flags.c_contiguous for value in stored.values())
    found = restored(stored)
    assert {name: value.dtype for name, value in found.items()} == dict.fromkeys(weights, np.float32)
    for name in ("a.weight", "b.weight"):
        value = weights[name]
        step = np.abs(value).max(tuple(range(1, value.ndim)), keepdims=True) / LARGEST
        assert (np.abs(found[name] - value) <= 0.501 * step).all()
    for name in ("a.bias", "c.weight"):
        np.testing.assert_allclose(found[name], weights[name], rtol=1e-3)


def test_a_channel_of_zeros_stays_zero() -> None:
    weights = {"a.weight": np.zeros((2, 3, 1, 1), np.float32)}
    np.testing.assert_array_equal(restored(quantised(weights))["a.weight"], weights["a.weight"])
