"""Models kept as safetensors, with the sha256 of what they were made from and of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from impasto.models import pickled


def convert(published: Path, sha256: str) -> bytes:
    """A published file, whose sha256 has been verified, as safetensors.

    Raises:
        NotPlain: it holds anything but tensors.
        OSError: it cannot be read.
    """
    tensors = pickled.read(published)
    return save(tensors, {"source": sha256, "tensors": _fingerprint(tensors)})


def load(path: Path, sha256: str) -> dict[str, np.ndarray] | None:
    """What `convert` made of the file with this sha256, or None when it is missing, damaged or another."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError):
        return None
    right = metadata.get("source") == sha256 and metadata.get("tensors") == _fingerprint(tensors)
    return tensors if right else None


def _fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    """sha256 of all names, types, shapes and numbers."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        total.update(np.ascontiguousarray(tensor).data)
    return total.hexdigest()
