"""Pictures to files: `encode` and `save`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import impasto
from impasto.errors import UnwritablePicture
from impasto.raster import containers, metadata
from impasto.raster.formats import FORMATS, MAX_PIXELS, Format, vips
from impasto.raster.picture import Raster, bands, converted, joined, quantise

_DTYPES = {8: np.uint8, 16: np.uint16, 32: np.float32}
_BIG_TIFF = 3 << 30


def encodable(
    raster: Raster, format: str | None = None, depth: int | None = None
) -> tuple[Raster, tuple[str, ...]]:
    """The picture as a format can hold it.

    What the user asked for in so many words must be possible. Only what nobody asked for gives way:
    the depth, to the most that the format holds, a gray picture's single channel, and an alpha that
    is opaque throughout.

    Args:
        raster: any picture.
        format: a name in `FORMATS`, or None for the source's own (for bare pixels PNG, or TIFF for
            floats).
        depth: 8, 16 or 32 (float) bits per channel, or None for the picture's own.

    Returns:
        The picture, its `format` the one to write, and sentences for the user on what gave way.

    Raises:
        UnwritablePicture: the format cannot hold the depth asked for, the alpha or the size.
    """
    if format is None:
        format = raster.format
        if format == "raw":
            format = "tiff" if raster.pixels.dtype.kind == "f" else "png"
    if format not in FORMATS:
        raise UnwritablePicture(f"Impasto does not write “{format}”; choose one of {', '.join(FORMATS)}.")
    form = FORMATS[format]
    if depth is not None and depth not in form.depths:
        others = _titles(other for other in FORMATS.values() if depth in other.depths)
        what = "32-bit float" if depth == 32 else f"{depth} bits per channel"
        raise UnwritablePicture(f"{form.title} cannot hold {what}; choose {others}.")
    notes: list[str] = []
    if raster.alpha is not None and not form.alpha:
        if not _is_opaque(raster.alpha):
            others = _titles(other for other in FORMATS.values() if other.alpha)
            raise UnwritablePicture(f"{form.title} cannot hold the picture's transparency; choose {others}.")
        raster = raster.replace(alpha=None)
        notes.append(f"{form.title} has no alpha channel; the picture's, opaque throughout, was left out.")
    if max(raster.width, raster.height) > form.max_side or raster.width * raster.height > MAX_PIXELS:
        raise UnwritablePicture(
            f"{form.title} cannot hold {raster.width:,} by {raster.height:,} pixels; choose TIFF"
            " or a smaller picture."
        )
    dtype = np.dtype(_DTYPES[depth]) if depth else _nearest(form, raster.pixels.dtype)
    is_changed = dtype != raster.pixels.dtype
    bits = None if is_changed else raster.bits
    is_trimmed = dtype.kind == "u" and (bits or 8 * dtype.itemsize) > form.bits
    if is_trimmed:
        bits = form.bits
    if is_trimmed or (is_changed and depth is None):
        written = bits or 8 * dtype.itemsize
        notes.append(f"{form.title} cannot hold the picture's depth; it was written with {written} bits.")
    if is_changed:
        alpha = None if raster.alpha is None else converted(raster.alpha, dtype)
        raster = raster.replace(pixels=converted(raster.pixels, dtype), alpha=alpha)
    if raster.channels == 1 and not form.gray:
        if raster.icc:
            notes.append(f"{form.title} has no gray; the picture and its profile were converted to sRGB.")
        raster = _coloured(raster)
    iptc = raster.iptc if format == raster.format else None  # each format wraps it differently
    return raster.replace(format=format, bits=bits, iptc=iptc), tuple(notes)


def _is_opaque(alpha: npt.NDArray[Any]) -> bool:
    return bool((alpha == (1 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max)).all())


def _titles(forms: Any) -> str:
    *first, last = [form.title for form in forms]
    return f"{', '.join(first)} or {last}" if first else last


def _nearest(form: Format, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """`dtype`, or the deepest that the format holds."""
    if 32 in form.depths or (dtype.kind == "u" and 8 * dtype.itemsize in form.depths):
        return dtype
    return np.dtype(_DTYPES[max(form.depths)])


def _coloured(raster: Raster) -> Raster:
    """A gray picture as sRGB, for formats without gray; its profile would not fit any more."""
    pixels = np.empty((raster.height, raster.width, 3), raster.pixels.dtype)
    for rows in bands(raster.height, raster.width):
        pixels[rows] = quantise(raster.to_srgb(rows), pixels.dtype)
    return raster.replace(pixels=pixels, icc=None)


def encode(
    raster: Raster,
    format: str | None = None,
    depth: int | None = None,
    quality: int = 92,
    comment: str | None = None,
) -> bytes:
    """The picture as the bytes of a file, with its profile and metadata.

    PNG and TIFF are lossless. WebP is lossless when the source was, or when `quality` is 100; AVIF
    when `quality` is 100. JPEG keeps full colour resolution from quality 90 on.

    Args:
        raster, format, depth: as for `encodable`, which also tells what had to give way.
        quality: of a lossy format, 1 to 100.
        comment: which model and style made the picture; None adds nothing. The EXIF tag Software
            becomes "Impasto <version>" and the comment goes into UserComment; where somebody else's
            comment stands, it is kept, and ours goes into Software too. The EXIF thumbnail, which
            shows the picture before, is dropped.

    Raises:
        UnwritablePicture: as `encodable`, or the encoder fails.
    """
    raster, _ = encodable(raster, format, depth)
    exif = raster.exif
    if comment is not None:
        exif = metadata.with_comment(exif, f"Impasto {impasto.__version__}", comment)
    if raster.dpi and raster.format in ("webp", "avif"):
        exif = metadata.with_dpi(exif, raster.dpi)
    try:
        raster = raster.replace(exif=exif)
        return containers.completed(_WRITERS[raster.format](raster, quality), raster)
    except vips().Error as error:
        reason = str(error).strip().splitlines()[-1].strip()[:100]
        title = FORMATS[raster.format].title
        raise UnwritablePicture(f"The picture cannot be written as {title} ({reason}).") from None
    except MemoryError:
        raise UnwritablePicture("The picture needs too much memory to be written; make it smaller.") from None


def _image(raster: Raster, *names: str) -> Any:
    """The picture for libvips, with the metadata `names`; it shares the pixels where it can."""
    whole = joined(raster)
    height, width, channels = whole.shape
    kind = {"uint8": "uchar", "uint16": "ushort", "float16": "ushort", "float32": "float"}[str(whole.dtype)]
    gray, rgb = {"uchar": ("b-w", "srgb"), "ushort": ("grey16", "rgb16"), "float": ("b-w", "scrgb")}[kind]
    image = vips().Image.new_from_memory(whole, width, height, channels, kind)
    image = image.copy(interpretation=rgb if raster.channels == 3 else gray)
    if raster.dpi:
        image = image.copy(xres=raster.dpi[0] / 25.4, yres=raster.dpi[1] / 25.4)
    blobs = {"xmp-data": raster.xmp, "icc-profile-data": raster.icc, "iptc-data": raster.iptc}
    for name in names:
        if blob := blobs[name]:
            image.set_type(vips().GValue.blob_type, name, blob)
    return image


def _jpeg(raster: Raster, quality: int) -> bytes:
    if raster.xmp and len(raster.xmp) > containers.JPEG_ROOM:
        raster = raster.replace(xmp=None)
    image = _image(raster, "xmp-data", "iptc-data")
    return image.jpegsave_buffer(keep="xmp:iptc", Q=quality, subsample_mode="off" if quality >= 90 else "on")


def _png(raster: Raster, quality: int) -> bytes:
    return _image(raster, "xmp-data").pngsave_buffer(keep="xmp", compression=6, filter="sub")


def _tiff(raster: Raster, quality: int) -> bytes:
    # The predictor for floats is not for 16 bits; whole numbers carry half floats bit for bit.
    predictor = "float" if raster.pixels.dtype == np.float32 else "horizontal"
    image = _image(raster, "xmp-data", "iptc-data")
    big = raster.pixels.nbytes + (0 if raster.alpha is None else raster.alpha.nbytes) > _BIG_TIFF
    return image.tiffsave_buffer(keep="xmp:iptc", compression="deflate", predictor=predictor, bigtiff=big)


def _webp(raster: Raster, quality: int) -> bytes:
    image = _image(raster, "xmp-data", "icc-profile-data")
    if raster.lossless or quality == 100:
        return image.webpsave_buffer(keep="xmp:icc", lossless=True, exact=True, effort=0)
    return image.webpsave_buffer(keep="xmp:icc", Q=quality, effort=2)


def _avif(raster: Raster, quality: int) -> bytes:
    bits = raster.bits or 8
    if bits > 8:
        alpha = None if raster.alpha is None else _packed(raster.alpha, bits)
        raster = raster.replace(pixels=_packed(raster.pixels, bits), alpha=alpha)
    image = _image(raster, "xmp-data", "icc-profile-data")
    # libvips makes an EXIF block of its own; `containers` puts ours in its place. Effort 0 takes a
    # tenth of the time of the default, for files a tenth larger.
    return image.heifsave_buffer(
        keep="xmp:icc:exif" if raster.exif else "xmp:icc",
        compression="av1",
        bitdepth=bits,
        Q=quality,
        lossless=quality == 100,
        effort=0,
    )


def _packed(values: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.uint16]:
    """0..65535 as samples of `bits` at the upper end of 16, where libvips takes them."""
    top = (1 << bits) - 1
    result = np.empty_like(values)
    for rows in bands(*values.shape[:2]):
        samples = (values[rows].astype(np.uint32) * top + 32_767) // 65_535
        result[rows] = samples << (16 - bits)
    return result


_WRITERS = {"jpeg": _jpeg, "png": _png, "tiff": _tiff, "webp": _webp, "avif": _avif}
