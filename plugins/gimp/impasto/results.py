"""Writing: from painted bytes to layers, masks and selections."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402
from layers import Trouble  # noqa: E402
from pixels import Box, Layout  # noqa: E402
from texts import _, fill  # noqa: E402

GROUP = "Impasto"
PARASITE = "impasto-look"
TYPES = dict(enumerate(("GRAY_IMAGE", "GRAYA_IMAGE", "RGB_IMAGE", "RGBA_IMAGE"), 1))
"""GIMP's names of a layer's type, by channels."""

BAND = 256
"""Rows written at a time: a whole number of GIMP's tiles."""

KEPT = 1 | 2  # persistent and undoable: without the latter, GIMP's undo warns
OPERATIONS = {
    "replace": Gimp.ChannelOps.REPLACE,
    "add": Gimp.ChannelOps.ADD,
    "subtract": Gimp.ChannelOps.SUBTRACT,
}


class Piece(NamedTuple):
    """One layer of a result.

    Attributes:
        box: where it lies in the image.
        data: its pixels in `layout`.
        mask: (format, bytes) of its layer mask, in its box; None shows all of it.
        remembered: what its parasite keeps.
    """

    name: str
    box: Box
    layout: Layout
    data: Any
    mask: tuple[str, bytes] | None
    remembered: dict[str, Any]


def place(image: Gimp.Image, layer: Gimp.Layer, pieces: list[Piece]) -> None:
    """Put a painting above its layer and earlier ones of it: a group of layers, from bottom to top; one
    undo step.

    It lands where the layer was when it was read, even if that has moved or gone.

    Raises:
        Trouble: the image has gone, or a piece is not as large as its box.
    """
    check_image(image, pieces[0].layout if pieces else None)
    if any(len(piece.data) != piece.layout.size(piece.box.width, piece.box.height) for piece in pieces):
        raise Trouble(_("The daemon sent a painting of another size; update Impasto and the plug-in."))
    there = layer.is_valid() and layer.get_image() == image
    parent, position = _above(image, layer) if there else (None, 0)
    image.undo_group_start()
    try:
        group = place_group(image, parent, position, pieces)
        image.set_selected_layers([group])
    finally:
        image.undo_group_end()


def _above(image: Gimp.Image, layer: Gimp.Layer) -> tuple[Any, int]:
    """The group and the position above a layer and its earlier paintings, which would hide a new one."""
    parent, position = layer.get_parent(), image.get_item_position(layer)
    siblings = parent.get_children() if parent else image.get_layers()
    while position > 0 and (look_of(siblings[position - 1]) or {}).get("source") == layer.get_tattoo():
        position -= 1
    return parent, position


def check_image(image: Gimp.Image, layout: Layout | None = None) -> None:
    """Raise `Trouble` where an image cannot take a result any more."""
    if not image.is_valid():
        raise Trouble(_("The image was closed while Impasto painted it; open it and paint again."))
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    indexed = image.get_base_type() == Gimp.ImageBaseType.INDEXED
    if layout and (indexed or gray != (layout.channels < 3)):
        raise Trouble(fill(_("The mode of “{name}” was changed while Impasto painted; paint again."), image))


def place_group(image: Gimp.Image, parent: Any, position: int, pieces: list[Piece]) -> Gimp.Layer:
    """Insert a group with pieces, from bottom to top."""
    group = Gimp.GroupLayer.new(image, GROUP)
    image.insert_layer(group, parent, position)
    for piece in pieces:
        place_piece(image, group, piece)
    return group


def replace(image: Gimp.Image, old: Gimp.Layer, pieces: list[Piece]) -> None:
    """Put a new painting in the place of an older one; one undo step.

    A single layer keeps its mask, opacity and blend mode; a group, or a layer of one where there
    are several pieces now, is replaced whole. What has gone meanwhile is painted as if it were new.
    """
    check_image(image, pieces[0].layout if pieces else None)
    if not old.is_valid():
        place(image, old, pieces)
        return
    image.undo_group_start()
    try:
        if len(pieces) == 1 and not old.is_group():
            parent, position = old.get_parent(), image.get_item_position(old)
            new = place_piece(image, parent, pieces[0], position)
            new.set_opacity(old.get_opacity())
            new.set_mode(old.get_mode())
            new.set_visible(old.get_visible())
            _take_mask(new, old)
        else:
            parent = old.get_parent()
            old = old if old.is_group() or parent is None else parent
            new = place_group(image, old.get_parent(), image.get_item_position(old), pieces)
        image.remove_layer(old)
        image.set_selected_layers([new])
    finally:
        image.undo_group_end()


