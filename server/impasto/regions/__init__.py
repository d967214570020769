"""Selectors made into masks: where in a picture the sky is, a clicked object, what somebody painted."""

from __future__ import annotations

from collections.abc import Sequence

from impasto.errors import JobError
from impasto.job import Region
from impasto.raster import Raster
from impasto.regions import painted, tones
from impasto.regions.shapes import FULL, Values, feathered, grown, joined
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

    def __init__(self, raster: Raster, attachments: Sequence[Attachment] = ()) -> None:
        """
        Args:
            raster: the picture.
            attachments: that came along with the job: selectors refer to the masks among them.
        """
        self.raster, self.attachments = raster, attachments
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
                raise JobError(f"“{selector}” cannot be selected yet; paint a mask instead.")

    def _painted(self, ref: str) -> Values:
        number = ref.removeprefix(ATTACHMENT)
        if number == ref or int(number) >= len(self.attachments):
            raise JobError(f"The mask “{ref}” did not come along with the job.")
        attached = self.attachments[int(number)]
        if attached.raster is None:
            raise JobError(f"“{attached.name}” is no mask; a mask is a picture.")
        return painted.coverage(attached.raster(), self.raster.width, self.raster.height, attached.name)
