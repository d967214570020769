"""Refined masks: on hair, branches and railings of known mattes, and where there is nothing to refine."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from PIL import Image

from impasto.raster import Raster
from impasto.regions.edges import Refiner, refine
from mattes import HEIGHT, WIDTH, boundary_score, branches, composite, hair, matte, railings

CELLS = 128
"""Cells across of the coarse masks, as the segmenter gives them."""

BETTER = 2.0
"""Times that the boundary F-score (2 px at 1600) rises on the mean of the six composites; seen: 2.3."""

PAIRS = (("lake-sherburne", "singaporean-cityscape"), ("oakland-zoo-otters", "roman-colosseum"))


def coarse(mask: np.ndarray) -> np.ndarray:
    height = round(CELLS * mask.shape[0] / mask.shape[1])
    return np.asarray(Image.fromarray(mask).resize((CELLS, height), Image.Resampling.BOX))


def test_boundaries_come_much_nearer_to_the_matte() -> None:
    scores = []
    for thing, (front, behind) in product((branches, railings, hair), PAIRS):
        truth = matte(thing)
        blurred = coarse(truth)
        raw = np.asarray(Image.fromarray(blurred).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
        refined = refine(blurred, composite(truth, front, behind))
        scores.append((boundary_score(raw, truth), boundary_score(refined, truth)))
        assert scores[-1][1] > 1.15 * scores[-1][0]
        assert np.abs(refined - truth).mean() < np.abs(raw - truth).mean()
    raw, refined = np.mean(scores, axis=0)
    assert refined > BETTER * raw


@pytest.fixture(scope="module")
def noise() -> Raster:
    return Raster(np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_edges_stays_exact(noise: Raster, value: float) -> None:
    assert np.all(refine(np.full((60, 80), value, np.float32), noise) == value)


def test_nothing_changes_away_from_the_edges_even_in_noise(noise: Raster) -> None:
    square = np.full((75, 100), 0.04, np.float32)  # a veil, as networks leave it
    square[20:50, 30:70] = 0.97
    mask = refine(square, noise)
    assert mask.dtype == np.float32
    assert np.all(mask[:100] == 0)
    assert np.all(mask[:, :180] == 0)
    assert np.all(mask[210:350, 290:510] == 1)
    assert mask.min() == 0
    assert mask.max() == 1


def test_a_part_is_the_same_as_in_the_whole(noise: Raster) -> None:
    square = np.zeros((75, 100), np.float32)
    square[20:50, 30:70] = 1
    refiner = Refiner(noise)
    part = refiner.refine(square, (100, 50, 700, 333))
    assert part.shape == (283, 600)
    np.testing.assert_allclose(part, refiner.refine(square)[50:333, 100:700], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 3), (40, 2000)], ids=str)
def test_odd_sizes(size: tuple[int, int]) -> None:
    picture = Raster(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8))
    half = np.zeros((6, 8), np.float32)
    half[:, 4:] = 1
    mask = refine(half, picture)
    assert mask.shape == size
    assert np.isfinite(mask).all()
    assert 0 <= mask.min() <= mask.max() <= 1


def test_sixteen_bits_gray_and_alpha_are_guides_too(noise: Raster) -> None:
    half = np.zeros((6, 8), np.float32)
    half[:, 4:] = 1
    expected = refine(half, noise)
    deep = noise.replace(pixels=noise.pixels.astype(np.uint16) * 257)
    np.testing.assert_allclose(refine(half, deep), expected, atol=1e-3)
    gray = noise.replace(pixels=noise.pixels[..., :1].copy(), alpha=np.full((600, 800), 255, np.uint8))
    assert refine(half, gray).shape == (600, 800)
