"""The engines as settings of quality, as the user reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FAST = "auto"
"""The engine that is done at once; all others show sketches or a draft of it before."""

SIZED = ("refine", "optimise")
"""Engines that take a layer of any size as a square of so many pixels, an option of theirs."""

PREVIEW_SIDE = 256
"""Of that square for a preview: a quarter of the time, and as fine as what is shown."""


def titles(_: Callable[[str], str]) -> dict[str, str]:
    """Titles by the daemon's name of an engine, in the order to offer them; `_` translates."""
    return {
        FAST: _("Fast: at once"),
        "refine": _("Fine: up to a minute"),
        "optimise": _("Master: some minutes"),
        "adain": _("AdaIN: some seconds"),
        "wct": _("WCT: some seconds"),
    }


def choices(engines: Sequence[dict[str, Any]], chosen: str, _: Callable[[str], str]) -> list[tuple[str, str]]:
    """Name and title of each engine to offer.

    Args:
        engines: of the daemon's catalogue, see `impasto.engines.readiness`; the gallery's is `FAST`.
        chosen: the name that is set; it is offered even where the daemon does not know it.
    """
    known = titles(_)
    found = {FAST: known[FAST]}
    for engine in engines:
        name = engine["name"]
        if name == "gallery":
            continue
        text = known.get(name) or str(engine.get("title") or name)
        ready = engine.get("ready", True)
        found[name] = text if ready else _("{engine} (not installed)").format(engine=text)
    if chosen not in found:
        found[chosen] = known.get(chosen, chosen)
    return list(found.items())


def previewed(look: Mapping[str, Any]) -> dict[str, Any]:
    """A look for a preview: its strokes are as large for the picture, and painted less finely."""
    options = {"options": {"size": PREVIEW_SIDE}} if look.get("engine") in SIZED else {}
    return {**look, **options}
