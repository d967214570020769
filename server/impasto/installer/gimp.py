"""Where GIMP 3 keeps its plug-ins: a folder for each minor version, native, Flatpak, Snap or Store."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from impasto.installer import plugin_sources

NAME = "GIMP 3"
MENU = "Filters > Impasto"
FLATPAK = Path(".var/app/org.gimp.GIMP/config/GIMP")
SNAP = Path("snap/gimp/current/.config/GIMP")
SANDBOX_COMMAND = "flatpak override --user --filesystem=xdg-run/impasto:create org.gimp.GIMP"


def roots() -> list[Path]:
    """Folders that may hold GIMP's profiles on this system."""
    home = Path.home()
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
        local = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        return [roaming / "GIMP", *sorted(local.glob("Packages/GIMP.*/LocalCache/Roaming/GIMP"))]
    if sys.platform == "darwin":
        return [home / "Library" / "Application Support" / "GIMP"]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "GIMP"
    return [own, home / FLATPAK, home / SNAP]


def profiles() -> list[Path]:
    """Each profile of a GIMP 3 of this user, such as `GIMP/3.0`; GIMP3_DIRECTORY names one more."""
    found = [path for root in roots() if root.is_dir() for path in sorted(root.glob("3.*")) if path.is_dir()]
    named = os.environ.get("GIMP3_DIRECTORY")
    if named and Path(named).is_dir():
        found.append(Path(named))
    return list(dict.fromkeys(found))


def target(profile: Path) -> Path:
    """The plug-in's folder in a profile; GIMP wants it named like the program in it."""
    return profile / "plug-ins" / "impasto"


def sources() -> Path:
    """The plug-in's own files."""
    return plugin_sources("gimp") / "impasto"


def is_sandboxed(profile: Path) -> bool:
    """Whether the profile is of a Flatpak or Snap, whose GIMP cannot start our daemon."""
    return str(FLATPAK) in str(profile) or str(SNAP) in str(profile)


def enable(profile: Path) -> str:
    """GIMP takes what lies in its folder: nothing is left to do."""
    return ""


def disable(profile: Path) -> None:
    """Nothing lies outside the plug-in's folder."""


def hindrance(profile: Path) -> str:
    """Why GIMP does not see the plug-in of a profile, or "" when it will."""
    program = target(profile) / "impasto.py"
    if not program.is_file():
        return "impasto.py is missing; install it again"
    if os.name == "posix" and not os.access(program, os.X_OK):
        return "impasto.py is not executable; install it again"
    searched = _searched(profile)
    if searched is not None and profile / "plug-ins" not in searched:
        return (
            f"GIMP's preferences leave {profile / 'plug-ins'} out of the folders for plug-ins; add it there"
        )
    if _queried(profile, program) is False:
        return "it has failed in GIMP since; start GIMP from a terminal to read why"
    return ""


def is_known(profile: Path) -> bool:
    """Whether a GIMP has started with the plug-in, and taken it."""
    return _queried(profile, target(profile) / "impasto.py") is True


def _searched(profile: Path) -> list[Path] | None:
    """The folders that the user's preferences name; None where they name none, as is usual."""
    try:
        text = (profile / "gimprc").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r'^\(plug-in-path "([^"]*)"\)', text, re.M)
    if found is None:
        return None
    places = found[1].replace("${gimp_dir}", str(profile)).split(os.pathsep)
    return [Path(place) for place in places]


def _queried(profile: Path, program: Path) -> bool | None:
    """Whether GIMP has asked the plug-in for its procedures and got them; None: not started since."""
    record = profile / "pluginrc"
    try:
        if record.stat().st_mtime < program.stat().st_mtime:
            return None
        text = record.read_text("utf-8", "replace")
    except OSError:
        return None
    entry = re.search(
        r'\(plug-in-def "[^"]*[/\\]impasto[/\\]impasto\.py"(.*?)(?=\(plug-in-def|\Z)', text, re.S
    )
    return entry is not None and '"impasto-stylize"' in entry[1]
