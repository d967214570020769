"""Keeping colour: Oklab itself, and what `keep_color` promises."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.paint.colour import keep_color
from impasto.raster.colour import encoded
from impasto.raster.oklab import linear_from_oklab, oklab


def random_colors(seed: int, count: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3), np.float32)


def chroma_error(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance in the two chroma axes of Oklab; 0.01 is about the smallest visible step."""
    return np.linalg.norm((oklab(x) - oklab(y))[..., 1:], axis=-1)


def test_oklab_round_trip() -> None:
    colors = random_colors(0)
    assert np.abs(encoded(linear_from_oklab(oklab(colors))) - colors).max() < 1e-4


@pytest.mark.parametrize(
    ("srgb", "lab"),
    [  # Ottosson 2020, and the CSS Color 4 sample values
        ((1, 1, 1), (1, 0, 0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_known_colors(srgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert oklab(np.array(srgb, np.float32)) == pytest.approx(np.array(lab), abs=2e-4)


def test_amount_zero_is_the_painting_itself() -> None:
    painted = random_colors(1)
    assert keep_color(painted, random_colors(2), 0) is painted


def test_full_amount_has_the_photographs_chroma() -> None:
    painted, photo = random_colors(3), random_colors(4)
    error = chroma_error(keep_color(painted, photo, 1.0), photo)
    assert error.mean() < 0.002
    assert np.quantile(error, 0.99) < 0.02


def test_no_grey_haze_where_the_painting_is_white_or_black() -> None:
    photo = np.tile(np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.9]], np.float32), (50, 1))
    painted = np.repeat(np.array([[0.0] * 3, [1.0] * 3], np.float32), 50, 0)
    assert chroma_error(keep_color(painted, photo, 1.0), photo).max() < 0.02


def test_lightness_stays_the_paintings_where_the_gamut_allows() -> None:
    gray = np.linspace(0.2, 0.8, 50, dtype=np.float32)[:, None].repeat(3, 1)
    photo = np.full_like(gray, 0.5) + np.array([0.03, 0.0, -0.03], np.float32)
    kept = keep_color(gray, photo, 1.0)
    assert np.abs(oklab(kept)[:, 0] - oklab(gray)[:, 0]).max() < 0.002


def test_amount_is_monotone() -> None:
    painted, photo = random_colors(5), random_colors(6)
    errors = [chroma_error(keep_color(painted, photo, amount / 5), photo).mean() for amount in range(6)]
    assert errors == sorted(errors, reverse=True)
