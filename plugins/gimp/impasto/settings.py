"""A procedure's arguments as settings: what is painted with, remembered, and set again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

import extras
from client.looks import DEFAULTS, LAYER, NO_STYLE, PICTURE, Package, Part, parse, phrase, title, with_extras
from gi.repository import Gio
from layers import Trouble
from texts import _


def values(config: Any) -> dict[str, Any]:
    """The look's plain values; `style` names the picture and the layer where they are set."""
    found = {key: config.get_property(key.replace("_", "-")) for key in DEFAULTS}
    return found | {"style": style_of(config)}


def style_of(config: Any) -> str:
    """The style's text, with what is enclosed but not named."""
    return phrase(with_extras(config.get_property("style") or "", list(extras.of_config(config))))


def set_style(config: Any, text: str) -> None:
    """Set the style's text, and forget a file and a layer that it does not name."""
    named = {part.ref for part in parse(text)}
    for ref in extras.of_config(config).keys() - named:
        config.set_property(extras.ARGUMENTS[ref], None)
    if text != config.get_property("style"):
        config.set_property("style", text)


def package(config: Any) -> tuple[Package, dict[str, Any]]:
    """A job's package, which the regions need too, and the look for it.

    Raises:
        Trouble: a style's picture cannot be read, or its layer has gone.
    """
    common = extras.of_config(config)
    found = {ref: extras.enclosure(ref, source) for ref, source in common.items()}
    _check(style_of(config), common.keys())
    for region in regions(config):
        own = extras.of_region(region)
        _check(region.get("style") or "", {ref for ref in common if ref not in region} | own.keys())
        used = {part.ref for part in parse(region.get("style") or "")}
        for ref in used & own.keys():
            found[_own_ref(ref, region)] = extras.enclosure(ref, own[ref])
    made = Package(found)
    return made, made.look(values(config))


def _check(style: str, there: Set[str]) -> None:
    missing = {part.ref for part in parse(style)} & {PICTURE, LAYER} - there
    if LAYER in missing:
        raise Trouble(_("The layer chosen as the style has gone; choose another style."))
    if PICTURE in missing:
        raise Trouble(_("The style is a picture, but there is none; choose one, or another style."))


def _own_ref(ref: str, region: Mapping[str, Any]) -> str:
    """The name in a package of a region's own file or layer."""
    return f"{ref} {region[ref]}"


def sent(region: Mapping[str, Any]) -> dict[str, Any]:
    """A region for its package: with its own file and layer by their names there."""
    style = region.get("style") or ""
    if style in ("", NO_STYLE):
        return dict(region)
    parts = [
        Part(_own_ref(part.ref, region) if part.ref in region else part.ref, part.weight)
        for part in parse(style)
    ]
    return {**region, "style": parts}


def regions(config: Any) -> list[dict[str, Any]]:
    """The regions, from bottom to top; none where the procedure knows none.

    Raises:
        Trouble: their text is not understood.
    """
    text = config.get_property("regions") if config.find_property("regions") else ""
    try:
        found = json.loads(text or "[]")
        if all(_is_region(region) for region in found):
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise Trouble(_("The regions must be a JSON list of tables, each with “select”."))


def _is_region(region: Any) -> bool:
    words = type(region) is dict and [region["select"], region.get("style", ""), region.get(PICTURE, "")]
    return (
        bool(words)
        and all(type(word) is str for word in words)
        and (LAYER not in region or extras.is_place(region[LAYER]))
    )


def set_regions(config: Any, found: list[dict[str, Any]]) -> None:
    """Set the argument that holds the regions."""
    config.set_property("regions", json.dumps(found, ensure_ascii=False) if found else "")


def names(config: Any, region: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What the styles are called that the daemon does not know, those of a region too."""
    return extras.names(extras.of_config(config) | extras.of_region(region or {}))


def label(config: Any) -> str:
    """What the painted layer is called."""
    return title(style_of(config), names(config))


def remembered(config: Any) -> dict[str, Any]:
    """What a painted layer keeps, to be painted again."""
    found = values(config)
    for ref, source in extras.of_config(config).items():
        found[extras.ARGUMENTS[ref]] = extras.kept(ref, source)
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
    config.set_property("style-layer", extras.layer_at(look.get("style-layer")))
    if config.find_property("regions"):
        config.set_property("regions", look.get("regions", ""))
