"""The work itself: a parcel in, a painted parcel out. Every backend ends here."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from impasto import __version__, raster
from impasto.backends import Parcel, Progress, Sketch
from impasto.backends.delivery import deliver_layers, deliver_masks, deliver_segments
from impasto.backends.turns import TURNS
from impasto.engines import engine
from impasto.errors import JobError, UnreadablePicture
from impasto.job import Job, Look, StyleRef
from impasto.models import gallery
from impasto.paint import Painting, paint, work_size
from impasto.raster import Raster, quantise
from impasto.raster.sampling import shrunk, working_copy
from impasto.styles import saved
from impasto.styles.references import ATTACHMENT, STYLE_SUFFIX
from impasto.styles.sources import LONGER_SIDE, Attachment, sources

SKETCH_QUALITY = 80


def warm_up() -> dict[str, str]:
    """Load the network and run it once, so that the first job does not wait for either."""
    painter = engine("auto")
    width, height = work_size(16, 9, scale=1.0)
    styles = sources((StyleRef(gallery.names()[0]),))
    painter.paint(np.zeros((height, width, 3), np.float32), styles, Look(), lambda: None)
    return {"device": painter.device, "engine": painter.name}


def perform(job: Job, parcel: Parcel, progress: Progress, sketch: Sketch | None = None) -> Parcel:
    """Decode, paint, encode.

    Args:
        job: what to do.
        parcel: an encoded file or bare pixels, see `Parcel`.
        progress, sketch: see `Progress` and `Sketch`.

    Raises:
        UnreadablePicture, UnwritablePicture, UnknownStyle, OutOfMemory, Cancelled.
    """
    if job.variants:
        raise JobError("A job with variants paints several pictures; send one job for each of them.")
    began = time.perf_counter()
    progress(0.0, "reading")
    source = decode(parcel)
    attached = [attachment(part) for part in parcel.attachments]
    output = job.output

    def draw(picture: np.ndarray) -> None:
        assert sketch
        sketch(raster.encode(Raster(quantise(picture, np.uint8), format="jpeg"), "jpeg", 8, SKETCH_QUALITY))

    shown = draw if sketch else None
    with TURNS.turn(lambda: progress(0.0, "waiting")):
        if output.deliver in ("masks", "segments"):
            if output.deliver == "masks":
                selected = deliver_masks(source, job, progress, attached)
            else:
                selected = deliver_segments(source, progress)
            return Parcel(selected.data, selected.meta | {"report": {"notes": list(source.notes)}})
        if output.deliver == "layers":
            layers, painting = deliver_layers(source, job, progress, attached, shown)
        else:
            layers, painting = None, paint(source, job.look, progress, attached, job.regions, shown)
    painted = painting.raster is not source
    if output.size and layers is None:
        painting = replace(painting, raster=shrunk(painting.raster, output.size, job.look.tile))
    progress(1.0, "writing")
    notes = painting.raster.notes
    if layers is not None:
        data, meta = layers.data, layers.meta
    elif source.format == "raw":
        data, meta = raster.to_pixels(painting.raster)
    else:
        encodable, notes = raster.encodable(painting.raster, output.format, output.depth)
        words = credit(painting) if painted else None
        data = raster.encode(encodable, output.format, output.depth, output.quality, words)
        meta = {"kind": "file", "format": output.format or source.format}
    report: dict[str, Any] = {
        "style": [style.to_dict() for style in job.look.style],
        "engine": painting.engine,
        "device": painting.device,
        "paint_seconds": round(painting.seconds, 4),
        "work_seconds": round(time.perf_counter() - began, 4),
        "notes": [*notes, *(style.note for style in painting.styles if style.note)],
    }
    if job.regions:
        report["regions"] = [region.to_dict() for region in job.regions]
    return Parcel(data, meta | {"report": report})


def decode(parcel: Parcel) -> Raster:
    """The picture in a parcel.

    Raises:
        UnreadablePicture: it is damaged.
    """
    if parcel.meta.get("kind") == "file":
        return raster.decode(parcel.data, str(parcel.meta.get("name", "the picture")))
    if parcel.meta.get("kind") == "pixels":
        return raster.from_pixels(parcel.data, parcel.meta)
    raise UnreadablePicture(f"A parcel is a “file” or “pixels”, not {parcel.meta.get('kind')!r}.")


def attachment(parcel: Parcel) -> Attachment:
    """What came along with a job, read when a style asks for it."""
    name = str(parcel.meta.get("name", "a picture"))

    def pixels() -> np.ndarray:
        picture = decode(parcel)
        factor = min(1.0, LONGER_SIDE / max(picture.width, picture.height))
        width, height = (max(1, round(side * factor)) for side in (picture.width, picture.height))
        return working_copy(picture, width, height)

    if parcel.meta.get("kind") == "file" and name.lower().endswith(STYLE_SUFFIX):
        return Attachment(name, lambda: saved.decode(parcel.data, name), pixels)
    return Attachment(name, None, pixels, lambda: decode(parcel))


def credit(painting: Painting) -> str:
    """What the picture's metadata say of its making."""
    styles = "; ".join(
        source.credit if source.ref.startswith(ATTACHMENT) else f"{source.ref} ({source.credit})"
        for source in painting.styles
    )
    return f"Painted by Impasto {__version__}, engine {painting.engine}, style {styles}"