def _take_mask(new: Gimp.Layer, old: Gimp.Layer) -> None:
    mask, same = old.get_mask(), (old.get_width(), old.get_height()) == (new.get_width(), new.get_height())
    if mask is None:
        new.remove_mask(Gimp.MaskApplyMode.DISCARD)
    elif same:
        rectangle = Gegl.Rectangle.new(0, 0, old.get_width(), old.get_height())
        data = mask.get_buffer().get(rectangle, 1.0, "Y float", Gegl.AbyssPolicy.NONE)
        write(new.get_mask(), Box(0, 0, old.get_width(), old.get_height()), "Y float", data)


def place_mask(image: Gimp.Image, box: Box, mask: bytes, outcome: str, name: str) -> None:
    """Turn a mask, a byte a pixel of the box, into the selection or a channel; one undo step.

    Args:
        outcome: a key of `OPERATIONS`, or "channel".
        name: of the channel.
    """
    check_image(image)
    image.undo_group_start()
    try:
        colour = Gegl.Color.new("magenta")
        channel = Gimp.Channel.new(image, name, image.get_width(), image.get_height(), 50.0, colour)
        image.insert_channel(channel, None, 0)
        buffer = channel.get_buffer()
        buffer.set(
            Gegl.Rectangle.new(0, 0, image.get_width(), image.get_height()),
            "Y u8",
            bytes(image.get_width() * image.get_height()),
        )
        _write_common(buffer, image, box, mask)
        buffer.flush()
        channel.update(0, 0, image.get_width(), image.get_height())
        if outcome in OPERATIONS:
            image.select_item(OPERATIONS[outcome], channel)
            image.remove_channel(channel)
        else:
            channel.set_visible(False)
    finally:
        image.undo_group_end()


def _write_common(buffer: Any, image: Gimp.Image, box: Box, mask: bytes) -> None:
    """Write what of the box lies on the canvas."""
    common = box.common(Box(0, 0, image.get_width(), image.get_height()))
    if common is not None:
        left = common.x - box.x
        rows = range(common.y - box.y, common.y - box.y + common.height)
        data = b"".join(mask[row * box.width + left : row * box.width + left + common.width] for row in rows)
        assert len(data) == common.width * common.height
        buffer.set(Gegl.Rectangle.new(*common), "Y u8", data)


def place_piece(image: Gimp.Image, group: Any, piece: Piece, position: int = 0) -> Gimp.Layer:
    """Insert a piece into a group, or on its own where that is None; 0 is the top."""
    box, own = piece.box, piece.layout
    # No alpha where the source has none: the mask takes its place, and GEGL would need longer to add one
    # to 8 bits than for all the rest.
    kind = getattr(Gimp.ImageType, TYPES[own.channels])
    painting = Gimp.Layer.new(image, piece.name, box.width, box.height, kind, 100.0, Gimp.LayerMode.NORMAL)
    painting.set_offsets(box.x, box.y)
    write(painting, box, own.babl, piece.data)
    image.insert_layer(painting, group, position)  # only now: what lies in an image is drawn at each change
    mask = painting.create_mask(Gimp.AddMaskType.WHITE)
    painting.add_mask(mask)
    if piece.mask:
        write(mask, box, *piece.mask)
    text = json.dumps(piece.remembered).encode()  # a parasite takes no byte above 127 from Python
    painting.attach_parasite(Gimp.Parasite.new(PARASITE, KEPT, list(text)))
    painting.set_edit_mask(False)
    return painting


def write(drawable: Gimp.Drawable, box: Box, form: str, data: Any) -> None:
    """Fill a drawable of the box's size; `place` has seen to the data's length, which GEGL does not."""
    buffer, view = drawable.get_buffer(), memoryview(data)
    line = len(view) // box.height
    for top in range(0, box.height, BAND):
        rows = min(BAND, box.height - top)
        part = bytes(view[top * line : (top + rows) * line])  # PyGObject takes anything else a byte at a time
        buffer.set(Gegl.Rectangle.new(0, top, box.width, rows), form, part)
    buffer.flush()
    drawable.update(0, 0, box.width, box.height)


def look_of(layer: Gimp.Layer) -> dict[str, Any] | None:
    """The look that a layer, or the first layer of a group, was painted with, or None."""
    if layer.is_group():
        return next((found for child in layer.get_children() if (found := look_of(child))), None)
    parasite = layer.get_parasite(PARASITE)
    try:
        return json.loads(bytes(parasite.get_data()).decode()) if parasite else None
    except ValueError:
        return None
