"""Keeping the photograph's colours: lightness from the painting, chroma from the photograph."""

from __future__ import annotations

import numpy as np

from impasto.raster.colour import encoded
from impasto.raster.oklab import linear_from_oklab, oklab

GAMUT_SLACK = 2e-3
BISECTIONS = 6


def keep_color(painted: np.ndarray, photo: np.ndarray, amount: float) -> np.ndarray:
    """Give the painting the photograph's chroma, by `amount`.

    Where that chroma does not exist in sRGB at the painting's lightness, the lightness moves
    towards the photograph's until it does: clipping the chroma instead would leave a grey haze
    wherever the painting is very light or very dark.

    Args:
        painted, photo: (..., 3) float32, sRGB in 0..1.
        amount: 0 keeps the painting's colours, 1 the photograph's.

    Returns:
        (..., 3) float32, sRGB in 0..1.
    """
    if amount == 0:
        return painted
    target, original = oklab(painted), oklab(photo)
    mixed = target + amount * (original - target)
    target[..., 1:] = mixed[..., 1:]
    light = linear_from_oklab(target)
    outside = ((light < -GAMUT_SLACK) | (light > 1 + GAMUT_SLACK)).any(-1)
    if outside.any():
        light[outside] = _fitted(target[outside], mixed[outside, 0])
    return encoded(light.clip(0, 1)).astype(np.float32)


def _fitted(lab: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Move each lightness of `lab` (n, 3) towards `anchor` (n,) until it is in gamut: linear sRGB (n, 3)."""
    low, high = np.zeros_like(anchor), np.ones_like(anchor)
    trial = lab.copy()
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        trial[:, 0] = lab[:, 0] + middle * (anchor - lab[:, 0])
        light = linear_from_oklab(trial)
        outside = ((light < -GAMUT_SLACK) | (light > 1 + GAMUT_SLACK)).any(-1)
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    trial[:, 0] = lab[:, 0] + high * (anchor - lab[:, 0])
    return linear_from_oklab(trial)
