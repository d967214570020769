"""Krita's masks as regions: the selection, masks of layers and groups, layers of a colour label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import steps
from .layers import find_document, id_of
from .pictures import gray, rows
from .pixels import DTYPES, opacity
from .qt import Qt, QtGui
from .spaces import converted, space_of, wire_of
from .texts import Unsuitable, _

MASKS = ("transparencymask", "selectionmask")

LABELS = ("", "#5b9bd5", "#7fba3c", "#e3c800", "#e87e04", "#8a5a2b", "#c0392b", "#8e44ad", "#7f8c8d")
"""About the colours of Krita's labels, by number."""


def label_names() -> tuple[str, ...]:
    """What Krita's colour labels are called, by number."""
    colours = _("blue"), _("green"), _("yellow"), _("orange"), _("brown"), _("red"), _("purple"), _("gray")
    return ("", *colours)


class Mask(NamedTuple):
    """A mask of a document that is read when it is needed.

    Attributes:
        read: bytes of the whole document, one a pixel. It raises `Unsuitable` when it has gone.
        label: Krita's number of its colour label, or 0.
    """

    name: str
    read: Callable[[], bytes]
    label: int = 0


def of_selection(document: Any) -> Mask:
    """The selection as it is now.

    Raises:
        Unsuitable: nothing is selected.
    """
    selection = document.selection()
    if selection is None:
        raise Unsuitable(_("Nothing is selected; select a part of the picture first."))
    copy, width, height = selection.duplicate(), document.width(), document.height()
    return Mask(_("Selection"), lambda: bytes(copy.pixelData(0, 0, width, height)))


def of_node(document: Any, node: Any) -> Mask:
    """The mask of a layer or group; where it has none, its opacity."""
    identity, unique, name = id_of(document), node.uniqueId(), node.name()

    def read() -> bytes:
        owner = find_document(identity)
        found = owner.nodeByUniqueID(unique) if owner is not None else None
        if found is None:
            raise Unsuitable(
                _("The layer “{name}” has gone; remove its region or choose another.").format(name=name)
            )
        return coverage(owner, found)

    return Mask(name, read)


def of_label(document: Any, label: int) -> Mask:
    """All layers with a colour label together."""
    identity = id_of(document)
    name = _("Label {color}").format(color=label_names()[label])

    def read() -> bytes:
        owner = find_document(identity)
        nodes = labelled(owner).get(label, []) if owner is not None else []
        if not nodes:
            raise Unsuitable(
                _("No layer has the color of “{name}” any more; remove its region.").format(name=name)
            )
        covers = [coverage(owner, node) for node in nodes]
        return covers[0] if len(covers) == 1 else _united(covers, owner.width(), owner.height())

    return Mask(name, read, label)


def labelled(document: Any) -> dict[int, list[Any]]:
    """The layers of each colour label that is in use."""
    found: dict[int, list[Any]] = {}
    for node in nodes(document.rootNode()):
        if node.colorLabel() and not node.type().endswith("mask"):
            found.setdefault(node.colorLabel(), []).append(node)
    return found


def nodes(root: Any) -> list[Any]:
    """All nodes below one, from bottom to top."""
    found: list[Any] = []
    for child in root.childNodes():
        found += [child, *nodes(child)]
    return found


def coverage(document: Any, node: Any) -> bytes:
    """How much of each pixel of the document a mask or layer covers."""
    width, height = document.width(), document.height()
    own = (
        node
        if node.type() in MASKS
        else next((one for one in node.childNodes() if one.type() in MASKS), None)
    )
    if own is not None:
        return bytes(own.selection().pixelData(0, 0, width, height))
    space = space_of(node)
    data = bytes(node.projectionPixelData(0, 0, width, height))
    if space.depth not in DTYPES:  # floats, which Python would read one by one
        wire = wire_of(space, space)
        data, space = steps.at_once(converted(data, width, height, space, wire)), wire
    return opacity(data, space)


def _united(covers: list[bytes], width: int, height: int) -> bytes:
    """The highest of several masks at each pixel."""
    whole = gray(covers[0], width, height).convertToFormat(QtGui.QImage.Format.Format_RGB32)
    painter = QtGui.QPainter(whole)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Lighten)
    for cover in covers[1:]:
        painter.drawImage(0, 0, gray(cover, width, height))
    painter.end()
    return rows(whole.convertToFormat(QtGui.QImage.Format.Format_Grayscale8), 1)


def reduced(mask: bytes, width: int, height: int, across: int, down: int) -> bytes:
    """A mask at the size of a preview."""
    small = gray(mask, width, height).scaled(
        across, down, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    return rows(small.convertToFormat(QtGui.QImage.Format.Format_Grayscale8), 1)


def enclosed(mask: bytes, width: int, height: int) -> tuple[dict[str, Any], bytes]:
    """A mask as it goes along with a job."""
    assert len(mask) == width * height
    return {"kind": "pixels", "width": width, "height": height, "channels": 1, "dtype": "uint8"}, mask
