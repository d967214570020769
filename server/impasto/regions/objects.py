"""Objects in a picture, found by Segment Anything: what lies at a click or in a box, each one, the main one.

A picture is encoded once. What it was encoded to is remembered for the few pictures that were asked
about last, so that a further click is answered at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from impasto.errors import JobError, UsageError, did_you_mean
from impasto.raster import Raster
from impasto.raster.sampling import working_copy
from impasto.regions import segments, subjects
from impasto.regions.mask_decoder import CORNER, INSIDE, MASK_SIDE, NO_POINT, OPPOSITE_CORNER, OUTSIDE
from impasto.regions.sam import MODELS, SIDE, Sam, enlarged, sam
from impasto.regions.segments import Segments, share
from impasto.runtime import Check, nothing

Point = tuple[float, float, bool]
"""x and y in pixels of the full picture, and whether it lies inside the object."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the full picture."""

SCENES_KEPT = 4

KERNEL = "linear"
"""What SAM's training scaled its pictures by."""


class Scene:
    """A picture that was encoded. Its masks are of the whole picture, the longer side `SIDE` pixels."""

    def __init__(self, model: Sam, raster: Raster, check: Check = nothing) -> None:
        self.model = model
        self.picture_size = raster.width, raster.height
        self.width, self.height = (
            max(1, round(side * SIDE / max(self.picture_size))) for side in self.picture_size
        )
        self.encoded = model.encode(working_copy(raster, self.width, self.height, KERNEL), check)
        self._segments: Segments | None = None
        self._subject: np.ndarray | None = None

    def pick(self, points: Sequence[Point], box: Box | None = None, check: Check = nothing) -> np.ndarray:
        """The object at these points, in this box, or both: (h, w) float32 in 0..1.

        Raises:
            JobError: nothing says where the object is.
        """
        if box is None and not any(inside for *_, inside in points):
            raise JobError("An object needs a point inside it, or a box around it.")
        self._check_inside(points, box)
        scale = np.array([self.width, self.height]) / self.picture_size
        places = [(x, y) for x, y, _ in points] + ([(0, 0)] if box is None else [box[:2], box[2:]])
        kinds = [INSIDE if inside else OUTSIDE for *_, inside in points]
        kinds += [NO_POINT] if box is None else [CORNER, OPPOSITE_CORNER]
        where = np.array(places, np.float32) * scale.astype(np.float32)
        answers, quality = self.model.decode(self.encoded, where[None], np.array([kinds]), check)
        best = choose(answers[0], quality[0], where[: len(points)], kinds[: len(points)], box is not None)
        return share(enlarged(answers[0, best], self.height, self.width))

    def _check_inside(self, points: Sequence[Point], box: Box | None) -> None:
        width, height = self.picture_size
        for x, y, _ in points:
            if not (0 <= x < width and 0 <= y < height):
                raise JobError(
                    f"The point {x:g},{y:g} lies outside the picture of {width} x {height} pixels."
                )
        if box is not None and not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
            corners = ",".join(f"{number:g}" for number in box)
            raise JobError(f"The box {corners} is no box in the picture of {width} x {height} pixels.")

    def everything(self, check: Check = nothing) -> Segments:
        """Every object of the picture."""
        if self._segments is None:
            self._segments = segments.find(self.model, self.encoded, self.height, self.width, check)
        return self._segments

    def subject(self, check: Check = nothing) -> np.ndarray:
        """The main object: (h, w) float32 in 0..1."""
        if self._subject is None:
            logits = subjects.find(self.model, self.encoded, self.height, self.width, check)
            self._subject = share(enlarged(logits, self.height, self.width))
        return self._subject


def choose(
    answers: np.ndarray, quality: np.ndarray, points: np.ndarray, kinds: Sequence[int], boxed: bool
) -> int:
    """Which of SAM's answers is meant.

    One click may mean a part, an object or the whole, and SAM says how sure it is of each. Several
    clicks, or a box, mean one thing, for which there is an answer of its own; among all of them, one
    that has each click on its side comes before a better one that has not.
    """
    if len(points) == 1 and not boxed:
        return 1 + int(quality[1:].argmax())
    cells = (points * (MASK_SIDE / SIDE)).astype(int).clip(0, MASK_SIDE - 1)
    inside = answers[:, cells[:, 1], cells[:, 0]] > 0
    right = (inside == (np.array(kinds, int) == INSIDE)).sum(1)
    return max(range(len(answers)), key=lambda answer: (right[answer], quality[answer]))


_scenes: dict[tuple[str, bytes], Scene] = {}


def scene(raster: Raster, check: Check = nothing) -> Scene:
    """A picture as the chosen model sees it, encoded unless it is remembered.

    `IMPASTO_SAM` names one of `sam.MODELS`, the first where it is not set.

    Raises:
        ModelMissing: the model is not installed; with the command that fetches it.
        UsageError: `IMPASTO_SAM` names no model.
        OutOfMemory: the device's memory does not hold it.
    """
    name = os.environ.get("IMPASTO_SAM") or MODELS[0]
    if name not in MODELS:
        near = did_you_mean(name, list(MODELS)) or f" (known: {', '.join(MODELS)})"
        raise UsageError(f"IMPASTO_SAM names no model: “{name}”{near}.")
    key = name, fingerprint(raster)
    found = _scenes.pop(key, None) or Scene(sam(name), raster, check)
    _scenes[key] = found
    while len(_scenes) > SCENES_KEPT:
        _scenes.pop(next(iter(_scenes)))
    return found


def forget() -> None:
    """Forget all pictures."""
    _scenes.clear()


def fingerprint(raster: Raster) -> bytes:
    """Identifies what a picture shows."""
    total = hashlib.sha256(
        repr((raster.pixels.shape, raster.pixels.dtype.name, raster.alpha is None)).encode()
    )
    total.update(raster.icc or b"")
    for plane in (raster.pixels, raster.alpha):
        if plane is not None:
            total.update(plane.data)
    return total.digest()


def pick(
    raster: Raster, points: Sequence[Point], box: Box | None = None, check: Check = nothing
) -> np.ndarray:
    """See `Scene.pick` and `scene`."""
    return scene(raster, check).pick(points, box, check)


def segment(raster: Raster, number: int, check: Check = nothing) -> np.ndarray:
    """One object of `Scene.everything`, by its label: (h, w) float32 in 0..1.

    Raises:
        JobError: there is none with this label; and as `scene`.
    """
    return scene(raster, check).everything(check).mask(number)


def everything(raster: Raster, check: Check = nothing) -> Segments:
    """See `Scene.everything` and `scene`."""
    return scene(raster, check).everything(check)


def subject(raster: Raster, check: Check = nothing) -> np.ndarray:
    """See `Scene.subject` and `scene`."""
    return scene(raster, check).subject(check)
