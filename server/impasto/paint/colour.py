"""Keeping the photograph's colours: lightness from the painting, chroma from the photograph."""

from __future__ import annotations

import numpy as np

from impasto.raster.colour import encoded, linear

# Ottosson 2020, "A perceptual color space for image processing" (Oklab), from linear sRGB.
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
FROM_LMS = np.linalg.inv(TO_LMS)
FROM_LAB = np.linalg.inv(TO_LAB)
GAMUT_SLACK = 2e-3
BISECTIONS = 6
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def oklab(srgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB-encoded 0..1 to Oklab: lightness 0..1, then the two chroma axes."""
    return np.cbrt(linear(srgb) @ TO_LMS.T) @ TO_LAB.T


def linear_from_oklab(lab: np.ndarray) -> np.ndarray:
    """(..., 3) Oklab to linear sRGB, which lies outside 0..1 where the gamut ends."""
    return (lab @ FROM_LAB.T) ** 3 @ FROM_LMS.T


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
