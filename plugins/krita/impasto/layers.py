"""Read the active layer, and add painted ones. To be called on the UI thread only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from .client.planes import MAX_PIXELS
from .pixels import Box, Space
from .qt import Krita, QtCore, krita
from .spaces import converted, space_of, wire_of
from .steps import LATER, SOON, Work
from .texts import Unsuitable, _

PIECE = 1 << 20
"""Pixels that are read or written at a time."""

PATIENCE = 1.0
"""Seconds within which Krita has activated a new layer."""

GROUP = "Impasto"
SELECTION = "Selection"


@dataclass
class Source:
    """A layer as it was read, as large as its document.

    Attributes:
        document, node: ids, because the user may close or remove both before the painting is done.
        own: the document's colour space, to which the painting returns.
        space: of `data`, and of the painting.
        data: pixels as Krita has them.
        selection: a copy, or None.
    """

    document: str
    node: Any
    name: str
    width: int
    height: int
    own: Space
    space: Space
    data: bytearray | bytes
    selection: Any


class Piece(NamedTuple):
    """One layer of a result.

    Attributes:
        box: where it lies in the document.
        data: its pixels in the source's space.
        mask: bytes of its transparency mask in its box, Krita's selection, or None to show all.
    """

    name: str
    box: Box
    data: bytearray | memoryview
    mask: Any


def id_of(document: Any) -> str:
    """What tells a document from all others, even after it is closed."""
    return document.rootNode().uniqueId().toString()


def find_document(identity: str) -> Any:
    """The open document with that id, or None."""
    # Krita's list must live as long as what is taken from it.
    documents = Krita.instance().documents()
    return next((one for one in documents if id_of(one) == identity), None)


def active() -> tuple[Any, Any]:
    """The document and the layer to paint.

    Raises:
        Unsuitable: there is none, with the next step.
    """
    document = Krita.instance().activeDocument()
    if document is None:
        raise Unsuitable(_("No document is open; open one first."))
    node = document.activeNode()
    if node is None:
        raise Unsuitable(_("No layer is active; click one in the Layers docker."))
    if node.type().endswith("mask"):
        raise Unsuitable(
            _("“{name}” is a mask; click a layer in the Layers docker.").format(name=node.name())
        )
    return document, node


def check_size(document: Any) -> None:
    """See that a layer as large as its document can be painted.

    Raises:
        Unsuitable: it has too many pixels.
    """
    pixels = document.width() * document.height()
    if pixels > MAX_PIXELS:
        sentence = _("“{name}” has {own} million pixels, and Impasto paints at most {most}; scale it down.")
        own, most = round(pixels / 1e6), round(MAX_PIXELS / 1e6)
        raise Unsuitable(sentence.format(name=document.name() or _("Unnamed"), own=own, most=most))


def selection_of(document: Any) -> Any:
    """A copy of the selection, or None where nothing is selected.

    Raises:
        Unsuitable: it lies outside the picture.
    """
    selection = document.selection()
    if selection is None:
        return None
    box = Box(selection.x(), selection.y(), selection.width(), selection.height())
    if box.common(document.width(), document.height()) is None:
        raise Unsuitable(_("The selection lies outside the picture; select something inside it."))
    return selection.duplicate()


def read() -> Work:
    """The active layer with all that its own masks and filters do.

    Raises:
        Unsuitable: there is nothing to paint.
    """
    document, node = active()
    if node.bounds().isEmpty():
        raise Unsuitable(_("“{name}” is empty; click a layer with something on it.").format(name=node.name()))
    check_size(document)
    selection = selection_of(document)
    width, height, space = document.width(), document.height(), space_of(node)
    bare = node.type() == "paintlayer" and not node.childNodes()
    fetch = node.pixelData if bare else node.projectionPixelData
    data = yield from _bytes(fetch, width, height)
    if len(data) != space.size(width, height):
        raise Unsuitable(_("“{name}” cannot be read; convert it to a paint layer.").format(name=node.name()))
    own = space_of(document)
    wire = wire_of(space, own)
    data = yield from converted(data, width, height, space, wire)
    return Source(id_of(document), node.uniqueId(), node.name(), width, height, own, wire, data, selection)


def _bytes(fetch: Any, width: int, height: int) -> Work:
    rows = max(1, PIECE // width)
    whole = bytearray()
    for top in range(0, height, rows):
        whole += fetch(0, top, width, min(rows, height - top)).data()
        yield SOON
    return whole


def add(source: Source, pieces: list[Piece], name: str) -> Work:
    """Put a painting above its layer: one undo step. Several pieces, from bottom to top, make a group.

    Returns:
        The new node.

    Raises:
        Unsuitable: the document has gone or was converted, or the painting does not fit.
    """
    layers: list[Any] = []
    for piece in pieces:
        # Looked up anew after each pause: meanwhile, the user may have closed it.
        layers.append((yield from _layer(source, piece)))
    document = _document(source)
    if len(layers) == 1:
        new = layers[0]
    else:
        new = document.createGroupLayer(GROUP)
        for layer in layers:
            new.addChildNode(layer, None)
    new.setName(name)
    before = document.activeNode()
    below = document.nodeByUniqueID(source.node)
    parent = below.parentNode() if below is not None else None
    if parent is None:
        document.rootNode().addChildNode(new, None)
    else:
        parent.addChildNode(new, below)
    if len(layers) > 1:  # what came into the group before the group came into the picture is not shown
        document.refreshProjection()
    # Krita activates what is added, but only when it comes to that among its events.
    end = time.monotonic() + PATIENCE
    while before is not None and time.monotonic() < end:
        yield LATER
        document = find_document(source.document)
        now = document.activeNode() if document is not None else None
        if now is not None and now.uniqueId() == new.uniqueId():
            document.setActiveNode(before)
            break
    return new


def _document(source: Source) -> Any:
    document = find_document(source.document)
    if document is None:
        raise Unsuitable(
            _("The document was closed, so that the painting has no place to go; open it and paint again.")
        )
    if space_of(document) != source.own:
        raise Unsuitable(_("The document was converted while Impasto painted; press Paint again."))
    return document


def _layer(source: Source, piece: Piece) -> Work:
    """A layer with its mask, not yet in the document."""
    document, (x, y, width, height) = _document(source), piece.box
    # Krita reads past the end of data that is too short.
    if len(piece.data) != source.space.size(width, height):
        raise Unsuitable(_("The daemon sent a painting of another size; update Impasto and the plug-in."))
    data = yield from converted(piece.data, width, height, source.space, source.own)
    document = _document(source)
    layer = document.createNode(piece.name, "paintlayer")
    row, rows = source.own.size(width, 1), max(1, PIECE // width)
    view = memoryview(data)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        part = QtCore.QByteArray(bytes(view[top * row : (top + count) * row]))
        layer.setPixelData(part, x, y + top, width, count)
        yield SOON
    document = _document(source)
    selection = piece.mask
    if isinstance(selection, bytes):
        assert len(selection) == width * height
        selection = krita.Selection()
        selection.setPixelData(QtCore.QByteArray(piece.mask), x, y, width, height)
    if selection is not None:
        mask = document.createTransparencyMask(_(SELECTION))
        mask.setSelection(selection)
        layer.addChildNode(mask, None)
    return layer
