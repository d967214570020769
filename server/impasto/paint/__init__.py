"""The way of a picture: to working size, through an engine, and back into its own depth and space.

Every picture is painted at the same number of pixels, so that strokes keep their size relative
to it: a preview, a photograph of 24 megapixels and a print of 100 get the same brush, in the same
time and memory. What the photograph shows beyond that resolution comes back as fine detail.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from impasto.engines import engine
from impasto.errors import UsageError
from impasto.job import Look
from impasto.paint.colour import LUMA, keep_color
from impasto.raster import Raster, quantise
from impasto.raster.picture import bands, unit
from impasto.raster.sampling import image, pixels, scaled, working_copy
from impasto.runtime import cores
from impasto.styles.sources import Attachment, StyleSource, sources

Progress = Callable[[float, str], None]

WORK_PIXELS = 1280 * 720
"""Area at which a picture is painted at scale 1; the gallery's strokes look right at this size."""


@dataclass(frozen=True)
class Painting:
    """A painted picture and how it came about."""

    raster: Raster
    engine: str
    device: str
    seconds: float
    """The painting alone: without decoding, encoding and the loading of weights."""
    styles: tuple[StyleSource, ...]


def work_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height at which a picture of `width` x `height` is painted."""
    factor = math.sqrt(WORK_PIXELS / (width * height)) / scale
    return max(1, round(width * factor)), max(1, round(height * factor))


def paint(raster: Raster, look: Look, progress: Progress, attachments: Sequence[Attachment] = ()) -> Painting:
    """Paint a picture.

    Args:
        raster: the picture; its alpha comes back untouched, and pixels under alpha 0 too.
        look: what to paint with; strength 0 returns `raster` itself.
        progress: called with the fraction done and what is happening; raises `Cancelled` to stop.
        attachments: pictures that the look's styles may refer to.

    Raises:
        UsageError: the look names no style.
        UnknownStyle: it names one that does not exist.
        OutOfMemory: the picture does not fit.
    """
    if not look.style:
        raise UsageError("No style is chosen: name one with “--style NAME”; “impasto styles” lists them.")
    progress(0.0, "loading the network")
    painter = engine(look.engine)
    began = time.perf_counter()
    styles = sources(look.style, attachments)
    painter.check(styles)
    result = raster
    if look.strength > 0:
        progress(0.05, "painting")
        photo = working_copy(raster, *work_size(raster.width, raster.height, look.scale))
        reached = 0.1

        def advance(fraction: float, what: str) -> None:
            nonlocal reached
            reached = 0.1 + 0.7 * fraction
            progress(reached, what)

        def check() -> None:
            progress(reached, "painting")

        painted = painter.paint(photo, styles, look, check, progress=advance)
        result = compose(raster, photo, painted, look, progress)
    return Painting(result, painter.name, painter.device, time.perf_counter() - began, styles)


def compose(raster: Raster, photo: np.ndarray, painted: np.ndarray, look: Look, progress: Progress) -> Raster:
    """Bring the painting to the picture's size, space and depth.

    Args:
        raster: the picture.
        photo: (h, w, 3) float32, the picture at working size.
        painted: the same, painted.
    """
    width, height = raster.width, raster.height
    large = scaled(image(painted), width, height)
    finer = look.detail > 0 and (photo.shape[0] < height or photo.shape[1] < width)
    blurred = scaled(image(photo @ LUMA), width, height)
    result = np.empty_like(raster.pixels)

    def band(rows: slice) -> None:
        area = (0, rows.start, width, rows.stop - rows.start)
        srgb = pixels(large.crop(*area))
        original = raster.to_srgb(rows) if finer or look.keep_color else None
        if finer and original is not None:
            srgb = srgb + look.detail * ((original @ LUMA)[..., None] - pixels(blurred.crop(*area)))
        srgb = srgb.clip(0, 1)
        if original is not None:
            srgb = keep_color(srgb, original, look.keep_color)
        own = raster.from_srgb(srgb)
        before = raster.pixels[rows]
        if look.strength < 1:
            own = unit(before) * (1 - look.strength) + own * look.strength
        after = quantise(own, raster.pixels.dtype)
        if raster.alpha is not None:
            after = np.where(raster.alpha[rows][..., None] == 0, before, after)
        result[rows] = after

    work = list(bands(height, width))
    with ThreadPoolExecutor(cores()) as pool:
        for done, _ in enumerate(pool.map(band, work), start=1):
            progress(0.8 + 0.2 * done / len(work), "blending")
    return raster.replace(pixels=result)
