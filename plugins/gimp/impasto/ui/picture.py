"""Pixbufs: what is shown on the screen. Drawn without cairo, which GIMP's Python may lack."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from client.looks import PICTURE
from client.planes import Small, rgba, stain
from copies import bare_copy
from gi.repository import GdkPixbuf, GLib

LIGHT, DARK = 0xFF999999, 0xFF666666
CHECK = 8
WHITE, BLACK = 0xFFFFFFFF, 0x000000FF


def pixbuf(data: bytes, width: int, height: int) -> Any:
    """RGBA pixels as a pixbuf."""
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(data), GdkPixbuf.Colorspace.RGB, True, 8, width, height, 4 * width
    )


def shown(small: Small) -> Any:
    """A small copy on a checkerboard where it is transparent."""
    return on_checks(pixbuf(rgba(small.data, small.channels), small.width, small.height))


def on_checks(top: Any) -> Any:
    return top.composite_color_simple(
        top.get_width(), top.get_height(), GdkPixbuf.InterpType.NEAREST, 255, CHECK, LIGHT, DARK
    )


def over(below: Any, above: Any) -> Any:
    """A new pixbuf: one of the same size laid over another."""
    result = below.copy()
    width, height = below.get_width(), below.get_height()
    above.composite(result, 0, 0, width, height, 0, 0, 1, 1, GdkPixbuf.InterpType.NEAREST, 255)
    return result


def painted(before: Any, small: Small, data: bytes) -> Any:
    """`before` with the painting of the same small copy over it, where the selection lets it."""
    return over(before, pixbuf(rgba(data, small.channels, small.mask), small.width, small.height))


def sketched(before: Any, small: Small, jpeg: bytes) -> Any:
    """`before` with a sketch of the painting over it, as `painted` would show that; None where the
    sketch is no picture."""
    found = decoded(jpeg)
    if found is None:
        return None
    found = found.scale_simple(small.width, small.height, GdkPixbuf.InterpType.BILINEAR)
    if small.channels < 3:
        found.saturate_and_pixelate(found, 0.0, False)
    line, data = found.get_rowstride(), found.get_pixels()
    width = 3 * small.width
    rgb = b"".join(data[row * line : row * line + width] for row in range(small.height))
    return over(before, pixbuf(rgba(rgb, 3, small.cover), small.width, small.height))


def stained(below: Any, mask: bytes, colour: tuple[int, int, int], strength: float = 0.55) -> Any:
    """`below` with a mask shown in a colour."""
    return over(below, pixbuf(stain(mask, colour, strength), below.get_width(), below.get_height()))


def split(before: Any, after: Any, position: int) -> Any:
    """`before` to the left of a line, `after` to the right."""
    result = after.copy()
    height = result.get_height()
    if position > 0:
        before.copy_area(0, 0, min(position, before.get_width()), height, result, 0, 0)
    if 0 < position < result.get_width():
        fill(result, position - 1, 0, 2, height, WHITE)
    return result


def fill(target: Any, x: int, y: int, width: int, height: int, colour: int) -> None:
    """Fill a rectangle, cut to what lies inside."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, target.get_width()), min(y + height, target.get_height())
    if right > left and bottom > top:
        target.new_subpixbuf(left, top, right - left, bottom - top).fill(colour)


def frame(target: Any, x0: int, y0: int, x1: int, y1: int) -> None:
    """Draw a rectangle's outline, white in black, to be seen on anything."""
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    for grow, colour in ((1, BLACK), (0, WHITE)):
        x, y, w, h = left - grow, top - grow, right - left + 2 * grow, bottom - top + 2 * grow
        for area in ((x, y, w, 1), (x, y + h, w + 1, 1), (x, y, 1, h), (x + w, y, 1, h)):
            fill(target, *area, colour)


def dot(target: Any, x: int, y: int, colour: int) -> None:
    """Mark a point with a small square in a frame."""
    fill(target, x - 5, y - 5, 11, 11, BLACK)
    fill(target, x - 4, y - 4, 9, 9, WHITE)
    fill(target, x - 3, y - 3, 7, 7, colour)


def decoded(data: bytes) -> Any | None:
    """An encoded picture; None where it is none."""
    loader = GdkPixbuf.PixbufLoader()
    try:
        loader.write(data)
        loader.close()
    except GLib.Error:
        return None
    return loader.get_pixbuf()


def from_file(data: bytes, side: int) -> Any | None:
    """An encoded picture, cut to a square of `side`; None where it is no picture."""
    found = decoded(data)
    return None if found is None else square(found, side)


def of_extra(ref: str, source: Any, side: int) -> Any | None:
    """A file behind `PICTURE` or a layer, cut to a square of `side`; None for a file that is no picture."""
    if ref == PICTURE:
        return _of_file(source.get_path(), side)
    return square(shown(bare_copy(source, 2 * side, 2 * side)), side)


@lru_cache(maxsize=16)
def _of_file(path: str, side: int) -> Any | None:
    try:
        return from_file(Path(path).read_bytes(), side)
    except OSError:  # who paints with it says why
        return None


def square(picture: Any, side: int) -> Any:
    """The middle of a pixbuf as a square of `side`."""
    width, height = picture.get_width(), picture.get_height()
    edge = min(width, height)
    middle = picture.new_subpixbuf((width - edge) // 2, (height - edge) // 2, edge, edge)
    return middle.scale_simple(side, side, GdkPixbuf.InterpType.BILINEAR)


def blank(name: str, side: int) -> Any:
    """A plain square whose colour belongs to a name, for a style without a picture."""
    from zlib import crc32

    hue = crc32(name.encode())
    colour = [90 + (hue >> shift) % 110 for shift in (0, 8, 16)]
    result = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, side, side)
    result.fill(colour[0] << 24 | colour[1] << 16 | colour[2] << 8 | 0xFF)
    return result
