"""The main object of a picture: the best of SAM's answers at points around the middle.

Photographers put what they mean large and near the middle, and cut it by the frame less than what
surrounds it; that is all that is used here. A group of things that SAM knows one by one, such as the
houses of a town, is what its surroundings leave.
"""

from __future__ import annotations

import numpy as np

from impasto.regions.mask_decoder import MASK_SIDE
from impasto.regions.sam import SIDE, Sam
from impasto.regions.segments import QUALITY, STABILITY, answers, grid, stability
from impasto.runtime import Check

MIDDLE = 0.7
"""Share of each side in which a point of the main object is looked for."""

SURROUNDINGS = 0.3
"""Share of the frame that is covered by a mask that belongs to the surroundings."""

LEFT_OVER = 0.8
"""Quality of what the surroundings leave."""

SPREAD = 0.28
"""Standard deviation of the middle's weight, in parts of each side."""


def find(model: Sam, encoded: np.ndarray, height: int, width: int, check: Check) -> np.ndarray:
    """Logits of the main object of an encoded picture, (MASK_SIDE, MASK_SIDE) float32.

    Args:
        model: the model that encoded it.
        encoded: the picture.
        height, width: of the picture, the longer one `SIDE`.
        check: see `Check`.
    """
    size = np.array([width, height], np.float32)
    points = (grid(height, width, 8) - size / 2) * MIDDLE + size / 2
    rows, columns = (max(1, round(side * MASK_SIDE / SIDE)) for side in (height, width))
    found = list(answers(model, encoded, points, check))
    around = [mask for mask, quality in found if surrounds(mask[:rows, :columns], quality)]
    if around:
        found.append((-np.max(around, axis=0), LEFT_OVER))
    return max(found, key=lambda answer: score(answer[0][:rows, :columns], answer[1]))[0]


def surrounds(logits: np.ndarray, quality: float) -> bool:
    """Whether a mask is a sure one and covers much of the frame."""
    return quality > QUALITY and stability(logits) >= STABILITY and on_frame(logits > 0) > SURROUNDINGS


def on_frame(mask: np.ndarray) -> float:
    """Share of the frame that a mask covers."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def score(logits: np.ndarray, quality: float) -> float:
    """How much a mask looks like the main object."""
    rows, columns = logits.shape
    mask = logits > 0
    area = mask.mean()
    if not area:
        return 0.0
    y = (np.arange(rows) + 0.5) / rows - 0.5
    x = (np.arange(columns) + 0.5) / columns - 0.5
    middle = np.exp(-(y[:, None] ** 2 + x**2) / (2 * SPREAD**2))
    # The middle that it covers, less what it covers of the rest.
    fit = middle[mask].sum() / np.sqrt(mask.sum() * np.square(middle).sum())
    return float(quality * stability(logits) * fit * (1 - on_frame(mask)))
