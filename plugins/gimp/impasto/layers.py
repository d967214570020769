"""Reading: from a layer to bytes."""

from __future__ import annotations

from typing import NamedTuple

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
from client.planes import MAX_PIXELS  # noqa: E402
from gi.repository import Babl, Gegl, Gimp  # noqa: E402
from pixels import Box, Layout, layout  # noqa: E402
from texts import _, fill  # noqa: E402


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


def check(image: Gimp.Image, layer: Gimp.Layer, selection: bool = True) -> None:
    """See that a layer can be painted, in the selection unless told not to.

    Raises:
        Trouble: it cannot, with the reason.
    """
    if not image.is_valid() or not layer.is_valid():
        raise Trouble(_("The layer has gone; choose another one and paint again."))
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise Trouble(
            fill(_("“{name}” is an indexed image; change it with Image > Mode > RGB and paint again."), image)
        )
    box = box_of(layer)
    if box.width * box.height > MAX_PIXELS:
        sentence = _("“{name}” has {own} million pixels, and Impasto paints at most {most}; scale it down.")
        own, most = (round(pixels / 1e6) for pixels in (box.width * box.height, MAX_PIXELS))
        raise Trouble(sentence.format(name=layer.get_name(), own=own, most=most))
    _ok, some, left, top, right, bottom = Gimp.Selection.bounds(image)
    if selection and some and box.common(Box(left, top, right - left, bottom - top)) is None:
        raise Trouble(fill(_("The selection does not touch the layer “{name}”; select a part of it."), layer))


def box_of(layer: Gimp.Layer) -> Box:
    """Where a layer lies in its image."""
    _ok, x, y = layer.get_offsets()
    return Box(x, y, layer.get_width(), layer.get_height())


def read(image: Gimp.Image, layer: Gimp.Layer, selection: bool = True) -> Source:
    """Read what is visible of a layer, and the selection over it unless told not to.

    Raises:
        Trouble: it cannot be painted, with the reason.
    """
    check(image, layer, selection)
    box = box_of(layer)
    selected = read_selection(image, box) if selection else None
    scratch = None
    if layer.get_mask() or (hasattr(layer, "get_filters") and layer.get_filters()):
        scratch, layer = flattened(image, layer)
    try:
        own = layout(
            image.get_precision().value_nick,
            layer.is_gray(),
            layer.has_alpha(),
            srgb=layer.is_gray() or is_srgb(layer),
        )
        rectangle = Gegl.Rectangle.new(0, 0, box.width, box.height)
        pixels = layer.get_buffer().get(rectangle, 1.0, own.babl, Gegl.AbyssPolicy.CLAMP)
    finally:
        if scratch:
            scratch.delete()
    if len(pixels) != own.size(box.width, box.height):
        raise Trouble(fill(_("“{name}” could not be read whole; close other images and try again."), layer))
    return Source(box, own, pixels, selected)


def is_srgb(layer: Gimp.Layer) -> bool:
    """Whether a layer's colours are sRGB's: those of most cameras' profiles are, to GEGL too."""
    return Babl.get_name(Babl.format_get_space(layer.get_format())) == "sRGB"


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
        shown = layer.get_apply_mask()
        copy.remove_mask(Gimp.MaskApplyMode.APPLY if shown else Gimp.MaskApplyMode.DISCARD)
    return scratch, copy


def read_selection(image: Gimp.Image, box: Box) -> tuple[str, bytes] | None:
    """The selection in a layer's box: (format, bytes) with one value a pixel, or None for all."""
    if Gimp.Selection.is_empty(image):
        return None
    kind = "Y u8" if image.get_precision().value_nick.startswith("u8") else "Y float"
    rectangle = Gegl.Rectangle.new(*box)
    return kind, image.get_selection().get_buffer().get(rectangle, 1.0, kind, Gegl.AbyssPolicy.NONE)
