"""Small copies of layers: what previews are painted on, styles are taken from, and clicks fall on."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gegl", "0.4")
from client.planes import Small, fitted  # noqa: E402
from gi.repository import Gegl, Gimp  # noqa: E402
from layers import flattened  # noqa: E402

MODELS = {1: "Y' u8", 2: "Y'A u8", 3: "R'G'B' u8", 4: "R'G'B'A u8"}


def small_copy(image: Gimp.Image, layer: Gimp.Layer, across: int, down: int) -> Small:
    """What is visible of a layer, to fit into `across` x `down`, with the selection over it."""
    scratch, source = None, layer
    if layer.get_mask() or (hasattr(layer, "get_filters") and layer.get_filters()):
        scratch, source = flattened(image, layer)
    try:
        bare = bare_copy(source, across, down)
    finally:
        if scratch:
            scratch.delete()
    return bare._replace(mask=_selection(image, layer, bare))


def bare_copy(layer: Gimp.Layer, across: int, down: int) -> Small:
    """A layer without its mask and filters, of any type, to fit into `across` x `down`."""
    width, height, scale = fitted(layer.get_width(), layer.get_height(), across, down)
    channels = (1 if layer.is_gray() else 3) + layer.has_alpha()
    rectangle = Gegl.Rectangle.new(0, 0, width, height)
    data = layer.get_buffer().get(rectangle, scale, MODELS[channels], Gegl.AbyssPolicy.CLAMP)
    assert len(data) == width * height * channels
    return Small(width, height, channels, data, scale)


def mask_copy(mask: Gimp.Drawable, x: int, y: int, small: Small) -> bytes:
    """A mask or channel as a byte for each pixel of a small copy that begins at x, y in it."""
    rectangle = Gegl.Rectangle.new(round(x * small.scale), round(y * small.scale), small.width, small.height)
    data = mask.get_buffer().get(rectangle, small.scale, "Y u8", Gegl.AbyssPolicy.NONE)
    assert len(data) == small.width * small.height
    return data


def _selection(image: Gimp.Image, layer: Gimp.Layer, small: Small) -> bytes | None:
    if Gimp.Selection.is_empty(image):
        return None
    _ok, x, y = layer.get_offsets()
    return mask_copy(image.get_selection(), x, y, small)


def enclosable(small: Small) -> tuple[dict[str, Any], bytes]:
    """A small copy as a picture that goes along with a job."""
    return small.meta(), small.data
