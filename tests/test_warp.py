"""A picture is bent before it is painted, and straightened afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from impasto.engines.gallery import GalleryEngine
from impasto.engines.warp import FARTHEST, warp
from impasto.job import Look, StyleRef
from impasto.raster import load
from impasto.raster.sampling import resized
from impasto.runtime import nothing
from impasto.styles.sources import sources

EXAMPLES = Path(__file__).parents[1] / "examples"


def waves(height: int, width: int) -> np.ndarray:
    down, across = np.mgrid[:height, :width]
    planes = np.sin(across / 9), np.sin(down / 7), np.sin((across + down) / 11)
    return np.stack([0.5 + 0.4 * plane for plane in planes], -1).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(56, 56), (120, 696), (816, 1376), (1800, 1504)])
def test_what_was_bent_comes_back_to_its_place(height: int, width: int) -> None:
    picture, ground = waves(height, width), warp(height, width, 3)
    bent = ground.bent(picture)
    assert np.abs(bent - picture).mean() > 0.05
    inside = slice(16, -16), slice(16, -16)
    assert np.abs(ground.straight(bent) - picture)[inside].mean() < 0.002


def test_pixels_move_but_nothing_folds() -> None:
    down, across = (grid.astype(np.float32) / 400 for grid in np.mgrid[:400, :400])
    moved = 400 * warp(400, 400, 0).bent(np.stack([across, down, down], -1))[16:-16, 16:-16]
    away = moved[..., :2] - 400 * np.stack([across, down], -1)[16:-16, 16:-16]
    assert 0.4 * FARTHEST < np.abs(away).max() < 1.3 * FARTHEST
    assert np.diff(moved[..., 0], axis=1).min() > 0.2
    assert np.diff(moved[..., 1], axis=0).min() > 0.2


def test_moves_hang_on_the_middle_and_on_the_seed() -> None:
    picture = waves(240, 320)
    bent = warp(240, 320, 5).bent(picture)
    larger = warp(281, 361, 5).bent(np.pad(picture, ((20, 21), (20, 21), (0, 0)), "edge"))
    assert np.allclose(larger[40:-41, 40:-41], bent[20:-20, 20:-20], atol=0.01)
    assert np.abs(warp(240, 320, 6).bent(picture) - bent).mean() > 0.05


@pytest.mark.parametrize("style", ["great-wave", "dance", "pearl-earring"])
def test_strokes_in_a_sky_do_not_stand_in_rank_and_file(style: str) -> None:
    """Without the warp these have a lattice of 0.3 to 0.6."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from impasto.engines.lattice import lattice

    photo = resized(load(EXAMPLES / "roman-colosseum.jpg").to_srgb(), 1344, 756)
    painted = GalleryEngine().paint(photo, sources((StyleRef(style),)), Look(), nothing)
    sky = np.ascontiguousarray(painted[24:280, 880:1264])
    assert lattice(torch.from_numpy(sky).permute(2, 0, 1)[None]) < 0.05
