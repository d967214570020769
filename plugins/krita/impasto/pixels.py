"""How pixels lie in Krita and on the wire; nothing here knows Krita, Qt or numpy."""

from __future__ import annotations

from typing import Any

DTYPES = {"U8": "uint8", "U16": "uint16"}
BYTES = {"U8": 1, "U16": 2}
BAND = 1 << 18
"""Pixels that are swapped at a time: between bands, other threads get their turn."""


def is_direct(model: str, depth: str) -> bool:
    """Whether pixels of this model ("RGBA"…) and depth ("U8"…) travel as they are."""
    return model == "RGBA" and depth in DTYPES


def size(width: int, height: int, depth: str) -> int:
    """Bytes of an RGBA picture."""
    return width * height * 4 * BYTES[depth]


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
    result = bytearray(data)
    code = "B" if depth == "U8" else "H"
    source = memoryview(data).cast("B").cast(code)
    target = memoryview(result).cast(code)
    for start in range(0, len(source), 4 * BAND):
        end = min(start + 4 * BAND, len(source))
        target[start:end:4] = source[start + 2 : end : 4]
        target[start + 2 : end : 4] = source[start:end:4]
    return result


def clamped(bounds: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int] | None:
    """The part of x, y, width, height inside a picture; None when nothing is.

    Bounds of a soft selection include its feather and may leave the picture.
    """
    x, y, w, h = bounds
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, width), min(y + h, height)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
