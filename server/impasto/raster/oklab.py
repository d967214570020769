"""Oklab, a space in which distances are about as large as they look."""

from __future__ import annotations

import numpy as np

from impasto.raster.colour import linear

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


def oklab(srgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB-encoded 0..1 to Oklab: lightness 0..1, then the two chroma axes."""
    return np.cbrt(linear(srgb) @ TO_LMS.T) @ TO_LAB.T


def linear_from_oklab(lab: np.ndarray) -> np.ndarray:
    """(..., 3) Oklab to linear sRGB, which lies outside 0..1 where the gamut ends."""
    return (lab @ FROM_LAB.T) ** 3 @ FROM_LMS.T
