"""Which picture formats there are, as data; and which of them a file really is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from impasto.errors import UnwritablePicture
from impasto.files import SUFFIXES, suffix_for

MAX_SIDE = 65_535
"""Longest side that is read or written, in pixels: that of JPEG."""

MAX_PIXELS = 2**30
"""Most pixels that are read or written: one gigapixel. What claims more is taken for a bomb."""


@dataclass(frozen=True)
class Format:
    """What a file format holds.

    Attributes:
        name: "jpeg", "png", ...
        title: the same for a person, "JPEG".
        depths: bits per channel that can be asked for: 8, 16 or 32 (float).
        bits: most significant bits of an integer channel in the file.
        alpha: whether transparency is held.
        gray: whether one channel is held as such.
        lossless: whether the pixels come back as they went in; None where the file can be either.
        max_side: in pixels.
    """

    name: str
    title: str
    depths: tuple[int, ...]
    bits: int
    alpha: bool
    gray: bool
    lossless: bool | None
    max_side: int = MAX_SIDE


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("jpeg", "JPEG", (8,), 8, False, True, False, 65_500),
        Format("png", "PNG", (8, 16), 16, True, True, True),
        Format("tiff", "TIFF", (8, 16, 32), 16, True, True, True),
        Format("webp", "WebP", (8,), 8, True, False, None, 16_383),
        Format("avif", "AVIF", (8, 16), 12, True, False, None, 16_384),
    )
}

READ = "JPEG, PNG, TIFF, WebP and AVIF"

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF animation"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"BM", "a BMP picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"PK\x03\x04", "a Krita document or another archive"),
    (4, b"ftypcrx ", "a camera raw file"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file"),
    (0, b"IIU\x00", "a camera raw file"),
    (0, b"IIRO", "a camera raw file"),
    (8, b"CR\x02", "a camera raw file"),
    (4, b"ftyp", "a HEIC picture or a film"),
)


def sniff(head: bytes) -> tuple[str | None, str]:
    """What the first bytes of a file (64 are enough) say that it is.

    Returns:
        The name of a format in `FORMATS` or None, and words for a person.
    """
    brands = head[8:64] if head[4:8] == b"ftyp" else b""
    if b"avif" in brands or b"avis" in brands:
        return "avif", "AVIF"
    for at, magic, words in _FOREIGN:
        if head.startswith(magic, at):
            return None, words
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg", "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", "PNG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff", "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp", "WebP"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml")):
        return None, "an SVG drawing or other XML"
    return None, "not a picture"


def format_of(path: str | Path) -> str:
    """The format that the ending of a file's name stands for.

    Raises:
        UnwritablePicture: the ending is missing or unknown; the sentence names the known ones.
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    known = ", ".join(suffix_for(name, Path()) for name in FORMATS)
    what = f"the ending “{suffix}”" if suffix else "no ending"
    raise UnwritablePicture(f"“{Path(path).name}” has {what}; name the picture with one of {known}.")


@cache
def vips() -> Any:
    """The module pyvips, imported at first use and told to remember no results.

    With its cache, libvips would serve the old pixels of a file rewritten under the same name.
    Its warnings are dropped: they tell a user nothing that our errors do not, and the handler that
    pyvips sets for them fails, in print, on words of a file that are no UTF-8.
    """
    os.environ.setdefault("VIPS_WARNING", "0")  # being set at all is what counts
    import pyvips

    pyvips._remove_log_handler()  # ours to call: idempotent, and called again at exit
    pyvips.cache_set_max(0)
    return pyvips
