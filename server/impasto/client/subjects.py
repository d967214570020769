"""What the daemon finds in a picture by itself, as the user reads it."""

from __future__ import annotations

from collections.abc import Callable


def titles(_: Callable[[str], str]) -> dict[str, str]:
    """Titles by the daemon's name of a thing, in the order to offer them; `_` translates."""
    return {
        "subject": _("Subject"),
        "background": _("Background"),
        "sky": _("Sky"),
        "building": _("Buildings"),
        "vegetation": _("Vegetation"),
        "ground": _("Ground"),
        "water": _("Water"),
        "mountain": _("Mountains"),
        "person": _("People"),
        "animal": _("Animals"),
        "vehicle": _("Vehicles"),
        "interior": _("Interior"),
        "other": _("Other things"),
    }
