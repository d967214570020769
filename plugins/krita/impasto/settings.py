"""What the user has set, as a file; nothing here knows Krita or Qt."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .client.qualities import FAST

LIMITS = {"strength": (0.0, 1.0), "scale": (0.25, 4.0), "keep_color": (0.0, 1.0), "detail": (0.0, 1.0)}
USUAL: dict[str, float] = {"strength": 1.0, "scale": 1.0, "keep_color": 0.0, "detail": 0.6}

MOST_FAVOURITES = 9


def new_look() -> dict[str, Any]:
    """A look without a style: `style` is a list of [name or path, weight], `engine` the daemon's name of
    one; the rest are `USUAL`."""
    return {"style": [], "engine": FAST, **USUAL}


@dataclass
class Settings:
    """The docker's state.

    Attributes:
        look: see `new_look`.
        favourites: names or paths of styles, in the order of their shortcuts.
        names: what styles that are files are called.
    """

    look: dict[str, Any] = field(default_factory=new_look)
    favourites: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def favour(self, style: str) -> None:
        """Add a style to the favourites, or take it out; the tenth pushes out the first."""
        if style in self.favourites:
            self.favourites.remove(style)
        else:
            self.favourites = [*self.favourites, style][-MOST_FAVOURITES:]


def checked_look(data: Any) -> dict[str, Any]:
    """A look of which all that is missing, broken or out of range has its usual value."""
    look = new_look()
    if not isinstance(data, dict):
        return look
    for name, (low, high) in LIMITS.items():
        value = data.get(name)
        if _is_number(value):
            look[name] = min(max(float(value), low), high)
    if isinstance(data.get("engine"), str):
        look["engine"] = data["engine"]
    style = data.get("style")
    for part in style if isinstance(style, list) else []:
        if isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and _is_number(part[1]):
            look["style"].append([part[0], max(float(part[1]), 0.0)])
    return look


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def load(path: Path) -> Settings:
    """Settings of an earlier time; what is broken has its default."""
    data = read_json(path)
    if not isinstance(data, dict):
        return Settings()
    favourites, names = data.get("favourites"), data.get("names")
    favourites = favourites if isinstance(favourites, list) else []
    names = names if isinstance(names, dict) else {}
    return Settings(
        checked_look(data.get("look")),
        [name for name in favourites if isinstance(name, str)][:MOST_FAVOURITES],
        {key: text for key, text in names.items() if isinstance(text, str)},
    )


def save(path: Path, settings: Settings) -> None:
    """Keep settings.

    Raises:
        OSError: `path` cannot be written.
    """
    write_json(path, asdict(settings))


def read_json(path: Path) -> Any:
    """What a file holds, or None where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, data: Any) -> None:
    """Write a file as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    draft.replace(path)


def found(styles: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """The styles in whose name, title, artist, year and technique all `words` occur."""
    wanted = words.casefold().split()
    keys = ("name", "title", "artist", "year", "technique")
    return [
        style
        for style in styles
        if all(word in " ".join(str(style.get(key, "")) for key in keys).casefold() for word in wanted)
    ]
