"""Small pictures: thumbnails, and copies of layers for previews. QImage in, QImage out."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from .client.planes import Small, fitted, rgba, stain
from .qt import Qt, QtGui

FINER = 4
"""Krita's thumbnails take every nth pixel: they are made larger, and then averaged."""

RGBA: Any = QtGui.QImage.Format.Format_RGBA8888
SMOOTH: Any = Qt.TransformationMode.SmoothTransformation
ANY_SHAPE: Any = Qt.AspectRatioMode.IgnoreAspectRatio


def rows(image: Any, channels: int) -> bytes:
    """Pixels of a picture with so many bytes a pixel, without the padding of its rows."""
    bits, width = image.constBits(), image.width() * channels
    bits.setsize(image.sizeInBytes())
    data, line = bytes(bits), image.bytesPerLine()
    if line == width:
        return data
    return b"".join(data[row * line : row * line + width] for row in range(image.height()))


def gray(mask: bytes, width: int, height: int) -> Any:
    """A mask as a picture. It reads from `mask`, which has to live as long."""
    return QtGui.QImage(mask, width, height, width, QtGui.QImage.Format.Format_Grayscale8)


def coloured(data: bytes, width: int, height: int) -> Any:
    """RGBA pixels as a picture of its own."""
    return QtGui.QImage(data, width, height, 4 * width, RGBA).copy()


def small_copy(document: Any, node: Any, across: int, down: int) -> Small:
    """A layer as large as its document, to fit into `across` x `down`."""
    width, height, scale = fitted(document.width(), document.height(), across, down)
    image = QtGui.QImage(width, height, RGBA)
    image.fill(Qt.GlobalColor.transparent)
    bounds = node.bounds()
    wide = max(1, round(bounds.width() * width / document.width()))
    high = max(1, round(bounds.height() * height / document.height()))
    finer = min(FINER, max(1, bounds.width() // wide))
    if not bounds.isEmpty():
        found = node.thumbnail(wide * finer, high * finer).scaled(wide, high, ANY_SHAPE, SMOOTH)
        painter = QtGui.QPainter(image)
        painter.drawImage(
            round(bounds.x() * width / document.width()),
            round(bounds.y() * height / document.height()),
            found,
        )
        painter.end()
    return Small(width, height, 4, rows(image, 4), scale)


def shown(small: Small) -> Any:
    """A small copy on a checkerboard where it is transparent."""
    return on_checks(coloured(small.data, small.width, small.height))


def on_checks(image: Any) -> Any:
    result = QtGui.QImage(image.width(), image.height(), QtGui.QImage.Format.Format_RGB32)
    painter = QtGui.QPainter(result)
    painter.fillRect(result.rect(), QtGui.QColor(150, 150, 150))
    painter.fillRect(result.rect(), QtGui.QBrush(QtGui.QColor(110, 110, 110), Qt.BrushStyle.Dense4Pattern))
    painter.drawImage(0, 0, image)
    painter.end()
    return result


def over(below: Any, above: Any) -> Any:
    """A new picture: one laid over another."""
    result = below.copy()
    painter = QtGui.QPainter(result)
    painter.drawImage(0, 0, above)
    painter.end()
    return result


def painted(before: Any, small: Small, data: bytes) -> Any:
    """`before` with the painting of the same small copy over it, where the selection lets it."""
    return over(before, coloured(rgba(data, small.channels, small.mask), small.width, small.height))


def decoded(data: bytes) -> Any:
    """An encoded picture; a null one where it is none. To be called from any thread."""
    return QtGui.QImage.fromData(data)


def sketched(before: Any, small: Small, sketch: Any) -> Any:
    """`before` with a sketch of any size over it, as `painted` would show the painting."""
    scaled = sketch.scaled(small.width, small.height, ANY_SHAPE, SMOOTH).convertToFormat(RGBA)
    return over(before, coloured(rgba(rows(scaled, 4), 4, small.cover), small.width, small.height))


def stained(below: Any, mask: bytes, colour: tuple[int, int, int], strength: float = 0.55) -> Any:
    """`below` with a mask shown in a colour."""
    return over(below, coloured(stain(mask, colour, strength), below.width(), below.height()))


def square(image: Any, side: int) -> Any:
    """The middle of a picture as a square of `side`."""
    edge = min(image.width(), image.height())
    middle = image.copy((image.width() - edge) // 2, (image.height() - edge) // 2, edge, edge)
    return middle.scaled(side, side, ANY_SHAPE, SMOOTH)


def from_file(data: bytes, side: int) -> Any:
    """An encoded picture as a square of `side`; None where it is no picture."""
    image = decoded(data)
    return None if image.isNull() else square(image, side)


def blank(name: str, side: int) -> Any:
    """A plain square whose colour belongs to a name, for a style without a picture."""
    hue = crc32(name.encode())
    image = QtGui.QImage(side, side, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor(*(90 + (hue >> shift) % 110 for shift in (0, 8, 16))))
    return image


def icon(image: Any) -> Any:
    return QtGui.QIcon(QtGui.QPixmap.fromImage(image))
