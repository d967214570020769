"""What the daemon offers, for a plug-in to show: styles, engines, classes, models."""

from __future__ import annotations

from typing import Any

from impasto import __version__
from impasto.engines.readiness import readiness
from impasto.models import gallery
from impasto.selector import CLASSES, WHOLES
from impasto.styles import saved


def catalogue() -> dict[str, Any]:
    """JSON values: `version`; `styles`, each with `name`, `title`, `artist`, `year`, `technique` and
    `kind` ("gallery" or "saved"); `engines`, see `impasto.engines.readiness`; `classes`, the
    names that a region can select by."""
    styles = [
        {
            "name": style.name,
            "title": style.title,
            "artist": style.artist,
            "year": style.year,
            "technique": style.technique,
            "kind": "gallery",
        }
        for style in gallery.styles()
    ]
    kept = [{"name": name, "title": name, "kind": "saved"} for name in saved.names()]
    blank = {"artist": "", "year": "", "technique": ""}
    return {
        "version": __version__,
        "styles": [*styles, *(blank | style for style in kept)],
        "engines": readiness(),
        "classes": [*WHOLES, *CLASSES],
    }


def thumbnail(style: str) -> bytes:
    """A JPEG picture of 128 x 128 pixels, or nothing for a style that has none."""
    if style in gallery.names():
        path = gallery.BUNDLED / "thumbnails" / f"{style}.jpg"
        return path.read_bytes() if path.is_file() else b""
    return b""
