"""Files to pictures: `load` and `decode`."""

from __future__ import annotations

import io
import os
import stat
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from impasto.errors import UnreadablePicture
from impasto.raster import colour, metadata
from impasto.raster.formats import FORMATS, MAX_PIXELS, MAX_SIDE, READ, sniff, vips
from impasto.raster.metadata import Appender, BadTags, Structure
from impasto.raster.picture import Raster, bands

_WIDTH, _HEIGHT = 256, 257
_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLES = 254, 258, 262, 277
_PLANAR, _EXTRA, _SAMPLE_FORMAT, _DNG = 284, 338, 339, 50706
_TILE_WIDTH, _TILE_OFFSETS, _TILE_SIZES = 322, 324, 325
_MAX_CHANNELS = 16
_RGB, _PALETTE, _SENSOR = 2, 3, (32803, 34892)


def load(path: str | Path) -> Raster:
    """Read a picture from a file. Its real format counts, not its ending. Never blocks on a pipe.

    Raises:
        UnreadablePicture: missing, no permission, not a regular file, damaged, of another format,
            or more than `MAX_SIDE` or `MAX_PIXELS`.
    """
    path = Path(path)
    name = path.name or str(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise UnreadablePicture(f"There is no picture “{path}”; check the path.") from None
    except PermissionError:
        if path.is_dir():  # so says Windows
            raise UnreadablePicture(f"“{name}” is a folder; name a picture in it.") from None
        raise UnreadablePicture(f"“{name}” may not be read by this user; change its permissions.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadablePicture(f"“{name}” cannot be opened ({reason}); check the path.") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise UnreadablePicture(f"“{name}” is a folder; name a picture in it.")
        if not stat.S_ISREG(mode):
            raise UnreadablePicture(f"“{name}” is a pipe or device; save the picture to a file first.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            head = file.read(64)
            file.seek(0)
            # A TIFF file can be as large as its pixels, so it is read as it is decoded. A memory map
            # would do the same for all, but kills the process when somebody shortens the file.
            if sniff(head)[0] == "tiff":
                return _decode(file, name)
            data = file.read()
    except OSError as error:
        raise UnreadablePicture(f"“{name}” cannot be read ({error.strerror}); check the disk.") from None
    except MemoryError:
        raise UnreadablePicture(f"“{name}” does not fit into memory; make it smaller first.") from None
    finally:
        os.close(descriptor)
    return decode(data, name)


def decode(data: bytes | memoryview, name: str) -> Raster:
    """Read a picture from the bytes of a file called `name` (for messages only).

    Raises:
        UnreadablePicture: as `load`.
    """
    return _decode(data, name)


def _decode(data: bytes | memoryview | BinaryIO, name: str) -> Raster:
    file = io.BytesIO(data) if isinstance(data, bytes | memoryview) else data
    head = file.read(64)
    if not head:
        raise UnreadablePicture(f"“{name}” is empty; copy or export it again.")
    kind, words = sniff(head)
    if kind is None:
        raise UnreadablePicture(f"“{name}” is {words}; Impasto reads {READ}, so export it as one of them.")
    try:
        return _TiffReader(data, file, name).read() if kind == "tiff" else _Reader(data, name, kind).read()
    except (vips().Error, BadTags, UnicodeDecodeError) as error:  # pyvips may fail to decode its own message
        raise _damaged(name, kind, error) from None
    except MemoryError:
        raise UnreadablePicture(f"“{name}” does not fit into memory; make it smaller first.") from None


def _damaged(name: str, kind: str, error: Exception) -> UnreadablePicture:
    detail = getattr(error, "detail", None) or str(error)
    if isinstance(detail, bytes):
        detail = detail.decode("utf-8", "replace")
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    reason = lines[-1][:100] if lines else "no reason given"
    title = FORMATS[kind].title
    return UnreadablePicture(f"“{name}” is no complete {title} picture ({reason}); copy or export it again.")


def _has(image: Any, field: str) -> bool:
    # Not by `get_fields`: a comment in a PNG file can have a name that is no UTF-8.
    return image.get_typeof(field) != 0


def _blob(image: Any, field: str) -> bytes | None:
    return bytes(image.get(field)) or None if _has(image, field) else None


class _Reader:
    """One decoding. The pixels are fetched in bands, straight to where they belong."""

    def __init__(self, data: bytes | memoryview | BinaryIO, name: str, kind: str) -> None:
        self.data = data  # libvips reads from it until the last pixel is there
        self.name = name
        self.kind = kind
        self.half = False  # half floats are fetched as whole numbers: libvips would change NaN
        self.notes: list[str] = []

    def note(self, what: str) -> None:
        self.notes.append(f"“{self.name}” {what}")

    def open(self) -> Any:
        """The picture with its header read and checked, but no pixel yet."""
        if isinstance(self.data, bytes | memoryview):
            if self.kind == "png" and len(self.data) >= 24:
                # GLib would print a complaint about a size beyond what libvips can count.
                self.check_size(*struct.unpack(">II", self.data[16:24]), 1)
            source = vips().Source.new_from_memory(self.data)
        else:
            # libvips shares the position in the file with us, and counts on nobody else moving it:
            # from here on all that is needed of the file's tags has been read.
            os.lseek(self.data.fileno(), 0, os.SEEK_SET)
            source = vips().Source.new_from_descriptor(self.data.fileno())
        image = vips().Image.new_from_source(source, "", access="sequential", fail_on="error")
        self.check_size(image.width, image.height, image.bands)
        return image

    def check_size(self, width: int, height: int, channels: int) -> None:
        if channels > _MAX_CHANNELS:
            raise self.unusual(f"{channels:,} channels")
        if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
            raise UnreadablePicture(
                f"“{self.name}” says that it has {width:,} by {height:,} pixels; make it smaller first:"
                f" the limit is {MAX_SIDE:,} a side and {MAX_PIXELS:,} in all."
            )

    def read(self) -> Raster:
        image = self.open()
        exif = _blob(image, "exif-data")
        exif = exif.removeprefix(b"Exif\0\0") if exif else None
        # AVIF turns its pixels by its own properties, and the decoder has done so.
        turn = 1 if self.kind == "avif" else metadata.orientation(exif)
        return self.finish(image, exif, turn)

    def dpi(self, image: Any, exif: bytes | None) -> tuple[float, float] | None:
        # libvips makes up a resolution where the file states none; only for JPEG it can be told apart.
        if self.kind == "jpeg" and _has(image, "resolution-unit"):
            return metadata.plausible(image.xres * 25.4, image.yres * 25.4)
        stated = (
            _dpi_of_png(self.data)
            if self.kind == "png" and isinstance(self.data, bytes | memoryview)
            else None
        )
        return stated or metadata.resolution_of_exif(exif)

    def finish(self, image: Any, exif: bytes | None, turn: int) -> Raster:
        """Check, convert and fetch the pixels, and gather the rest."""
        icc = _blob(image, "icc-profile-data")
        xmp = _blob(image, "xmp-data")
        dpi = self.dpi(image, exif)
        pages = image.get("n-pages") if _has(image, "n-pages") else 1
        if pages > 1:
            self.note(f"has {pages} pages or frames; the first was taken.")
        stored = image.get("bits-per-sample") if _has(image, "bits-per-sample") else None
        if self.is_palette(image):
            self.note("is a palette picture; it was expanded to full colour.")
        elif stored in (1, 2, 4):
            self.note(f"has {stored} bit{'s' if stored > 1 else ''} per pixel; it was expanded to 8.")
        space = image.interpretation
        if space == "cmyk":
            image, icc = self.from_cmyk(image, icc), None
        elif space in ("lab", "labs"):
            self.note("is in CIELAB; it was converted to sRGB with 16 bits.")
            image, icc = image.colourspace("rgb16"), None
        dtype = self.dtype(image)
        colours = 3 if image.interpretation in ("srgb", "rgb", "rgb16", "scrgb") and image.bands >= 3 else 1
        if image.bands > colours + 1:
            self.note(f"has {image.bands - colours} extra channels; only the first was kept, as alpha.")
        bits = stored if self.kind == "avif" and stored in (10, 12) else None
        pixels, alpha = self.fetch(image, dtype, colours, turn, bits)
        if turn in (5, 6, 7, 8) and dpi:
            dpi = (dpi[1], dpi[0])
        if icc:
            self.check_profile(icc, colours)
        return Raster(
            pixels=pixels,
            alpha=alpha,
            icc=icc,
            exif=metadata.upright(exif) if exif else None,
            xmp=metadata.upright_xmp(xmp) if xmp else None,
            dpi=dpi,
            format=self.kind,
            notes=tuple(self.notes),
            bits=bits,
            lossless=self.is_lossless(),
            iptc=_blob(image, "iptc-data"),
        )

    def dtype(self, image: Any) -> npt.DTypeLike:
        match image.format:
            case "uchar":
                return np.uint8
            case "ushort":
                return np.float16 if self.half else np.uint16
            case "float":
                return np.float32
        raise self.unusual(f"samples of the kind “{image.format}”")

    def unusual(self, what: str) -> UnreadablePicture:
        return UnreadablePicture(
            f"“{self.name}” has {what}, which Impasto does not read; export it as gray or RGB with"
            " 8 or 16 bits or 32-bit float."
        )

    def is_palette(self, image: Any) -> bool:
        return _has(image, "palette")

    def from_cmyk(self, image: Any, icc: bytes | None) -> Any:
        if icc is None:
            self.note(
                "is CMYK without a profile; it was converted to sRGB by a common one, so colours may differ."
            )
            source = {"input_profile": "cmyk"}
        else:
            self.note("is CMYK; it was converted to sRGB by its profile.")
            source = {"embedded": True, "input_profile": "cmyk"}
        depth = 16 if image.format == "ushort" else 8
        return image.icc_transform(
            "srgb", intent="relative", black_point_compensation=True, depth=depth, **source
        )

    def check_profile(self, icc: bytes, colours: int) -> None:
        try:
            colour.profile(icc, colours)
        except colour.BadProfile:
            self.note("has a colour profile that cannot be used; its colours were taken for sRGB.")

    def is_lossless(self) -> bool:
        lossless = FORMATS[self.kind].lossless
        if lossless is None and self.kind == "webp" and isinstance(self.data, bytes | memoryview):
            return _is_lossless_webp(self.data)
        return bool(lossless)

    def fetch(
        self, image: Any, dtype: npt.DTypeLike, colours: int, turn: int, bits: int | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Pixels (H, W, colours) and alpha (H, W), turned upright."""
        if turn == 1 and bits is None and image.bands == colours:
            return image.numpy().view(dtype).reshape(image.height, image.width, colours), None
        size = (image.width, image.height) if turn in (5, 6, 7, 8) else (image.height, image.width)
        pixels = np.empty((*size, colours), dtype)
        alpha = np.empty(size, dtype) if image.bands > colours else None
        # Views with the rows and columns of the file: what is written to them lands upright.
        lying = _lying(pixels, turn)
        lying_alpha = None if alpha is None else _lying(alpha, turn)
        region = vips().Region.new(image)
        for rows in bands(image.height, image.width):
            height = rows.stop - rows.start
            fetched = region.fetch(0, rows.start, image.width, height)
            band = np.frombuffer(fetched, dtype).reshape(height, image.width, image.bands)
            if bits is not None:
                band = _full_range(band, bits)
            lying[rows] = self.straight(band[..., :colours], band)
            if lying_alpha is not None:
                lying_alpha[rows] = band[..., colours]
        return pixels, alpha

    def straight(self, colours: npt.NDArray[Any], band: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The colours of a band, not multiplied by its alpha."""
        return colours


class _TiffReader(_Reader):
    """TIFF keeps EXIF in its own directories, and comes in shapes that libvips does not know."""

    def __init__(self, data: bytes | memoryview | BinaryIO, file: BinaryIO, name: str) -> None:
        super().__init__(data, name, "tiff")
        self.file = file
        self.associated = False

    def read(self) -> Raster:
        self.tags = Structure(self.file)
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
        self.file.seek(0)
        target = Appender(self.file.read(), self.tags.order, self.tags.big)
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


def _lying(upright: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """A view of an upright picture with the rows and columns that its file has under `turn`."""
    match turn:
        case 2:
            return upright[:, ::-1]
        case 3:
            return upright[::-1, ::-1]
        case 4:
            return upright[::-1]
        case 5:
            return upright.swapaxes(0, 1)
        case 6:
            return np.rot90(upright)
        case 7:
            return upright[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(upright, -1)
    return upright


def _full_range(band: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.uint16]:
    """Samples of `bits`, which libvips puts at the upper end of 16, stretched to 0..65535."""
    top = (1 << bits) - 1
    samples = (band >> (16 - bits)).astype(np.uint32)
    return ((samples * 65_535 + top // 2) // top).astype(np.uint16)


def _dpi_of_png(data: bytes | memoryview) -> tuple[float, float] | None:
    at = 8
    while at + 21 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IDAT":
            break
        if kind == b"pHYs" and size == 9:
            across, down, unit = struct.unpack(">IIB", data[at + 8 : at + 17])
            return metadata.plausible(across * 0.0254, down * 0.0254) if unit == 1 else None
        at += size + 12
    return None


def _is_lossless_webp(data: bytes | memoryview) -> bool:
    at = 12
    while at + 8 <= len(data):
        chunk = bytes(data[at : at + 4])
        if chunk in (b"VP8L", b"VP8 "):
            return chunk == b"VP8L"
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1
    return False
