"""One decoding: from the bytes of a file to a `Raster`."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from impasto.errors import UnreadablePicture
from impasto.raster import colour, metadata
from impasto.raster.formats import FORMATS, MAX_PIXELS, MAX_SIDE, vips
from impasto.raster.picture import Raster, bands

_MAX_CHANNELS = 16


def _has(image: Any, field: str) -> bool:
    # Not by `get_fields`: a comment in a PNG file can have a name that is no UTF-8.
    return image.get_typeof(field) != 0


def _blob(image: Any, field: str) -> bytes | None:
    return bytes(image.get(field)) or None if _has(image, field) else None


class Reader:
    """One decoding. The pixels are fetched in bands, straight to where they belong."""

    def __init__(self, data: bytes | memoryview, name: str, kind: str) -> None:
        self.data = data  # libvips reads from it until the last pixel is there
        self.name = name
        self.kind = kind
        self.half = False  # half floats are fetched as whole numbers: libvips would change NaN
        self.notes: list[str] = []

    def note(self, what: str) -> None:
        self.notes.append(f"“{self.name}” {what}")

    def open(self) -> Any:
        """The picture with its header read and checked, but no pixel yet."""
        if self.kind == "png" and len(self.data) >= 24:
            # GLib would print a complaint about a size beyond what libvips can count.
            self.check_size(*struct.unpack(">II", self.data[16:24]), 1)
        source = vips().Source.new_from_memory(self.data)
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
        stated = _dpi_of_png(self.data) if self.kind == "png" else None
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
        if lossless is None and self.kind == "webp":
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
