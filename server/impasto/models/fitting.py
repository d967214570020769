"""The bundled network and numbers by which a style code is fitted to its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from impasto.models.gallery import BUNDLED

LOSS_NETWORK = BUNDLED / "loss_network.safetensors"
CURVATURE = BUNDLED / "curvature.safetensors"


@dataclass(frozen=True)
class Curvature:
    """How the loss bends where the arbitrary painter's code changes.

    Attributes:
        inverse: (L, L) float32, of the mean second derivatives by the numbers of a code, in units of
            "usual.scale".
        photographs: (N, S, S, 3) uint8, what is painted.
        fingerprint: of the painter.
    """

    inverse: np.ndarray
    photographs: np.ndarray
    fingerprint: str


@cache
def loss_network(path: Path = LOSS_NETWORK) -> dict[str, np.ndarray]:
    """Weights of `engines.loss_network`, as `scripts/train/loss_network.py` wrote them: float32."""
    from safetensors.numpy import load_file

    return {name: value.astype(np.float32) for name, value in load_file(path).items()}


@cache
def curvature(path: Path = CURVATURE) -> Curvature:
    """As `scripts/train/curvature.py` wrote it."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        triangle = file.get_tensor("inverse").astype(np.float32)
        length = math.isqrt(2 * len(triangle))
        inverse = np.zeros((length, length), np.float32)
        inverse[np.triu_indices(length)] = triangle
        inverse += np.triu(inverse, 1).T
        return Curvature(inverse, file.get_tensor("photographs"), file.metadata()["fingerprint"])
