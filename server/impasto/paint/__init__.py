"""The way of a picture: to working size, through an engine, and back into its own depth and space.

Every picture is painted at the same number of pixels, so that strokes keep their size relative
to it: a preview, a photograph of 24 megapixels and a print of 100 get the same brush, in the same
time and memory. What the photograph shows beyond that resolution comes back as fine detail.

A region is painted with the statistics of its own pixels, on its bounding box and some context;
regions of the same look pass through the engine together.
"""

from __future__ import annotations

from collections.abc import Sequence

from impasto.engines import WORK_PIXELS
from impasto.job import Look, Region
from impasto.paint.canvas import work_size
from impasto.paint.layers import Layer, compose
from impasto.paint.studio import Painting, Progress, Sketch, Studio
from impasto.raster import Raster
from impasto.styles.sources import Attachment

__all__ = ["WORK_PIXELS", "Layer", "Painting", "Progress", "Sketch", "layers", "paint", "work_size"]


def paint(
    raster: Raster,
    look: Look,
    progress: Progress,
    attachments: Sequence[Attachment] = (),
    regions: Sequence[Region] = (),
    sketch: Sketch | None = None,
) -> Painting:
    """Paint a picture.

    Args:
        raster: the picture; its alpha comes back untouched, and pixels under alpha 0 too.
        look: what to paint with; strength 0 leaves all that is in no region as it is.
        progress: called with the fraction done and what is happening; raises `Cancelled` to stop.
        attachments: pictures that styles and selectors may refer to.
        regions: parts with looks of their own, later ones over earlier ones.
        sketch: shown what comes about, at full strength, without detail and kept colour.

    Returns:
        The painting; its raster is `raster` itself where nothing is painted.

    Raises:
        UsageError: neither the look nor a region names a style.
        UnknownStyle: one names a style that does not exist.
        JobError: a painted mask is missing or not of the picture's size.
        ModelMissing: an engine's or a selector's weights are not installed.
        OutOfMemory: the picture does not fit.
    """
    studio = Studio(raster, look, regions, attachments, progress, sketch)
    made = studio.layers(hidden=False)
    if any(layer.canvas for layer in made):
        raster = compose(raster, made, lambda done: progress(0.8 + 0.2 * done, "blending"))
    return studio.painting(raster)


def layers(
    raster: Raster,
    look: Look,
    progress: Progress,
    attachments: Sequence[Attachment] = (),
    regions: Sequence[Region] = (),
    sketch: Sketch | None = None,
) -> tuple[list[Layer], Painting]:
    """The base and the regions of a picture, each painted for itself, from bottom to top; empty regions
    are left out. Arguments and errors as of `paint`.
    """
    studio = Studio(raster, look, regions, attachments, progress, sketch)
    return studio.layers(hidden=True), studio.painting(raster)
