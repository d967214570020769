"""Where GIMP 3 keeps its plug-ins: a folder for each minor version, native, Flatpak or Snap."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from impasto.installer import plugin_sources

FLATPAK = Path(".var/app/org.gimp.GIMP/config/GIMP")
SNAP = Path("snap/gimp/current/.config/GIMP")


def roots() -> list[Path]:
    """Folders that may hold GIMP's profiles on this system."""
    home = Path.home()
    if sys.platform == "win32":
        return [Path(os.environ.get("APPDATA", str(home / "AppData" / "Roaming"))) / "GIMP"]
    if sys.platform == "darwin":
        return [home / "Library" / "Application Support" / "GIMP"]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "GIMP"
    return [own, home / FLATPAK, home / SNAP]


def profiles() -> list[Path]:
    """Each profile of a GIMP 3 of this user, such as `GIMP/3.0`; GIMP3_DIRECTORY names one more."""
    found = [path for root in roots() if root.is_dir() for path in sorted(root.glob("3.*")) if path.is_dir()]
    named = os.environ.get("GIMP3_DIRECTORY")
    return [*found, *([Path(named)] if named and Path(named).is_dir() else [])]


def target(profile: Path) -> Path:
    """The plug-in's folder in a profile; GIMP wants it named like the program in it."""
    return profile / "plug-ins" / "impasto"


def sources() -> Path:
    """The plug-in's own files."""
    return plugin_sources("gimp") / "impasto"


def is_sandboxed(profile: Path) -> bool:
    """Whether the profile is of a Flatpak or Snap, whose GIMP cannot start our daemon."""
    return str(FLATPAK) in str(profile) or str(SNAP) in str(profile)


def visible(profile: Path) -> str:
    """Why GIMP will not see the plug-in of a profile, or "" when it will."""
    program = target(profile) / "impasto.py"
    if not program.is_file():
        return "impasto.py is missing"
    if os.name == "posix" and not os.access(program, os.X_OK):
        return "impasto.py is not executable"
    return ""
