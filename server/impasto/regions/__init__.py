"""Selectors made into masks: where in a picture the sky is, a clicked object, what somebody painted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from impasto.errors import JobError, ModelMissing
from impasto.job import Region
from impasto.raster import Raster
from impasto.raster.picture import quantise
from impasto.regions import classes, edges, objects, painted, tones
from impasto.regions.shapes import FULL, Values, feathered, grown, joined
from impasto.runtime import Check
from impasto.selector import (
    Box,
    Changed,
    Colour,
    Luminance,
    Named,
    Not,
    Painted,
    Pair,
    Points,
    Segment,
    Selector,
    parse,
)
from impasto.styles.references import ATTACHMENT
from impasto.styles.sources import Attachment

MASKS_KEPT = 6
"""Masks of a picture that are remembered while its regions are made."""


class Selection:
    """What is selected in one picture."""

    def __init__(
        self, raster: Raster, attachments: Sequence[Attachment] = (), check: Check = lambda: None
    ) -> None:
        """
        Args:
            raster: the picture.
            attachments: that came along with the job: selectors refer to the masks among them.
            check: called while a network looks at the picture; raises to stop.
        """
        self.raster, self.attachments, self.check = raster, attachments, check
        self._found: dict[Selector, Values] = {}

    def region(self, region: Region) -> Values:
        """The mask of a region, grown and feathered: (H, W) uint16, 0 outside to `FULL` inside.

        Raises:
            JobError: a painted mask that is missing or not of the picture's size.
            ModelMissing: an object is selected, and the weights for that are not installed.
        """
        return feathered(grown(self.mask(parse(region.select)), region.grow), region.feather)

    def mask(self, selector: Selector) -> Values:
        """As `region`, for a selector."""
        if selector not in self._found:
            made = self._made(selector)
            while len(self._found) >= MASKS_KEPT:
                self._found.pop(next(iter(self._found)))
            self._found[selector] = made
        return self._found[selector]

    def _made(self, selector: Selector) -> Values:
        match selector:
            case Not(inner):
                return FULL - self.mask(inner)
            case Pair(sign, left, right):
                return joined(sign, self.mask(left), self.mask(right))
            case Changed("feather", inner, amount):
                return feathered(self.mask(inner), amount)
            case Changed(function, inner, amount):
                return grown(self.mask(inner), amount if function == "grow" else -amount)
            case Painted(ref):
                return self._painted(ref)
            case Luminance():
                return tones.luminance(self.raster, selector)
            case Colour():
                return tones.colour(self.raster, selector)
            case Named("background"):
                return FULL - self.mask(Named("subject"))
            case Named() | Points() | Box() | Segment():
                return self._seen(selector)

    def _painted(self, ref: str) -> Values:
        number = ref.removeprefix(ATTACHMENT)
        if number == ref or int(number) >= len(self.attachments):
            raise JobError(f"The mask “{ref}” did not come along with the job.")
        attached = self.attachments[int(number)]
        if attached.raster is None:
            raise JobError(f"“{attached.name}” is no mask; a mask is a picture.")
        return painted.coverage(attached.raster(), self.raster.width, self.raster.height, attached.name)

    def _seen(self, selector: Named | Points | Box | Segment) -> Values:
        """What a network finds, brought to the picture's own edges."""
        raster, check = self.raster, self.check
        match selector:
            case Named("subject"):
                coarse = subject(raster, check)
            case Named(name):
                coarse = classes.mask(raster, name, check)
            case Segment(number):
                coarse = objects.segment(raster, number, check)
            case Box(corners):
                coarse = objects.pick(raster, (), corners, check)
            case Points(points):
                coarse = objects.pick(raster, points, None, check)
        return quantise(self.refiner.refine(coarse), np.uint16)

    @cached_property
    def refiner(self) -> edges.Refiner:
        return edges.Refiner(self.raster)


def subject(raster: Raster, check: Check) -> np.ndarray:
    """What a picture is of: (h, w) float32 in 0..1. Without Segment Anything, by the classes."""
    try:
        return objects.subject(raster, check)
    except ModelMissing:
        return classes.subject(raster, check)
