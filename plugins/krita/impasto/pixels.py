"""How pixels lie in Krita and on the wire; nothing here knows Krita, Qt or numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

DTYPES = {"U8": "uint8", "U16": "uint16"}
BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
CHANNELS = {"A": 1, "GRAYA": 2, "RGBA": 4, "XYZA": 4, "LABA": 4, "YCbCrA": 4, "CMYKA": 5}
BAND = 1 << 18
"""Pixels that are rearranged at a time: between bands, other threads get their turn."""
STRIP = 1 << 19
"""Pixels that are converted on the UI thread at a time: a tenth of a second of Lab in floats, the slowest."""


class Space(NamedTuple):
    """A colour space as Krita names it.

    Attributes:
        model: "RGBA", "GRAYA", "CMYKA", "LABA"…
        depth: "U8", "U16", "F16" or "F32".
        profile: its name.
    """

    model: str
    depth: str
    profile: str

    @property
    def is_direct(self) -> bool:
        """Whether its pixels travel as they are: whole-number RGB with sRGB's curve."""
        profile = self.profile.casefold()
        srgb = profile.startswith("srgb") and "g10" not in profile and "linear" not in profile
        return self.model == "RGBA" and self.depth in DTYPES and srgb

    def size(self, width: int, height: int) -> int:
        """Bytes of a picture."""
        return width * height * CHANNELS[self.model] * BYTES[self.depth]


class Box(NamedTuple):
    """A rectangle in a document; x and y may be negative."""

    x: int
    y: int
    width: int
    height: int

    def common(self, width: int, height: int) -> Box | None:
        """The part inside a picture of that size; None when nothing is.

        Bounds of a soft selection include its feather and may leave the picture.
        """
        left, top = max(self.x, 0), max(self.y, 0)
        right, bottom = min(self.x + self.width, width), min(self.y + self.height, height)
        return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of strips of at most about `STRIP` pixels."""
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        yield top, min(rows, height - top)


def meta(width: int, height: int, depth: str) -> dict[str, Any]:
    """What the daemon wants to know of pixels that `swapped` made."""
    return {"kind": "pixels", "width": width, "height": height, "channels": 4, "dtype": DTYPES[depth]}


def swapped(data: bytes | bytearray | memoryview, depth: str) -> bytearray:
    """Krita's B, G, R, A as R, G, B, A, or the other way round.

    Raises:
        ValueError: `data` is not whole pixels.
    """
    step = 4 * BYTES[depth]
    if len(data) % step:
        raise ValueError(f"{len(data)} bytes are not whole pixels")
    source = memoryview(data).cast("B")
    whole = bytearray(len(source))
    for start in range(0, len(source), BAND * step):
        piece = bytearray(source[start : start + BAND * step])
        for low in range(BYTES[depth]):  # of bytes, Python's slices are many times faster
            high = 2 * BYTES[depth] + low
            piece[low::step], piece[high::step] = piece[high::step], piece[low::step]
        whole[start : start + len(piece)] = piece
    return whole


def opacity(data: bytes, space: Space) -> bytes:
    """The last channel, which is alpha, as a byte a pixel; `space` has whole numbers."""
    step = CHANNELS[space.model] * BYTES[space.depth]
    return data[step - 1 :: step]
