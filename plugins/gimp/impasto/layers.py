"""From a layer to bytes, and back to a group of layers."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402
from pixels import Box, Layout, layout  # noqa: E402
from texts import _, fill  # noqa: E402

PARASITE = "impasto-look"
KEPT = 1 | 2  # persistent and undoable: without the latter, GIMP's undo warns


class Trouble(Exception):
    """`str()` of it is one sentence for the user."""


class Source(NamedTuple):
    """What was read of a layer.

    Attributes:
        box: the layer in the image.
        selection: (format, bytes) of the mask in the layer's box, or None for all of it.
        pixels: in `layout`.
    """

    box: Box
    layout: Layout
    pixels: bytes
    selection: tuple[str, bytes] | None


def read(image: Gimp.Image, layer: Gimp.Layer) -> Source:
    """Read what is visible of a layer, and the selection over it.

    Raises:
        Trouble: it cannot be painted, with the reason.
    """
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise Trouble(
            fill(_("“{name}” is an indexed image; change it with Image > Mode > RGB and paint again."), image)
        )
    _ok, x, y = layer.get_offsets()
    box = Box(x, y, layer.get_width(), layer.get_height())
    selection = read_selection(image, layer, box)
    scratch = None
    if layer.get_mask() or (hasattr(layer, "get_filters") and layer.get_filters()):
        scratch, layer = flattened(image, layer)
    try:
        profile = image.get_color_profile()
        own = layout(
            image.get_precision().value_nick,
            layer.is_gray(),
            layer.has_alpha(),
            srgb=profile is None or layer.is_gray(),
        )
        rectangle = Gegl.Rectangle.new(0, 0, box.width, box.height)
        pixels = layer.get_buffer().get(rectangle, 1.0, own.babl, Gegl.AbyssPolicy.CLAMP)
    finally:
        if scratch:
            scratch.delete()
    if len(pixels) != own.size(box.width, box.height):
        raise Trouble(fill(_("“{name}” could not be read whole; close other images and try again."), layer))
    return Source(box, own, pixels, selection)


def flattened(image: Gimp.Image, layer: Gimp.Layer) -> tuple[Gimp.Image, Gimp.Layer]:
    """A copy of a layer with its filters and its mask applied, in an image of its own."""
    scratch = Gimp.Image.new_with_precision(
        layer.get_width(), layer.get_height(), image.get_base_type(), image.get_precision()
    )
    scratch.undo_disable()
    scratch.set_color_profile(image.get_color_profile())
    copy = Gimp.Layer.new_from_drawable(layer, scratch)
    scratch.insert_layer(copy, None, 0)
    copy.merge_filters()
    if copy.get_mask():
        copy.remove_mask(Gimp.MaskApplyMode.APPLY)
    return scratch, copy


def read_selection(image: Gimp.Image, layer: Gimp.Layer, box: Box) -> tuple[str, bytes] | None:
    """The selection in a layer's box: (format, bytes) with one value a pixel, or None for all."""
    _ok, some, left, top, right, bottom = Gimp.Selection.bounds(image)
    if not some:
        return None
    if box.common(Box(left, top, right - left, bottom - top)) is None:
        raise Trouble(fill(_("The selection does not touch the layer “{name}”; select a part of it."), layer))
    kind = "Y u8" if image.get_precision().value_nick.startswith("u8") else "Y float"
    rectangle = Gegl.Rectangle.new(*box)
    return kind, image.get_selection().get_buffer().get(rectangle, 1.0, kind, Gegl.AbyssPolicy.NONE)


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
    """Put a painting above its layer: a group of layers, from bottom to top; one undo step.

    It lands where the layer was when it was read, even if that has moved or gone.

    Raises:
        Trouble: the image has gone, or a piece is not as large as its box.
    """
    if not image.is_valid():
        raise Trouble(_("The image was closed while Impasto painted it; open it and paint again."))
    if any(len(piece.data) != piece.layout.size(piece.box.width, piece.box.height) for piece in pieces):
        raise Trouble(_("The daemon sent a painting of another size; update Impasto and the plug-in."))
    there = layer.is_valid() and layer.get_image() == image
    parent, position = (layer.get_parent(), image.get_item_position(layer)) if there else (None, 0)
    image.undo_group_start()
    try:
        group = Gimp.GroupLayer.new(image, "Impasto")
        image.insert_layer(group, parent, position)
        for piece in pieces:
            place_piece(image, group, piece)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()


def place_piece(image: Gimp.Image, group: Gimp.Layer, piece: Piece) -> None:
    """Insert a piece at the top of a group."""
    box, own = piece.box, piece.layout
    kind = Gimp.ImageType.GRAYA_IMAGE if own.channels < 3 else Gimp.ImageType.RGBA_IMAGE
    painting = Gimp.Layer.new(image, piece.name, box.width, box.height, kind, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(painting, group, 0)
    painting.set_offsets(box.x, box.y)
    write(painting, box, own.babl, piece.data)
    mask = painting.create_mask(Gimp.AddMaskType.WHITE)
    painting.add_mask(mask)
    if piece.mask:
        write(mask, box, *piece.mask)
    text = json.dumps(piece.remembered, ensure_ascii=False).encode()
    painting.attach_parasite(Gimp.Parasite.new(PARASITE, KEPT, list(text)))
    painting.set_edit_mask(False)


def write(drawable: Gimp.Drawable, box: Box, form: str, data: Any) -> None:
    """Fill a drawable of the box's size."""
    buffer = drawable.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, box.width, box.height), form, bytes(data))
    buffer.flush()
    drawable.update(0, 0, box.width, box.height)


def look_of(layer: Gimp.Layer) -> dict[str, Any] | None:
    """The look that a layer was painted with, or None."""
    parasite = layer.get_parasite(PARASITE)
    try:
        return json.loads(bytes(parasite.get_data()).decode()) if parasite else None
    except ValueError:
        return None
