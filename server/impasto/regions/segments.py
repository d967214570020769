"""Every object in a picture: SAM asked at a grid of points, its good answers kept once each.

Section 7.3 and appendix B of Kirillov et al. 2023, "Segment Anything".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impasto.errors import JobError
from impasto.regions.mask_decoder import INSIDE, MASK_SIDE, NO_POINT
from impasto.regions.sam import SIDE, Sam, enlarged
from impasto.regions.shapes import grown
from impasto.runtime import Check

POINTS = 24
"""Points of the grid along the longer side of the picture."""

BATCH = 8
"""Points that are asked at once; each needs 30 MB."""

QUALITY = 0.88
"""Least quality that the network predicts for a mask that is kept."""

STABILITY = 0.95
"""Least share of a mask that stays when the threshold moves by `STABILITY_STEP` to either side."""

STABILITY_STEP = 1.0

SAME = 0.7
"""Two masks whose boxes overlap by more than this (intersection over union) are one."""

LEFT = 0.02
"""Least share of a mask that is left when smaller ones lie over it; of less, mostly a rim is left."""

SEAM = 6
"""Pixels by which objects grow where there are none, so that neighbours touch."""

SHARPNESS = 3.0
"""SAM is trained for the sign of its logits; this factor makes an object's inside whole."""


@dataclass(frozen=True)
class Segments:
    """Objects from the largest to the smallest; where they overlap, the smaller one lies on top.

    Attributes:
        labels: (h, w) uint16, 0 where there is nothing, else 1 for the first object and so on; the
            same numbers for the same picture each time.
        logits: (objects, MASK_SIDE, MASK_SIDE) float16.
    """

    labels: np.ndarray
    logits: np.ndarray

    def mask(self, number: int) -> np.ndarray:
        """The object with this label: (h, w) float32 in 0..1.

        Raises:
            JobError: there is none.
        """
        count = len(self.logits)
        if not 1 <= number <= count:
            known = f"this picture's go from 1 to {count}" if count else "this picture has none"
            raise JobError(f"There is no segment {number}; {known}.")
        height, width = self.labels.shape

        def soft(index: int) -> np.ndarray:
            return share(enlarged(self.logits[index].astype(np.float32), height, width))

        mask = np.maximum(soft(number - 1), self.labels == number)
        for above in np.unique(self.labels[mask > 0.1]):
            if above > number:
                mask = np.minimum(mask, 1 - soft(above - 1))
        return mask


def find(model: Sam, encoded: np.ndarray, height: int, width: int, check: Check) -> Segments:
    """Find the objects of a picture of `height` x `width` pixels, the longer one `SIDE`, that was encoded."""
    rows, columns = (max(1, round(side * MASK_SIDE / SIDE)) for side in (height, width))
    found: list[np.ndarray] = []
    quality: list[float] = []
    for mask, own in answers(model, encoded, grid(height, width), check):
        if own > QUALITY and stability(mask[:rows, :columns]) >= STABILITY:
            found.append(mask.astype(np.float16))
            quality.append(own)
    kept = distinct([box(mask[:rows, :columns] > 0) for mask in found], quality)
    return ordered([found[index] for index in kept], height, width)


def answers(
    model: Sam, encoded: np.ndarray, points: np.ndarray, check: Check
) -> Iterator[tuple[np.ndarray, float]]:
    """The part, the object and the whole at each of (n, 2) points: one mask at a time, and its quality."""
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH]
        padded = np.stack([batch, np.zeros_like(batch)], 1)
        labels = np.tile([INSIDE, NO_POINT], (len(batch), 1))
        masks, quality = model.decode(encoded, padded, labels, check)
        for mask, own in zip(masks[:, 1:].reshape(-1, *masks.shape[2:]), quality[:, 1:].ravel(), strict=True):
            yield mask, float(own)


def grid(height: int, width: int, points: int = POINTS) -> np.ndarray:
    """Middles of equal cells, about square, `points` along the longer side: (n, 2) float32, x and y."""
    down, across = (max(1, round(points * side / max(height, width))) for side in (height, width))
    x = (np.arange(across, dtype=np.float32) + 0.5) * width / across - 0.5
    y = (np.arange(down, dtype=np.float32) + 0.5) * height / down - 0.5
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def stability(logits: np.ndarray) -> float:
    """Intersection over union of a mask at a higher and at a lower threshold; 0 for an empty one."""
    wide = np.count_nonzero(logits > -STABILITY_STEP)
    return np.count_nonzero(logits > STABILITY_STEP) / wide if wide else 0.0


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around a mask that is not empty, the first beyond at the end."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def distinct(boxes: list[tuple[int, int, int, int]], quality: list[float]) -> list[int]:
    """Non-maximum suppression: indices of the boxes that are kept, the best first."""
    kept: list[int] = []
    if not boxes:
        return kept
    corners = np.array(boxes, np.float64)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    for index in np.argsort(-np.array(quality), kind="stable"):
        others = corners[kept]
        low, high = (
            np.maximum(corners[index, :2], others[:, :2]),
            np.minimum(corners[index, 2:], others[:, 2:]),
        )
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        if (shared <= SAME * (areas[index] + areas[kept] - shared)).all():
            kept.append(int(index))
    return kept


def ordered(found: list[np.ndarray], height: int, width: int) -> Segments:
    """Number masks by area and then by position, and lay the smaller over the larger."""
    masks = [enlarged(logits.astype(np.float32), height, width) > 0 for logits in found]
    areas = [np.count_nonzero(mask) for mask in masks]
    order = sorted(range(len(found)), key=lambda index: (-areas[index], int(masks[index].argmax())))
    labels = _laid([masks[index] for index in order], height, width)
    left = np.bincount(labels.ravel(), minlength=len(order) + 1)[1:]
    kept = [index for index, visible in zip(order, left, strict=True) if visible > LEFT * areas[index]]
    labels = _laid([masks[index] for index in kept], height, width)
    for _ in range(SEAM):
        labels = np.where(labels == 0, grown(labels, 1), labels)
    logits = np.zeros((len(kept), MASK_SIDE, MASK_SIDE), np.float16)
    for place, index in enumerate(kept):
        logits[place] = found[index]
    return Segments(labels, logits)


def _laid(masks: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Masks one over the other, numbered from 1: (height, width) uint16."""
    labels = np.zeros((height, width), np.uint16)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    return labels


def share(logits: np.ndarray) -> np.ndarray:
    """Logits to how much of a pixel is the object's: 0..1."""
    return 1 / (1 + np.exp((-SHARPNESS * logits).clip(-30, 30)))
