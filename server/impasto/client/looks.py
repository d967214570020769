"""Settings as plain values: styles and weights, looks, jobs. No editor is needed.

A style is text: “scream”, or a blend, “scream:2, picture:1”. Two names stand for what goes along
with the job: `picture` is a file, `layer` another open layer. A region selects by the daemon's
words (“sky”, “subject”, “points:10,20;-30,40”) or by one of the editor's own masks, such as
`selection`, `layer-mask` or `channel:NAME`, which become attachments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

PICTURE, LAYER = "picture", "layer"
NO_STYLE = "none"
"""Of a region that stays as it is."""

DEFAULTS: dict[str, Any] = {
    "strength": 1.0,
    "scale": 1.0,
    "keep_color": 0.0,
    "detail": 0.6,
    "engine": "auto",
    "seed": 0,
}
MOST_STYLES = 3
"""In a blend that a dialog makes."""

Enclosure = tuple[dict[str, Any], bytes]
"""Meta and data of a picture or mask that goes along with a job."""


class Part(NamedTuple):
    """One style of a blend."""

    ref: str
    weight: float = 1.0


def parse(text: str) -> list[Part]:
    """Read “scream” or “scream:2, great-wave:1”. What is no weight belongs to the name."""
    parts: list[Part] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        name, colon, weight = piece.rpartition(":")
        try:
            parts.append(Part(name.strip(), float(weight)) if colon else Part(piece))
        except ValueError:
            parts.append(Part(piece))
    return parts


def phrase(parts: Sequence[Part]) -> str:
    """The inverse of `parse`; a single style needs no weight."""
    if len(parts) == 1:  # needs no weight
        return parts[0].ref
    return ", ".join(f"{part.ref}:{part.weight:g}" for part in parts)


def with_extras(text: str, extras: Sequence[str]) -> list[Part]:
    """The parts of a style; what is enclosed but not named counts as named with weight 1."""
    parts = parse(text)
    return [*parts, *(Part(extra) for extra in extras if extra not in {part.ref for part in parts})]


class Package:
    """A job being made, with what goes along with it."""

    def __init__(self, extras: Mapping[str, Enclosure]) -> None:
        """`extras`: the pictures behind names such as `PICTURE` and `LAYER`, as far as there are any."""
        self._extras = extras
        self._places: dict[str, int] = {}
        self.enclosures: list[Enclosure] = []

    def enclose(self, key: str, enclosure: Enclosure) -> str:
        """Add what goes along, once for each key; returns its name in the job."""
        if key not in self._places:
            self._places[key] = len(self.enclosures)
            self.enclosures.append(enclosure)
        return f"attachment:{self._places[key]}"

    def style(self, style: str | Sequence[Part]) -> list[dict[str, Any]]:
        """A style's text or parts as the daemon takes it."""
        return [
            {"ref": self.enclose(part.ref, self._extras[part.ref]), "weight": part.weight}
            if part.ref in self._extras
            else {"ref": part.ref, "weight": part.weight}
            for part in (parse(style) if isinstance(style, str) else style)
        ]

    def look(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of a look among `values`, with the engine's `options`, without those that have their
        default value."""
        look = {key: values[key] for key, usual in DEFAULTS.items() if values.get(key, usual) != usual}
        if values.get("options"):
            look["options"] = dict(values["options"])
        if values.get("style"):
            look["style"] = self.style(values["style"])
        return look

    def region(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A region as the daemon takes it, without what is the plug-in's own."""
        keys = ("select", "feather", "grow", *DEFAULTS)
        told = {key: values[key] for key in keys if key in values}
        if values.get("style") == NO_STYLE:
            told["style"] = NO_STYLE
        elif values.get("style"):
            told["style"] = self.style(values["style"])
        return told


def job(look: Mapping[str, Any], regions: Sequence[Mapping[str, Any]] = (), deliver: str = "") -> str:
    """The daemon's description of a job."""
    whole: dict[str, Any] = {"version": 1, "look": dict(look)}
    if regions:
        whole["region"] = [dict(region) for region in regions]
    if deliver:
        whole["output"] = {"deliver": deliver}
    return json.dumps(whole, ensure_ascii=False)


def title(text: str, names: Mapping[str, str]) -> str:
    """What a painted layer is called: its styles, the enclosed ones by their own `names`."""
    return " + ".join(names.get(part.ref, part.ref) for part in parse(text))


def with_selection(select: str, selection: str) -> str:
    """A selector limited by another."""
    return f"({select}) & {selection}"


def region_title(region: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What a region's layer is called: what it is, and its style."""
    what = region.get("name") or str(region["select"]).partition(":")[0]
    return f"{what}: {title(region.get('style') or '', names) or NO_STYLE}"
