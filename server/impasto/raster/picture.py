"""`Raster`: a picture in memory, with all that has to come out as it went in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from impasto.errors import UnreadablePicture
from impasto.raster import colour
from impasto.raster.formats import MAX_PIXELS, MAX_SIDE

DTYPES = ("uint8", "uint16", "float16", "float32")
BAND = 1 << 18
"""Pixels worked on at a time where a temporary copy is needed."""


@dataclass(frozen=True)
class Raster:
    """A picture. Arrays are C-contiguous, in native byte order, and must not be written to.

    Attributes:
        pixels: (H, W, 1 or 3) uint8, uint16, float16 or float32: gray or RGB in the picture's own
            space; floats are 0..1 by intent, and kept when they are not.
        alpha: (H, W) of the same dtype, or None. Straight: colours are not multiplied by it.
        icc, exif, xmp: as in the file, but for the orientation, which is always 1. The EXIF block
            starts with its byte order mark.
        dpi: (across, down), or None when the file does not say.
        format: of the source: a name in `FORMATS`, or "raw" for bare pixels.
        notes: sentences for the user on what could not be kept.
        bits: significant bits of a channel where they are fewer than those of the dtype (AVIF with
            10 or 12), else None.
        lossless: whether the source's format gave the pixels exactly; decides how WebP is written.
        iptc: captions of a JPEG or TIFF file; kept when the format stays.
    """

    pixels: npt.NDArray[Any]
    alpha: npt.NDArray[Any] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    format: str = "raw"
    notes: tuple[str, ...] = ()
    bits: int | None = None
    lossless: bool = True
    iptc: bytes | None = None

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """1 or 3, without alpha."""
        return self.pixels.shape[2]

    def replace(self, **changes: Any) -> Self:
        """The same picture with some attributes changed."""
        return replace(self, **changes)

    @property
    def _profile(self) -> colour.Profile | None:
        try:
            return colour.profile(self.icc, self.channels) if self.icc else None
        except colour.BadProfile:  # `decode` has told the user
            return None

    def to_srgb(self, rows: slice | tuple[slice, slice] = slice(None)) -> npt.NDArray[np.float32]:
        """Some rows, or rows and columns, as (h, w, 3) float32, sRGB-encoded, finite and within 0..1.

        Colours outside sRGB, and floats outside 0..1, are clipped. Gray gives three equal channels.
        Memory: some 5 times the result where the profile is not sRGB, so ask for a band at a time.
        """
        values = unit(self.pixels[rows])
        if self.pixels.dtype.kind == "f":
            values = np.fmin(np.fmax(values, 0), 1)
        if (own := self._profile) is not None:
            return own.to_srgb(values)
        return np.repeat(values, 3, axis=2) if self.channels == 1 else values

    def from_srgb(self, srgb: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """(h, W, 3) sRGB, 0..1 -> (h, W, 1 or 3) float32 0..1, encoded in the picture's own space.

        The inverse of `to_srgb` for colours that both spaces hold. Not yet quantised. Gray takes
        the luminance. The array given may come back itself.
        """
        values = srgb.astype(np.float32, copy=False)
        if (own := self._profile) is not None:
            return own.from_srgb(values)
        return colour.luminance(values) if self.channels == 1 else values


def _top(dtype: np.dtype[Any]) -> int:
    return (1 << 8 * dtype.itemsize) - 1


def unit(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Pixels of any dtype of a `Raster` as new float32; the whole range of integers becomes 0..1."""
    if values.dtype.kind == "u":
        return np.multiply(values, np.float32(1 / _top(values.dtype)), dtype=np.float32)
    return values.astype(np.float32)


def quantise(x: npt.NDArray[np.floating], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Floats, 0..1, as `dtype` (uint8, uint16, float16 or float32), of any shape.

    Integers are rounded to the nearest and clipped, NaN becomes 0. Floats are only converted.
    """
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return x.astype(kind)
    top = _top(kind)
    scaled = np.multiply(x, np.float32(top), dtype=np.float32)
    np.rint(scaled, out=scaled)
    np.fmax(scaled, 0, out=scaled)
    np.fmin(scaled, top, out=scaled)
    return scaled.astype(kind)


def bands(height: int, width: int) -> Iterator[slice]:
    """Slices of rows of about `BAND` pixels each."""
    step = max(1, BAND // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def converted(values: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Pixels (H, W, ...) in another dtype, a band at a time."""
    result = np.empty(values.shape, dtype)
    for rows in bands(*values.shape[:2]):
        result[rows] = quantise(unit(values[rows]), dtype)
    return result


def from_pixels(data: bytes | bytearray | memoryview, meta: dict[str, Any]) -> Raster:
    """Bare pixels, as described at `backends.Parcel` with kind "pixels", as a picture.

    Opaque pixels are not copied: `data` must not change while the picture is in use.

    Raises:
        UnreadablePicture: the description is incomplete or does not fit the data.
    """
    width, height, channels = (meta.get(key) for key in ("width", "height", "channels"))
    dtype = meta.get("dtype", "uint8")
    for key, value in (("width", width), ("height", height), ("channels", channels)):
        most = 4 if key == "channels" else MAX_SIDE
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise UnreadablePicture(f"The pixels need a “{key}” from 1 to {most:,}, not {value!r}.")
    assert isinstance(width, int)
    assert isinstance(height, int)
    assert isinstance(channels, int)
    if dtype not in DTYPES:
        raise UnreadablePicture(f"The pixels need a “dtype” of {', '.join(DTYPES)}, not {dtype!r}.")
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(f"{width:,} by {height:,} pixels are more than {MAX_PIXELS:,}, the limit.")
    flat = memoryview(data).cast("B") if len(data) else memoryview(b"")
    size = width * height * channels * np.dtype(dtype).itemsize
    if len(flat) != size:
        raise UnreadablePicture(
            f"{width} by {height} pixels with {channels} channels of {dtype} take {size:,} bytes,"
            f" not {len(flat):,}."
        )
    encoded = meta.get("icc")
    try:
        icc = base64.b64decode(encoded, validate=True) if encoded else None
    except (binascii.Error, TypeError, ValueError):
        raise UnreadablePicture("The colour profile of the pixels is not valid base64.") from None
    whole = np.frombuffer(flat, dtype).reshape(height, width, channels)
    if channels in (1, 3):
        return Raster(whole, icc=icc)
    return Raster(np.ascontiguousarray(whole[..., :-1]), np.ascontiguousarray(whole[..., -1]), icc)


def to_pixels(raster: Raster) -> tuple[bytes, dict[str, Any]]:
    """The inverse of `from_pixels`: the bytes, and their description."""
    whole = joined(raster)
    meta: dict[str, Any] = {
        "kind": "pixels",
        "width": raster.width,
        "height": raster.height,
        "channels": whole.shape[2],
        "dtype": str(whole.dtype),
    }
    if raster.icc:
        meta["icc"] = base64.b64encode(raster.icc).decode()
    return whole.tobytes(), meta


def joined(raster: Raster) -> npt.NDArray[Any]:
    """(H, W, 1 to 4): colour and alpha in one C-contiguous array."""
    if raster.alpha is None:
        return np.ascontiguousarray(raster.pixels)
    return np.concatenate([raster.pixels, raster.alpha[..., None]], axis=2)
