"""Colour spaces: pixels of one as those of another, converted by Krita itself."""

from __future__ import annotations

from typing import Any

from .pixels import Space, strips
from .qt import QtCore
from .steps import SOON, Work
from .texts import Unsuitable, _

SRGB = "sRGB-elle-V2-srgbtrc.icc"
WIRE = Space("RGBA", "U16", SRGB)
"""What travels in place of pixels that cannot travel as they are."""


def space_of(item: Any) -> Space:
    """The colour space of a document or a node."""
    return Space(item.colorModel(), item.colorDepth(), item.colorProfile())


def converted(
    document: Any, data: bytes | bytearray | memoryview, width: int, height: int, source: Space, target: Space
) -> Work:
    """Pixels in another colour space; pauses after each strip.

    Raises:
        Unsuitable: Krita cannot do it.
    """
    if source == target:
        return data
    whole, view = bytearray(), memoryview(data)
    row = source.size(width, 1)
    for top, rows in strips(width, height):
        # A layer that is in no document: no undo step, nothing to be seen.
        scratch = document.createNode("Impasto", "paintlayer")
        if space_of(scratch) != source:
            scratch.setColorSpace(*source)
        scratch.setPixelData(
            QtCore.QByteArray(bytes(view[top * row : (top + rows) * row])), 0, 0, width, rows
        )
        scratch.setColorSpace(*target)
        piece = scratch.pixelData(0, 0, width, rows).data()
        if len(piece) != target.size(width, rows):
            raise Unsuitable(
                _("Colors of this image cannot be converted; convert it to RGB and paint again.")
            )
        whole += piece
        yield SOON
    return whole
