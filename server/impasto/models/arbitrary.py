"""The bundled network that paints in the style of any picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from impasto.models.gallery import BUNDLED

FILE = BUNDLED / "arbitrary.safetensors"


@dataclass(frozen=True)
class ArbitraryWeights:
    """The network of `engines.arbitrary`.

    Attributes:
        weights: float32 arrays, as `runtime.Weights`.
        fingerprint: identifies the painter that the codes steer.
    """

    weights: dict[str, np.ndarray]
    fingerprint: str


@cache
def load(path: Path = FILE) -> ArbitraryWeights:
    """The weights that `scripts/train/arbitrary.py` wrote."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        fingerprint = file.metadata()["fingerprint"]
        weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    return ArbitraryWeights(weights, fingerprint)
