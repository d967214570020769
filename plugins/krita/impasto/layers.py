"""Read the active layer, and add the painted one. To be called on the UI thread only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import pixels
from .qt import Krita, QtCore

SRGB = "sRGB-elle-V2-srgbtrc.icc"


class Unsuitable(Exception):
    """`str(error)` is one sentence for the user."""


@dataclass
class Source:
    """A layer as it was read.

    Attributes:
        document, node: ids, because the user may close or remove both before the painting is done.
        depth: "U8" or "U16", of `data`: B, G, R, A.
        converted: `data` is sRGB, not in the document's own space.
        selection: a copy, or None.
    """

    document: str
    node: Any
    width: int
    height: int
    depth: str
    converted: bool
    data: bytes
    selection: Any


def _id(document: Any) -> str:
    return document.rootNode().uniqueId().toString()


def read() -> Source:
    """The active layer, as large as the picture.

    Raises:
        Unsuitable: there is nothing to paint.
    """
    document = Krita.instance().activeDocument()
    if document is None:
        raise Unsuitable("No document is open; open one first.")
    node = document.activeNode()
    if node is None:
        raise Unsuitable("No layer is active; click one in the Layers docker.")
    if node.type().endswith("mask"):
        raise Unsuitable(f"“{node.name()}” is a mask; click a layer in the Layers docker.")
    width, height = document.width(), document.height()
    selection = document.selection()
    if selection is not None:
        bounds = (selection.x(), selection.y(), selection.width(), selection.height())
        if pixels.clamped(bounds, width, height) is None:
            raise Unsuitable("The selection lies outside the picture; select something inside it.")
        selection = selection.duplicate()
    same = (node.colorModel(), node.colorDepth(), node.colorProfile()) == (
        document.colorModel(),
        document.colorDepth(),
        document.colorProfile(),
    )
    direct = same and pixels.is_direct(node.colorModel(), node.colorDepth())
    depth = node.colorDepth() if direct else "U16"
    if node.type() == "paintlayer":
        origin = node
        if not direct:
            origin = node.duplicate()
            origin.setColorSpace("RGBA", "U16", SRGB)
        data = origin.pixelData(0, 0, width, height)
    elif direct:
        data = node.projectionPixelData(0, 0, width, height)
    else:
        raise Unsuitable(f"“{node.name()}” is no paint layer; flatten a copy of it and paint that.")
    data = bytes(data)
    if len(data) != pixels.size(width, height, depth):
        raise Unsuitable(f"“{node.name()}” cannot be read; convert it to a paint layer.")
    return Source(_id(document), node.uniqueId(), width, height, depth, not direct, data, selection)


def add(source: Source, data: bytes, name: str) -> None:
    """Put the painting (B, G, R, A, of the source's size and depth) above its layer: one undo step.

    Raises:
        Unsuitable: the document has gone, or the painting does not fit.
    """
    documents = Krita.instance().documents()
    document = next((one for one in documents if _id(one) == source.document), None)
    if document is None:
        raise Unsuitable(
            "The document was closed, so that the painting has no place to go; open it and paint again."
        )
    # Krita reads past the end of data that is too short.
    if len(data) != pixels.size(source.width, source.height, source.depth):
        raise Unsuitable("The daemon sent a painting of another size; update Impasto and the plug-in.")
    layer = document.createNode(name, "paintlayer")
    own = (document.colorModel(), document.colorDepth(), document.colorProfile())
    if source.converted:
        layer.setColorSpace("RGBA", source.depth, SRGB)
    elif own[:2] != ("RGBA", source.depth):
        raise Unsuitable("The document was converted while Impasto painted; press Paint again.")
    layer.setPixelData(QtCore.QByteArray(data), 0, 0, source.width, source.height)
    if source.converted:
        layer.setColorSpace(*own)
    if source.selection is not None:
        mask = document.createTransparencyMask("Selection")
        mask.setSelection(source.selection)
        layer.addChildNode(mask, None)
    below = document.nodeByUniqueID(source.node)
    parent = below.parentNode() if below is not None else None
    if parent is None:
        document.rootNode().addChildNode(layer, None)
    else:
        parent.addChildNode(layer, below)
        document.setActiveNode(below)
    document.refreshProjection()
