"""Pictures for tests, written without `impasto.raster`: by Pillow, tifffile, or by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageOps

Array = npt.NDArray[Any]

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="1" dc:title="Bridge"/></x:xmpmeta>'
TAKEN = "2024:05:06 07:08:09"
DTYPES: dict[str, npt.DTypeLike] = {"8": np.uint8, "16": np.uint16, "half": np.float16, "float": np.float32}

SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(
    primaries: tuple[tuple[float, ...], ...] | None, curve: float | tuple[float, ...] | Array
) -> bytes:
    """An ICC profile: of three D50 primaries, or of gray (None), with one curve for all channels.

    `curve` is a gamma, the parameters of an ICC curve of type 3, or samples 0..65535.
    """
    if isinstance(curve, tuple):
        numbers = (round(value * 65536) for value in curve)
        body = struct.pack(">4sIHH5i", b"para", 0, 3, 0, *numbers)
    elif isinstance(curve, np.ndarray):
        body = struct.pack(">4sII", b"curv", 0, len(curve)) + curve.astype(">u2").tobytes()
    else:
        body = struct.pack(">4sIIH", b"curv", 0, 1, round(curve * 256))
    space, tags = b"GRAY", [(b"kTRC", body)]
    if primaries:
        fixed = [[round(value * 65536) for value in one] for one in primaries]
        names = (b"rXYZ", b"gXYZ", b"bXYZ")
        xyz = [(n, struct.pack(">4sI3i", b"XYZ ", 0, *one)) for n, one in zip(names, fixed, strict=True)]
        space, tags = b"RGB ", [*xyz, *((name, body) for name in (b"rTRC", b"gTRC", b"bTRC"))]
    white = struct.pack(">4sI3i", b"XYZ ", 0, 63190, 65536, 54061)
    words = struct.pack(">4sII", b"desc", 0, 5) + b"test\0" + bytes(78)
    tags += [(b"wtpt", white), (b"desc", words), (b"cprt", struct.pack(">4sI", b"text", 0) + b"free\0")]
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags:
        table += struct.pack(">4sII", name, at + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    size = at + len(data)
    head = struct.pack(">I4sI4s4s4s12s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ", b"")
    head = (head + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0")
    return head + struct.pack(">I", len(tags)) + table + data


def pixels(depth: str, channels: int, height: int = 13, width: int = 17, seed: int = 0) -> Array:
    """(height, width, channels) of noise over the whole range."""
    values = np.random.default_rng(seed).random((height, width, channels))
    dtype = np.dtype(DTYPES[depth])
    top = (1 << 8 * dtype.itemsize) - 1
    return np.rint(values * top).astype(dtype) if dtype.kind == "u" else values.astype(dtype)


def smooth(channels: int = 3, height: int = 48, width: int = 64) -> Array:
    """(height, width, channels) uint8 that lossy formats keep well."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (9 + c) + c) * np.cos(y / (11 + c)) for c in range(channels)]
    return (np.stack(waves, -1) * 100 + 128).astype(np.uint8)


def exif(orientation: int = 1) -> Image.Exif:
    """As of a camera: with a maker's note, a position, and a comment of the photographer."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131], tags[0x0132] = (
        "Maker",
        "Model X",
        "Firmware 7",
        "2024:05:06 07:08:09",
    )
    tags[0x0112] = orientation
    tags[0x8298] = "A. Painter"
    inner = tags.get_ifd(0x8769)
    inner[0x829A], inner[0x9003], inner[0x927C] = 0.004, TAKEN, b"note of the maker" * 9
    tags.get_ifd(0x8825)[1] = "N"
    tags.get_ifd(0x8825)[2] = (47.0, 22.0, 30.0)
    return tags


def fields(block: bytes | None) -> dict[str, Any]:
    """All fields of an EXIF block, as Pillow reads them."""
    tags = Image.Exif()
    tags.load(b"Exif\0\0" + (block or b""))
    directories = {"": dict(tags), "exif": tags.get_ifd(0x8769), "gps": tags.get_ifd(0x8825)}
    pointers = (0x8769, 0x8825)
    return {
        f"{k}{tag:04x}": v
        for k, part in directories.items()
        for tag, v in part.items()
        if tag not in pointers
    }


def upright(lying: Array, orientation: int) -> Array:
    """What a viewer shows of (H, W, C) pixels under an EXIF orientation; by Pillow, channel by channel."""
    planes = []
    for plane in np.moveaxis(lying.astype(np.float32), 2, 0):
        picture = Image.fromarray(plane)
        picture.getexif()[0x0112] = orientation
        planes.append(np.asarray(ImageOps.exif_transpose(picture)))
    return np.stack(planes, -1).astype(lying.dtype)


def png(
    values: Array, icc: bytes | None = None, exif: bytes | None = None, xmp: bytes | None = None
) -> bytes:
    """(H, W, 1-4) uint8 or uint16 as PNG; Pillow writes no 16-bit colour."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    body = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, kind, 0, 0, 0))]
    if icc:
        body.append(chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if xmp:
        body.append(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if exif:
        body.append(chunk(b"eXIf", exif))
    body.append(chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1)))
    rows = values.astype(values.dtype.newbyteorder(">")).reshape(height, -1)
    body.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff(values: Array, icc: bytes | None = None, orientation: int = 1, **options: Any) -> bytes:
    """(H, W, 1-4) as TIFF, with a maker and 300 by 150 dpi; `options` go to tifffile."""
    channels = values.shape[2]
    file = io.BytesIO()
    tags = [(274, 3, 1, orientation, True), (271, 2, 6, "Maker", True), (700, 1, len(XMP), XMP, True)]
    written = values[..., 0] if channels == 1 else values
    defaults = {
        "photometric": "rgb" if channels >= 3 else "minisblack",
        "planarconfig": None if channels == 1 else "contig",
        "extrasamples": ["unassalpha"] if channels in (2, 4) else None,
        "metadata": None,
        "iccprofile": icc,
        "extratags": tags,
        "resolution": (300, 150),
        "resolutionunit": 2,
    }
    tifffile.imwrite(file, written, **(defaults | options))
    return file.getvalue()


def pillow(values: Array, format: str, **options: Any) -> bytes:
    """(H, W, 1-4) uint8 by Pillow."""
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(file, format, **options)
    return file.getvalue()
