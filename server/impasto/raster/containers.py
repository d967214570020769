"""EXIF, profile and resolution into finished files, byte for byte.

libvips would write EXIF through libexif, which rewrites fields, and drops a profile that does not
fit the number of channels. So it writes neither, and they are put in here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from impasto.errors import UnwritablePicture
from impasto.raster import metadata
from impasto.raster.picture import Raster

JPEG_ROOM = 65_533 - len(b"http://ns.adobe.com/xap/1.0/\0")
"""Most bytes of an EXIF block or XMP packet in a JPEG file."""


_STRANGE = "The AVIF encoder wrote a file of an unknown kind; choose another format."


def completed(data: bytes, raster: Raster) -> bytes:
    """The encoded file `data`, of the format of `raster`, with what libvips did not write."""
    match raster.format:
        case "jpeg":
            return _jpeg(data, raster)
        case "png":
            return _png(data, raster)
        case "tiff":
            half = raster.pixels.dtype == np.float16
            return metadata.tiff_with(data, raster.exif, raster.icc, raster.dpi is not None, half)
        case "webp":
            return _webp(data, raster, raster.exif) if raster.exif else data
        case _:
            return _avif(data, raster.exif) if raster.exif else data


def _jpeg(data: bytes, raster: Raster) -> bytes:
    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    across, down = (min(round(value), 65_535) for value in raster.dpi or (1, 1))
    parts = [segment(0xE0, struct.pack(">5sHBHHBB", b"JFIF", 0x0101, bool(raster.dpi), across, down, 0, 0))]
    if raster.exif and len(raster.exif) <= JPEG_ROOM:
        parts.append(segment(0xE1, b"Exif\0\0" + raster.exif))
    icc = raster.icc or b""
    step = 65_519
    count = -(-len(icc) // step)
    if count <= 255:
        for number in range(count):
            head = b"ICC_PROFILE\0" + bytes([number + 1, count])
            parts.append(segment(0xE2, head + icc[number * step : (number + 1) * step]))
    return b"".join([data[:2], *parts, memoryview(data)[2:]])


def _png(data: bytes, raster: Raster) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    parts = []
    if raster.icc:
        parts.append(chunk(b"iCCP", b"icc\0\0" + zlib.compress(raster.icc)))
    if raster.exif:
        parts.append(chunk(b"eXIf", raster.exif))
    if raster.dpi:
        across, down = (round(value / 0.0254) for value in raster.dpi)
        parts.append(chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    start = 33  # behind the signature and IHDR
    end = start
    if data[start + 4 : start + 8] == b"pHYs":  # libvips writes one always
        end += 21
    return b"".join([data[:start], *parts, memoryview(data)[end:]])


def _webp(data: bytes, raster: Raster, exif: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    chunks, at = [], 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    if chunks[0][0] == b"VP8X":
        extended = bytearray(chunks.pop(0)[1])
    else:
        sides = (raster.width - 1).to_bytes(3, "little") + (raster.height - 1).to_bytes(3, "little")
        extended = bytearray(bytes([0x10 if raster.alpha is not None else 0, 0, 0, 0]) + sides)
    extended[0] |= 0x08
    last = [part for part in chunks if part[0] == b"XMP "]
    middle = [part for part in chunks if part[0] != b"XMP "]
    ordered = [(b"VP8X", bytes(extended)), *middle, (b"EXIF", exif), *last]
    body = b"WEBP" + b"".join(chunk(kind, part) for kind, part in ordered)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each ISO box."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        if size < 8 or start + size > end:
            raise UnwritablePicture(
                "The AVIF encoder wrote a file of an unknown kind; choose another format."
            )
        yield kind, start + 8, start + size
        start += size


def _avif(data: bytes, exif: bytes) -> bytes:
    """Turn the entry of the EXIF item that libheif wrote to a block at the end of the file."""
    meta = next(box for box in _boxes(data, 0, len(data)) if box[0] == b"meta")
    inside = {kind: (start, end) for kind, start, end in _boxes(data, meta[1] + 4, meta[2])}
    items = _boxes(data, inside[b"iinf"][0] + 6, inside[b"iinf"][1])
    numbers = [data[at + 4 : at + 6] for _, at, _ in items if data[at + 8 : at + 12] == b"Exif"]
    at = inside[b"iloc"][0]
    # Version 0, offsets, lengths and bases of 4 bytes: as libheif writes small files.
    if data[at] != 0 or data[at + 4 : at + 6] != b"\x44\x40" or len(numbers) != 1:
        raise UnwritablePicture(_STRANGE)
    result = bytearray(data)
    (count,) = struct.unpack(">H", data[at + 6 : at + 8])
    at += 8
    body = bytes(4) + exif  # the block begins at once
    for _ in range(count):
        (extents,) = struct.unpack(">H", data[at + 8 : at + 10])
        if data[at : at + 2] == numbers[0] and extents == 1:
            result[at + 4 : at + 18] = struct.pack(">IHII", len(data) + 8, 1, 0, len(body))
        at += 10 + 8 * extents
    return bytes(result) + struct.pack(">I4s", len(body) + 8, b"mdat") + body
