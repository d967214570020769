"""Colour spaces: pixels of one as those of another, converted by Krita itself."""

from __future__ import annotations

from typing import Any

from .pixels import Space, strips
from .qt import Krita, QtCore
from .steps import SOON, Work
from .texts import Unsuitable, _

SRGB = "sRGB-elle-V2-srgbtrc.icc"


def space_of(item: Any) -> Space:
    """The colour space of a document or a node."""
    return Space(item.colorModel(), item.colorDepth(), item.colorProfile())


def wire_of(space: Space, own: Space) -> Space:
    """What travels for pixels of `space`, which return to `own`: where it can, the same."""
    if space.is_direct and space == own:
        return space
    return Space("RGBA", "U8" if space.depth == own.depth == "U8" else "U16", SRGB)


def converted(
    data: bytes | bytearray | memoryview, width: int, height: int, source: Space, target: Space
) -> Work:
    """Pixels in another colour space; pauses after each strip.

    Raises:
        Unsuitable: Krita cannot do it.
    """
    if source == target:
        return data
    # Of a document of its own: for a layer of the user's, even outside its tree, Krita would paint
    # the whole picture anew with each conversion.
    document = Krita.instance().createDocument(1, 1, "Impasto", *source, 72.0)
    try:
        if document is None or space_of(document) != source:
            raise _unconvertible()
        whole, view = bytearray(), memoryview(data)
        row = source.size(width, 1)
        for top, rows in strips(width, height):
            layer = document.createNode("Impasto", "paintlayer")
            part = QtCore.QByteArray(bytes(view[top * row : (top + rows) * row]))
            layer.setPixelData(part, 0, 0, width, rows)
            layer.setColorSpace(*target)
            piece = layer.pixelData(0, 0, width, rows).data()
            if len(piece) != target.size(width, rows):
                raise _unconvertible()
            whole += piece
            yield SOON
        return whole
    finally:
        if document is not None:
            document.setModified(False)
            document.close()


def _unconvertible() -> Unsuitable:
    return Unsuitable(_("Colors of this image cannot be converted; convert it to RGB and paint again."))
