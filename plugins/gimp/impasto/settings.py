"""A procedure's arguments as settings: what is painted with, remembered, and set again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from client.looks import DEFAULTS, LAYER, PICTURE, Enclosure, Package, phrase, title, with_extras
from gi.repository import Gio
from layers import Trouble
from texts import _

STYLE_SIDE = 1024
"""Longer side of a layer that is sent as a style: no engine looks at more."""

_files: dict[tuple[str, int], bytes] = {}


def values(config: Any) -> dict[str, Any]:
    """The look's plain values; `style` names the picture and the layer where they are set."""
    found = {key: config.get_property(key.replace("_", "-")) for key in DEFAULTS}
    return found | {"style": style_of(config)}


def style_of(config: Any) -> str:
    """The style's text, with what is enclosed but not named."""
    return phrase(with_extras(config.get_property("style") or "", list(_extras(config))))


def package(config: Any) -> tuple[Package, dict[str, Any]]:
    """A job's package, and the look for it.

    Raises:
        Trouble: the style's picture cannot be read, or its layer has gone.
    """
    found: dict[str, Enclosure] = {}
    for name, source in _extras(config).items():
        found[name] = _file(source) if name == PICTURE else _layer(source)
    made = Package(found)
    return made, made.look(values(config))


def regions(config: Any) -> list[dict[str, Any]]:
    """The regions, from bottom to top; none where the procedure knows none.

    Raises:
        Trouble: their text is not understood.
    """
    text = config.get_property("regions") if config.find_property("regions") else ""
    try:
        found = json.loads(text or "[]")
        if all(type(region) is dict and type(region["select"]) is str for region in found):
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise Trouble(_("The regions must be a JSON list of tables, each with “select”."))


def set_regions(config: Any, found: list[dict[str, Any]]) -> None:
    """Set the argument that holds the regions."""
    config.set_property("regions", json.dumps(found, ensure_ascii=False) if found else "")


def names(config: Any) -> dict[str, str]:
    """What the enclosed styles are called."""
    extras = _extras(config)
    found = {PICTURE: extras[PICTURE].get_basename()} if PICTURE in extras else {}
    return found | ({LAYER: extras[LAYER].get_name()} if LAYER in extras else {})


def label(config: Any) -> str:
    """What the painted layer is called."""
    return title(style_of(config), names(config))


def remembered(config: Any) -> dict[str, Any]:
    """What a painted layer keeps, to be painted again."""
    extras = _extras(config)
    found = values(config)
    if PICTURE in extras:
        found["style-file"] = extras[PICTURE].get_path()
    if config.find_property("regions"):
        found["regions"] = config.get_property("regions")
    return found


def put(config: Any, look: dict[str, Any]) -> None:
    """Set the arguments to what a layer remembers."""
    for key in (*DEFAULTS, "style"):
        if key in look:
            config.set_property(key.replace("_", "-"), look[key])
    path = look.get("style-file")
    config.set_property("style-file", Gio.File.new_for_path(path) if path else None)
    config.set_property("style-layer", None)
    if config.find_property("regions"):
        config.set_property("regions", look.get("regions", ""))


def _extras(config: Any) -> dict[str, Any]:
    file, layer = config.get_property("style-file"), config.get_property("style-layer")
    found = {PICTURE: file} if file is not None and file.get_path() else {}
    return found | ({LAYER: layer} if layer is not None else {})


def _file(file: Any) -> Enclosure:
    path = Path(file.get_path())
    try:
        key = (str(path), path.stat().st_mtime_ns)
        if key not in _files:
            _files.clear()  # a preview asks for the same one again and again
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
