"""The bundled gallery: who painted what, and the weights of the network that learned it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from impasto.errors import UnknownStyle, did_you_mean

BUNDLED = Path(__file__).parent / "bundled"

FILE = BUNDLED / "gallery.safetensors"

PAINTINGS = BUNDLED / "paintings"
"""A small reproduction of each style's painting, NAME.jpg, for engines that look at pictures."""


@dataclass(frozen=True)
class Style:
    """A named style of the gallery and the public-domain painting it was learned from.

    Attributes:
        part: left, top, right and bottom of what it was learned from, in 0..1 of the painting's sides; all of
            it but where much is black or of one colour.
    """

    name: str
    title: str
    artist: str
    year: str
    technique: str
    painting: str
    part: Sequence[float] = (0, 0, 1, 1)

    @property
    def credit(self) -> str:
        return f"{self.title}, {self.artist}, {self.year}"


@dataclass(frozen=True)
class GalleryWeights:
    """The gallery's network.

    Attributes:
        shape: keyword arguments of `engines.painter.Shape`.
        weights: float32 arrays as `runtime.Weights`.
        codes: (styles, code length) float32, in the order of `styles()`.
        fingerprint: identifies the painter that the codes steer.
    """

    shape: dict[str, int]
    weights: dict[str, np.ndarray]
    codes: np.ndarray
    fingerprint: str


@cache
def styles() -> tuple[Style, ...]:
    """Every style of the gallery, in the order of the codes."""
    entries = tomllib.loads((BUNDLED / "gallery.toml").read_text(encoding="utf-8"))["style"]
    return tuple(Style(**entry) for entry in entries)


def names() -> list[str]:
    """Names of the gallery's styles, in the order of the codes."""
    return [style.name for style in styles()]


def find(name: str) -> int:
    """Index of the style called `name`.

    Raises:
        UnknownStyle: with the nearest names.
    """
    if name not in names():
        near = did_you_mean(name, names())
        raise UnknownStyle(f"There is no style “{name}”{near}; “impasto styles” lists them all.")
    return names().index(name)


@cache
def load(path: Path = FILE) -> GalleryWeights:
    """The weights that `scripts/train/export.py` wrote."""
    from safetensors import safe_open

    tensors: dict[str, np.ndarray] = {}
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        for name in file.keys():  # noqa: SIM118 - not a mapping
            tensors[name] = file.get_tensor(name).astype(np.float32)
    codes = tensors.pop("codes")
    return GalleryWeights(json.loads(metadata["shape"]), tensors, codes, metadata["fingerprint"])
