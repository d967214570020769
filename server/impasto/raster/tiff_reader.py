"""The decoding of TIFF, which keeps to itself what other formats leave to libvips."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from impasto.errors import UnreadablePicture
from impasto.raster import metadata
from impasto.raster.formats import READ
from impasto.raster.metadata import Appender, BadTags, Structure
from impasto.raster.picture import Raster
from impasto.raster.reader import Reader

_WIDTH, _HEIGHT = 256, 257
_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLES = 254, 258, 262, 277
_PLANAR, _EXTRA, _SAMPLE_FORMAT, _DNG = 284, 338, 339, 50706
_TILE_WIDTH, _TILE_OFFSETS, _TILE_SIZES = 322, 324, 325
_RGB, _PALETTE, _SENSOR = 2, 3, (32803, 34892)


class TiffReader(Reader):
    """TIFF keeps EXIF in its own directories, and comes in shapes that libvips does not know."""

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        super().__init__(data, name, "tiff")
        self.associated = False

    def read(self) -> Raster:
        self.tags = Structure(io.BytesIO(self.data))
        self.fields = self.tags.directory(self.tags.first)[0]
        exif = metadata.exif_of_tiff(self.tags, self.fields)
        self.resolution = metadata.resolution(self.tags, self.fields)
        self.photometric = self.number(_PHOTOMETRIC, 1)
        if _DNG in self.fields or self.photometric in _SENSOR or self.number(_SUBFILE, 0) & 1:
            raise UnreadablePicture(f"“{self.name}” is a camera raw file; develop it and export {READ}.")
        turn = self.number(metadata.ORIENTATION, 1)
        image = self.open_shape()
        return self.finish(image, exif, turn if 1 <= turn <= 8 else 1)

    def number(self, tag: int, default: int) -> int:
        return self.tags.number(self.fields, tag, default)

    def dpi(self, image: Any, exif: bytes | None) -> tuple[float, float] | None:
        return self.resolution

    def is_palette(self, image: Any) -> bool:
        return self.photometric == _PALETTE

    def open_shape(self) -> Any:
        """The picture with its header checked, and with one band per channel."""
        samples = self.number(_SAMPLES, 1)
        self.check_size(self.number(_WIDTH, 1), self.number(_HEIGHT, 1), samples)
        depth = self.number(_BITS, 1)
        if depth not in (1, 2, 4, 8, 16, 32):
            raise self.unusual(f"samples of {depth} bits")
        changes: dict[int, list[int]] = {}
        if self.number(_EXTRA, 0) == 1:
            # libvips would divide by alpha without rounding.
            self.associated = True
            self.note("has colours multiplied by its alpha; they were divided by it.")
            changes[_EXTRA] = [2] * min(self.fields[_EXTRA].count, samples)
        if depth == 16 and self.number(_SAMPLE_FORMAT, 1) == 3:
            self.half = True
            changes[_SAMPLE_FORMAT] = [1] * samples
        if self.number(_PLANAR, 1) == 2 and _TILE_WIDTH in self.fields and samples > 1:
            return self.planes()
        if changes:
            self.data = self.changed(changes)
        return self.open()

    def planes(self) -> Any:
        """Channels that are kept apart in tiles, which libvips does not read, opened one by one."""
        samples = self.number(_SAMPLES, 1)
        if not {_TILE_OFFSETS, _TILE_SIZES} <= self.fields.keys():
            raise BadTags("no tiles")
        places = {tag: self.tags.numbers(self.fields[tag]) for tag in (_TILE_OFFSETS, _TILE_SIZES)}
        count = min(map(len, places.values())) // samples
        if count < 1:
            raise BadTags("too few tiles")
        single = {_SAMPLES: [1], _PLANAR: [1], _PHOTOMETRIC: [1], _BITS: [self.number(_BITS, 8)]}
        single[_SAMPLE_FORMAT] = [1 if self.half else self.number(_SAMPLE_FORMAT, 1)]
        whole, planes = self.data, []
        for plane in range(samples):
            part = slice(plane * count, (plane + 1) * count)
            own = {tag: [int(place) for place in places[tag][part]] for tag in places}
            self.data = self.changed(single | own, drop=_EXTRA)
            planes.append(self.open())
        self.data = whole
        space = {"uchar": "srgb", "ushort": "rgb16"}.get(planes[0].format, "scrgb")
        image = planes[0].bandjoin(planes[1:])
        return image.copy(interpretation=space) if self.photometric == _RGB else image

    def changed(self, numbers: dict[int, list[int]], drop: int = 0) -> bytes:
        """The whole file with some tags set to other whole numbers, and one left out."""
        target = Appender(bytes(self.data), self.tags.order, self.tags.big)
        fields = {tag: field for tag, field in self.fields.items() if tag != drop}
        for tag, values in numbers.items():
            if not values or min(values) < 0:
                raise BadTags("a number is missing or negative")
            kind, code = (
                (3, "H") if max(values) < 1 << 16 else (4, "I") if max(values) < 1 << 32 else (16, "Q")
            )
            fields[tag] = target.field(kind, struct.pack(f"{self.tags.order}{len(values)}{code}", *values))
        return target.finish(target.directory(fields))

    def straight(self, colours: npt.NDArray[Any], band: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.associated or band.shape[2] == colours.shape[2]:
            return colours
        alpha = band[..., colours.shape[2], None].astype(np.float64)
        if band.dtype.kind == "f":
            return np.divide(colours, alpha, out=colours.astype(np.float64), where=alpha != 0)
        top = np.iinfo(band.dtype).max
        divided = np.divide(colours * float(top), alpha, out=np.zeros(colours.shape), where=alpha != 0)
        return np.minimum(np.rint(divided), top)
