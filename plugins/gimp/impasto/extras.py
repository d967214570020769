"""Files and open layers that a style is taken from: where they are kept, found again, and sent along.

A procedure has one of each, as its arguments; a region may have its own, as `picture`, a path, and as
`layer`, its number or what `place_of` says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from client.looks import LAYER, NO_STYLE, PICTURE, Enclosure  # noqa: E402
from gi.repository import Gimp, Gio  # noqa: E402
from layers import Trouble  # noqa: E402
from texts import _  # noqa: E402

STYLE_SIDE = 1024
"""Longer side of a layer that is sent as a style: no engine looks at more."""

ARGUMENTS = {PICTURE: "style-file", LAYER: "style-layer"}
"""Of the procedures."""

MOST_FILES = 8

_files: dict[tuple[str, int], bytes] = {}


def of_config(config: Any) -> dict[str, Any]:
    """The file and the layer of a procedure, by `PICTURE` and `LAYER`; those that are there."""
    file, layer = (config.get_property(ARGUMENTS[ref]) for ref in (PICTURE, LAYER))
    found = {PICTURE: file} if file is not None and file.get_path() else {}
    return found | ({LAYER: layer} if layer is not None and layer.is_valid() else {})


def of_region(region: Mapping[str, Any]) -> dict[str, Any]:
    """A region's own file and layer, those that are there."""
    found: dict[str, Any] = {}
    if region.get(PICTURE):
        found[PICTURE] = Gio.File.new_for_path(region[PICTURE])
    layer = layer_at(region.get(LAYER))
    return found | ({LAYER: layer} if layer is not None else {})


def kept(ref: str, source: Any) -> Any:
    """How a region, or a painted layer, keeps a file or a layer."""
    return source.get_path() if ref == PICTURE else [source.get_id(), layer_title(source)]


def names(found: Mapping[str, Any]) -> dict[str, str]:
    """What styles are called that the daemon does not know."""
    own = {PICTURE: found[PICTURE].get_basename()} if PICTURE in found else {}
    own |= {LAYER: found[LAYER].get_name()} if LAYER in found else {}
    return own | {NO_STYLE: _("as it is")}


def layer_title(layer: Any) -> str:
    """What a layer is called among those of all images."""
    return f"{layer.get_image().get_name()}: {layer.get_name()}"


def open_layers(parent: Any = None) -> Iterator[Any]:
    """All layers of all images, those in groups too."""
    if parent is None:
        for image in Gimp.get_images():
            yield from open_layers(image)
        return
    for layer in parent.get_layers() if isinstance(parent, Gimp.Image) else parent.get_children():
        yield layer
        if layer.is_group():
            yield from open_layers(layer)


def layer_at(place: Any) -> Any | None:
    """The layer that was `kept`, or that has such a number; None where it has gone.

    Numbers are given anew when GIMP is started, so one that is kept with a title counts only with it.
    """
    number, title = place if isinstance(place, list) else (place, "")
    if number is not None and Gimp.Item.id_is_layer(number):
        layer = Gimp.Item.get_by_id(number)
        if title in ("", layer_title(layer)):
            return layer
    return next((layer for layer in open_layers() if layer_title(layer) == title), None)


def is_place(value: Any) -> bool:
    """Whether a value can be what `layer_at` takes."""
    return type(value) is int or (
        type(value) is list and len(value) == 2 and type(value[0]) is int and type(value[1]) is str
    )


def enclosure(ref: str, source: Any) -> Enclosure:
    """A file or a layer as it goes along with a job.

    Raises:
        Trouble: it cannot be read, or has gone.
    """
    return _file(source) if ref == PICTURE else _layer(source)


def _file(file: Any) -> Enclosure:
    path = Path(file.get_path())
    try:
        key = (str(path), path.stat().st_mtime_ns)
        if key not in _files:
            if len(_files) >= MOST_FILES:  # a preview asks for the same ones again and again
                _files.clear()
            _files[key] = path.read_bytes()
    except OSError as error:
        sentence = _("The style picture “{name}” cannot be read ({reason}); choose another.")
        raise Trouble(sentence.format(name=path.name, reason=error.strerror)) from None
    return {"kind": "file", "name": path.name}, _files[key]


def _layer(layer: Any) -> Enclosure:
    from copies import bare_copy, enclosable

    if not layer.is_valid():
        raise Trouble(_("The layer chosen as the style has gone; choose another style."))
    return enclosable(bare_copy(layer, STYLE_SIDE, STYLE_SIDE))
