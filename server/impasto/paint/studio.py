"""From looks and regions to painted layers: what is painted where, with which engine, and once only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impasto.engines import WRAP, engine
from impasto.engines.pictures import within
from impasto.errors import UsageError
from impasto.job import Look, Region
from impasto.paint.canvas import Canvas, Easel
from impasto.paint.layers import Layer
from impasto.raster import Raster
from impasto.raster.sampling import image, pixels, resized, scaled
from impasto.regions import Selection
from impasto.regions.shapes import FULL, Mask, Values, cropped
from impasto.styles.sources import Attachment, StyleSource, sources

Progress = Callable[[float, str], None]

Sketch = Callable[[np.ndarray], None]
"""Called now and then with the picture so far, (h, w, 3) float32 sRGB in 0..1, by engines that take their
time."""

SKETCHED = 1.0
"""Seconds between two sketches."""

SKETCH_AREA = 512 * 512
"""Pixels of a sketch at most."""

CONTEXT = 96
"""Pixels at working size around a region that are painted along with it: what the network sees there
steers the strokes at the region's edge."""


@dataclass(frozen=True)
class Painting:
    """A painted picture and how it came about."""

    raster: Raster
    engine: str
    device: str
    seconds: float
    """The painting alone: without decoding, encoding and the loading of weights."""
    styles: tuple[StyleSource, ...]


