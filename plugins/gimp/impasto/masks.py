"""GIMP's own masks as regions: the selection, channels, a layer's mask."""

from __future__ import annotations

from typing import Any

from client.looks import Enclosure
from gi.repository import Gegl
from layers import Source, Trouble
from texts import _

CHANNEL = "channel:"
SELECTION, LAYER_MASK = "selection", "layer-mask"
GIMPS_OWN = (SELECTION, LAYER_MASK)
DTYPES = {"Y u8": "uint8", "Y u16": "uint16", "Y float": "float32"}


def enclose_mask(select: str, image: Any, layer: Any) -> Enclosure:
    """The mask behind `selection`, `layer-mask` or `channel:NAME`, as large as the layer.

    Raises:
        Trouble: there is none.
    """
    _ok, x, y = layer.get_offsets()
    mask = source_of(select, image, layer)
    if mask is None:
        raise Trouble(
            _("The mask “{name}” has gone; choose another one for its region.").format(
                name=select.removeprefix(CHANNEL)
            )
        )
    if select == LAYER_MASK:
        x = y = 0
    kind = "Y u8" if image.get_precision().value_nick.startswith("u8") else "Y u16"
    rectangle = Gegl.Rectangle.new(x, y, layer.get_width(), layer.get_height())
    data = mask.get_buffer().get(rectangle, 1.0, kind, Gegl.AbyssPolicy.NONE)
    return _meta(layer.get_width(), layer.get_height(), kind), data


def source_of(select: str, image: Any, layer: Any) -> Any:
    """GIMP's drawable behind a mask's name, or None."""
    if select == SELECTION:
        return image.get_selection()
    if select == LAYER_MASK:
        return layer.get_mask()
    return image.get_channel_by_name(select.removeprefix(CHANNEL))


def selected(source: Source) -> Enclosure:
    """The selection over a layer that was read."""
    assert source.selection
    kind, data = source.selection
    return _meta(source.box.width, source.box.height, kind), data


def _meta(width: int, height: int, kind: str) -> dict[str, Any]:
    return {"kind": "pixels", "width": width, "height": height, "channels": 1, "dtype": DTYPES[kind]}
