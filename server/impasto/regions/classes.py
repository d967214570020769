"""What is where in a picture, by the name of its class, and what it is a picture of; no download needed.

The masks are coarse; `regions.edges` brings them to the picture's own edges.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from impasto.models.gallery import BUNDLED
from impasto.raster import Raster
from impasto.raster.sampling import working_copy
from impasto.regions.segmenter import KERNEL, SIDE, forward
from impasto.runtime import Check, Executor, executor, nothing
from impasto.runtime.quantised import restored
from impasto.selector import CLASSES

WEIGHTS = BUNDLED / "segmenter.safetensors"

SCENES_KEPT = 8
"""Pictures whose answers are remembered."""

DECISION = 3.0
"""Power to which a class's chance is set against that of its likeliest rival: what is fairly sure counts as
sure, or much of a picture would be half selected."""

PLAYERS = ("person", "animal", "vehicle")
"""Classes that a picture is most often of."""

SURROUNDINGS = ("sky", "ground", "water")
"""Classes that it is hardly ever of."""

BACKSTAGE = 0.02
"""What counts of their weight: a church is small before its sky."""

PRESENCE = 0.015
"""Share of the picture that those in `PLAYERS` must have to be what it is of."""

COMPANY = 0.35
"""Share of the main part's weight that another part must have to belong to the subject."""

SPREAD = 0.3
"""Standard deviation of the middle's weight, in parts of each side."""


_scenes: dict[bytes, np.ndarray] = {}


@cache
def _network() -> Executor:
    from safetensors.numpy import load_file

    return executor(forward, restored(load_file(WEIGHTS)), (3,), (), exact=True)


def chances(raster: Raster, check: Check = nothing) -> np.ndarray:
    """How likely each class is in each cell of a picture; remembered for the last few pictures.

    Args:
        raster: the picture.
        check: see `Check`.

    Returns:
        (h, w, classes) float32, in the order of `CLASSES`, of sum 1.
    """
    small = np.ascontiguousarray(working_copy(raster, SIDE, SIDE, KERNEL), np.float32)
    key = hashlib.sha256(repr(small.shape).encode() + small.tobytes()).digest()
    found = _scenes.pop(key, None)
    if found is None:
        shares = _network()([2 * small - 1], [], check)
        found = shares / shares.sum(2, keepdims=True)  # rounded, if it was computed in bfloat16
    _scenes[key] = found
    while len(_scenes) > SCENES_KEPT:
        _scenes.pop(next(iter(_scenes)))
    return found


def mask(raster: Raster, name: str, check: Check = nothing) -> np.ndarray:
    """Where a picture shows a class.

    Args:
        raster: the picture.
        name: one of `CLASSES`.
        check: see `Check`.

    Returns:
        (h, w) float32 in 0..1 of the whole picture, coarse; one half where another class is as likely.
    """
    return decided(chances(raster, check), [CLASSES.index(name)])


def decided(shares: np.ndarray, chosen: list[int]) -> np.ndarray:
    """The chosen classes together against the likeliest of the others: (h, w) float32 in 0..1."""
    own = shares[..., chosen].sum(2) ** DECISION
    rival = np.delete(shares, chosen, 2).max(2) ** DECISION
    return own / np.maximum(own + rival, 1e-12)


def subject(raster: Raster, check: Check = nothing) -> np.ndarray:
    """What a picture is of, for where no Segment Anything is installed.

    People, animals and vehicles come first; without any, it is the class that has the middle, its
    surroundings last.

    Args:
        raster: the picture.
        check: see `Check`.

    Returns:
        (h, w) float32 in 0..1 of the whole picture, coarse.
    """
    shares = chances(raster, check)
    height, width = shares.shape[:2]
    y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in (height, width))
    middle = np.exp(-(y[:, None] ** 2 + x**2) / (2 * SPREAD**2)).astype(np.float32)
    players = [CLASSES.index(name) for name in PLAYERS]
    found = decided(shares, players)
    if (found > 0.5).mean() < PRESENCE:
        weights = (shares * middle[..., None]).sum((0, 1))
        weights[[CLASSES.index(name) for name in SURROUNDINGS]] *= BACKSTAGE
        found = decided(shares, [int(weights.argmax())])
    return found * main_parts(found > 0.5, middle)


def main_parts(inside: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Of separate parts those that weigh most, with a cell around them for their soft edges.

    Args:
        inside: (h, w) bool.
        weight: (h, w) float32.

    Returns:
        (h, w) bool.
    """
    left, parts = inside.copy(), []
    while left.any():
        seed = np.zeros_like(left)
        seed.flat[int(np.where(left, weight, -1).argmax())] = True
        while (spread := widened(seed) & left).sum() > seed.sum():
            seed = spread
        parts.append((float(weight[seed].sum()), seed))
        left &= ~seed
    heaviest = max((own for own, _ in parts), default=0)
    kept = [part for own, part in parts if own >= COMPANY * heaviest]
    return widened(np.any(kept, axis=0)) if kept else np.ones_like(inside)


def widened(mask: np.ndarray) -> np.ndarray:
    """A boolean mask and the eight neighbours of its cells."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