class Studio:
    """One picture being painted."""

    def __init__(
        self,
        raster: Raster,
        look: Look,
        regions: Sequence[Region],
        attachments: Sequence[Attachment],
        progress: Progress,
        sketch: Sketch | None = None,
    ) -> None:
        """Arguments and errors as of `impasto.paint.paint`."""
        styled = [each for each in (look, *(region.look for region in regions)) if each.style]
        if not styled:
            raise UsageError("No style is chosen: name one with “--style NAME”; “impasto styles” lists them.")
        self.raster, self.look, self.regions, self.progress = raster, look, regions, progress
        self.sketch, self.sketched = sketch, time.monotonic()
        self.attachments = attachments
        progress(0.0, "loading the network")
        looks = [each for each in styled if each.strength > 0] or styled[:1]
        self.engines = {each.engine: engine(each.engine) for each in looks}
        self.began = time.perf_counter()
        self.sources = {each.style: sources(each.style, attachments) for each in looks}
        for each in looks:
            self.engines[each.engine].check(self.sources[each.style], each)
        self.easels: dict[tuple[float, bool], Easel] = {}

    def painting(self, result: Raster) -> Painting:
        """What has come about, `result` being the picture."""
        painters = dict.fromkeys(painter.name for painter in self.engines.values())
        devices = dict.fromkeys(painter.device for painter in self.engines.values())
        used = {source.ref: source for styles in self.sources.values() for source in styles}
        seconds = time.perf_counter() - self.began
        return Painting(result, " + ".join(painters), " + ".join(devices), seconds, tuple(used.values()))

    def layers(self, hidden: bool) -> list[Layer]:
        """The layers from bottom to top.

        Args:
            hidden: whether to paint what later regions cover entirely, too.
        """
        raster, regions = self.raster, self.regions
        masks: list[Mask | None] = []
        free: Values | None = None

        def check() -> None:
            self.progress(0.02 + 0.08 * len(masks) / len(regions), "selecting")

        selection = Selection(raster, self.attachments, check)
        for region in regions:
            check()
            masks.append(cropped(selection.region(region)))
        visible = [mask is not None for mask in masks]
        if regions:
            free = np.full((raster.height, raster.width), FULL, np.uint16)
            for number in reversed(range(len(masks))):
                mask = masks[number]
                if mask is not None:
                    area = free[mask.top : mask.bottom, mask.left : mask.right]
                    visible[number] = hidden or bool((area[mask.values > 0] > 0).any())
                    np.minimum(area, FULL - mask.values, out=area)
        base = self.look.style and self.look.strength > 0 and (hidden or free is None or free.any())
        made: list[tuple[int, Look, Mask | None]] = []
        if base:
            made.append((-1, self.look, None))
        for number, (region, mask) in enumerate(zip(regions, masks, strict=True)):
            if mask is not None and visible[number]:
                made.append((number, region.look, mask))
        canvases = self._canvases(made, free)
        return [Layer(number, look, mask, canvases.get(_passing(look))) for number, look, mask in made]

    def _canvases(self, made: list[tuple[int, Look, Mask | None]], free: Values | None) -> dict[Look, Canvas]:
        """One painting for each different look among the layers."""
        passes: dict[Look, list[Mask | None]] = {}
        for _, look, mask in made:
            if look.style and look.strength > 0:
                passes.setdefault(_passing(look), []).append(mask)
        canvases: dict[Look, Canvas] = {}
        for number, (look, masks) in enumerate(passes.items()):
            if (look.scale, look.tile) not in self.easels:
                self.easels[look.scale, look.tile] = Easel(self.raster, look.scale, look.tile)
            start, share = 0.1 + 0.7 * number / len(passes), 0.7 / len(passes)
            canvases[look] = self._canvas(look, masks, free, start, share)
        return canvases

    def _canvas(
        self, look: Look, masks: list[Mask | None], free: Values | None, start: float, share: float
    ) -> Canvas:
        easel = self.easels[look.scale, look.tile]
        left, top, right, bottom = 0, 0, easel.width, easel.height
        region: np.ndarray | None = None
        if free is not None:
            union = np.zeros_like(free)
            for mask in masks:
                if mask is None:
                    np.maximum(union, free, out=union)
                else:
                    area = union[mask.top : mask.bottom, mask.left : mask.right]
                    np.maximum(area, mask.values, out=area)
            small = pixels(scaled(image(union), easel.width, easel.height, "linear"))[..., 0]
            region = small * np.float32(1 / FULL)
            if None not in masks and not look.tile:
                left, top, right, bottom = self._box([mask for mask in masks if mask], easel)
        if look.sprite and easel.coverage is not None:
            region = easel.coverage if region is None else region * easel.coverage
        photo = easel.photo[top:bottom, left:right]
        region = None if region is None else region[top:bottom, left:right]
        margin = 0
        if look.tile:
            margin = WRAP
            around = ((margin, margin), (margin, margin))
            photo = np.pad(photo, (*around, (0, 0)), "wrap")
            # What is seen twice does not count twice.
            own = np.ones(easel.photo.shape[:2], np.float32) if region is None else region
            region = np.pad(own, around)
        reached = start

        def own_part(x: np.ndarray) -> np.ndarray:
            return x[margin : x.shape[0] - margin, margin : x.shape[1] - margin]

        def advance(fraction: float, what: str, picture: np.ndarray | None = None) -> None:
            nonlocal reached
            reached = start + share * fraction
            self.progress(reached, what)
            if picture is None or self.sketch is None or time.monotonic() < self.sketched + SKETCHED:
                return
            if region is None:  # all is painted, and nothing of the photograph shows
                factor = min(1.0, math.sqrt(SKETCH_AREA / (easel.width * easel.height)))
                size = max(1, round(easel.width * factor)), max(1, round(easel.height * factor))
                drawn = resized(picture, *size)
            else:
                part = own_part(resized(picture, photo.shape[1], photo.shape[0]))
                drawn = easel.photo.copy()
                area = drawn[top:bottom, left:right]
                area += (part - area) * own_part(region)[..., None]
                drawn = within(drawn, SKETCH_AREA)
            self.sketch(drawn.clip(0, 1))
            self.sketched = time.monotonic()

        painted = self.engines[look.engine].paint(
            np.ascontiguousarray(photo),
            self.sources[look.style],
            look,
            lambda: self.progress(reached, "painting"),
            mask=None if region is None else np.ascontiguousarray(region),
            progress=advance,
        )
        return Canvas(easel, own_part(painted), left, top)

    def _box(self, masks: list[Mask], easel: Easel) -> tuple[int, int, int, int]:
        """Where masks lie on an easel, with their context: left, top, right, bottom."""
        across, down = easel.width / self.raster.width, easel.height / self.raster.height
        left = math.floor(min(mask.left for mask in masks) * across) - CONTEXT
        top = math.floor(min(mask.top for mask in masks) * down) - CONTEXT
        right = math.ceil(max(mask.right for mask in masks) * across) + CONTEXT
        bottom = math.ceil(max(mask.bottom for mask in masks) * down) + CONTEXT
        return max(0, left), max(0, top), min(easel.width, right), min(easel.height, bottom)


def _passing(look: Look) -> Look:
    """What a look asks of an engine: the same for looks that differ in what is done afterwards."""
    return replace(look, strength=1.0, keep_color=0.0, detail=0.0)
