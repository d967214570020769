"""Results for programs that go on with the parts of a painting: layers, masks, a map of segments.

The data holds everything one after the other; `meta["layers"]` says what is where, from bottom to top:

- Of "layers": `region` (its index in the job, -1 for the base), `x`, `y`, `width`, `height` of it in
  the picture, `offset` and `size` of its pixels in the data, in the layout of the picture itself, and
  for a region `mask`: `offset`, `size` and `dtype` of its mask, as large as the layer.
- Of "masks": `region`, `x`, `y`, `width`, `height`, `offset`, `size`, `dtype`; as large as the picture.
- Of "segments": as "masks", once: "uint16", at each pixel the number of its object, 0 for none;
  `meta["segments"]` lists each `id` with its `area` in pixels and its `box`: left, top, right, bottom.

Masks are "uint8" for a picture of 8 bits a channel, else "uint16".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from impasto.backends import Parcel, Progress
from impasto.job import Job
from impasto.paint import Painting, layers
from impasto.paint.layers import cut
from impasto.raster import Raster, to_pixels
from impasto.raster.sampling import image, pixels, scaled
from impasto.regions import Selection, objects
from impasto.regions.shapes import Values
from impasto.styles.sources import Attachment


class _Bundle:
    """Data that grows, and where in it things are."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> dict[str, int]:
        place = {"offset": self.size, "size": len(piece)}
        self.pieces.append(piece)
        self.size += len(piece)
        return place

    def add_mask(self, values: Values, depth: int) -> dict[str, Any]:
        if depth == 1:
            # 257 is the whole number of 16-bit steps in one of 8 bits, so masks of 8 bits come back exactly.
            return self.add(((values + np.uint32(128)) // 257).astype(np.uint8).tobytes()) | {
                "dtype": "uint8"
            }
        return self.add(values.tobytes()) | {"dtype": "uint16"}


def deliver_layers(
    source: Raster,
    job: Job,
    progress: Progress,
    attachments: Sequence[Attachment],
    sketch: Callable[[np.ndarray], None] | None = None,
) -> tuple[Parcel, Painting]:
    """Paint, and hand over each layer for itself. Arguments and errors as of `paint.paint`."""
    made, painting = layers(source, job.look, progress, attachments, job.regions, sketch)
    bundle, entries = _Bundle(), []
    for number, layer in enumerate(made):
        share = 0.8 + 0.2 * number / len(made)
        mask = layer.mask
        part = cut(source, layer, lambda done, at=share: progress(at + 0.2 * done / len(made), "blending"))
        data, _ = to_pixels(part)
        entry: dict[str, Any] = {"region": layer.region, "width": part.width, "height": part.height}
        entry |= {"x": mask.left, "y": mask.top} if mask else {"x": 0, "y": 0}
        entry |= bundle.add(data)
        if mask:
            entry["mask"] = bundle.add_mask(mask.values, source.pixels.itemsize)
        entries.append(entry)
    _, meta = to_pixels(source.replace(pixels=source.pixels[:1, :1], alpha=_corner(source)))
    meta |= {"width": source.width, "height": source.height, "layers": entries}
    return Parcel(b"".join(bundle.pieces), meta), painting


def deliver_masks(source: Raster, job: Job, progress: Progress, attachments: Sequence[Attachment]) -> Parcel:
    """What the regions select, with nothing painted. Errors as of `regions.Selection`."""
    bundle, entries = _Bundle(), []

    def check() -> None:
        progress(0.9 * len(entries) / len(job.regions), "selecting")

    selection = Selection(source, attachments, check)
    for number, region in enumerate(job.regions):
        check()
        place = bundle.add_mask(selection.region(region), source.pixels.itemsize)
        entries.append({"region": number} | _whole(source) | place)
    return Parcel(b"".join(bundle.pieces), {"kind": "pixels", "layers": entries})


def deliver_segments(source: Raster, progress: Progress) -> Parcel:
    """A map of the objects in the picture.

    Raises:
        ModelMissing: Segment Anything is not installed.
    """
    progress(0.1, "selecting")
    labels = objects.everything(source, lambda: progress(0.1, "selecting")).labels
    labels = pixels(scaled(image(labels), source.width, source.height, "nearest"))[..., 0]
    count = int(labels.max()) + 1
    areas = np.bincount(labels.ravel(), minlength=count)
    rows = np.zeros((count, source.height), bool)
    rows[labels, np.arange(source.height)[:, None]] = True
    columns = np.zeros((count, source.width), bool)
    columns[labels, np.arange(source.width)] = True
    segments: list[dict[str, Any]] = []
    for number in range(1, count):
        if areas[number]:  # a small one may lie under others
            (top, bottom), (left, right) = (np.flatnonzero(x[number])[[0, -1]] for x in (rows, columns))
            box = [int(left), int(top), int(right) + 1, int(bottom) + 1]
            segments.append({"id": number, "area": int(areas[number]), "box": box})
    entry = {"region": 0} | _whole(source) | {"offset": 0, "size": labels.nbytes, "dtype": "uint16"}
    return Parcel(labels.tobytes(), {"kind": "pixels", "layers": [entry], "segments": segments})


def _whole(source: Raster) -> dict[str, int]:
    return {"x": 0, "y": 0, "width": source.width, "height": source.height}


def _corner(source: Raster) -> np.ndarray | None:
    return None if source.alpha is None else source.alpha[:1, :1]
