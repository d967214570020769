"""What the user has set, as a job and as a file; nothing here knows Krita or Qt."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

LIMITS = {"strength": (0.0, 1.0), "scale": (0.25, 4.0), "keep_color": (0.0, 1.0)}


@dataclass
class Settings:
    """The docker's state; the ranges are `LIMITS`."""

    style: str = ""
    strength: float = 1.0
    scale: float = 1.0
    keep_color: float = 0.0

    def job(self) -> str:
        """A job as the daemon reads it."""
        return json.dumps({"version": 1, "look": asdict(self)})


def load(path: Path) -> Settings:
    """Settings of an earlier time; what is missing, broken or out of range has its default."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    settings = Settings()
    for field in fields(Settings):
        value = data.get(field.name) if isinstance(data, dict) else None
        if field.name == "style":
            settings.style = value if isinstance(value, str) else ""
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            low, high = LIMITS[field.name]
            setattr(settings, field.name, min(max(float(value), low), high))
    return settings


def save(path: Path, settings: Settings) -> None:
    """Keep settings.

    Raises:
        OSError: `path` cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(settings)), encoding="utf-8")
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
