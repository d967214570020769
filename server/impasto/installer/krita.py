"""Where Krita keeps its plug-ins: one resource folder, native (or AppImage), Flatpak, Snap or Store."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from impasto.errors import UsageError
from impasto.installer import plugin_sources

NAME = "Krita"
MENU = "Filter > Impasto…"
FLATPAK = Path(".var/app/org.kde.krita")
SNAP = Path("snap/krita/current")
SANDBOX_COMMAND = "flatpak override --user --filesystem=xdg-run/impasto:create org.kde.krita"
MANAGER = "Settings > Configure Krita > Python Plugin Manager"
SWITCH = "enable_impasto"


def places() -> list[tuple[Path, Path]]:
    """Resource folders that Krita may have on this system, each with its settings file `kritarc`."""
    home = Path.home()
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
        local = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        stores = sorted(local.glob("Packages/*Krita*/LocalCache"))
        return [
            (roaming / "krita", local / "kritarc"),
            *((store / "Roaming" / "krita", store / "Local" / "kritarc") for store in stores),
        ]
    if sys.platform == "darwin":
        library = home / "Library"
        return [(library / "Application Support" / "krita", library / "Preferences" / "kritarc")]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        (data / "krita", config / "kritarc"),
        (home / FLATPAK / "data" / "krita", home / FLATPAK / "config" / "kritarc"),
        (home / SNAP / ".local" / "share" / "krita", home / SNAP / ".config" / "kritarc"),
    ]


def profiles() -> list[Path]:
    """The resource folders of this user's Kritas, wherever their settings have moved them to."""
    found = [_moved(settings) or folder for folder, settings in places()]
    return list(dict.fromkeys(folder for folder in found if folder.is_dir()))


def target(profile: Path) -> Path:
    """The plug-in's folder among a Krita's resources."""
    return profile / "pykrita" / "impasto"


def sources() -> Path:
    """The plug-in's own files."""
    return plugin_sources("krita") / "impasto"


def is_sandboxed(profile: Path) -> bool:
    """Whether it is a Flatpak's or a Snap's, whose Krita cannot start our daemon."""
    return str(FLATPAK) in str(profile) or str(SNAP) in str(profile)


def enable(profile: Path) -> str:
    """Put what lies beside the plug-in's folder into a Krita, and enable it; what is left to do, in words.

    Raises:
        UsageError: a file cannot be written.
    """
    try:
        for path, source in _beside(profile).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
        settings = _settings(profile)
        if settings is None:
            return f"Enable it in {MANAGER}."
        text = settings.read_text("utf-8") if settings.exists() else ""
        settings.parent.mkdir(parents=True, exist_ok=True)
        _write(settings, switched(text, on=True))
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be written ({error.strerror}); make it writable."
        ) from None
    return ""


def disable(profile: Path) -> None:
    """Take away what `enable` has put there."""
    for path, source in _beside(profile).items():
        if path.is_file() and path.read_bytes() == source.read_bytes():
            path.unlink()
    settings = _settings(profile)
    if settings is not None and settings.exists():
        text = settings.read_text("utf-8")
        if switched(text, on=False) != text:
            _write(settings, switched(text, on=False))


def hindrance(profile: Path) -> str:
    """Why Krita does not see the plug-in, or "" when it will."""
    missing = next((path.name for path in _beside(profile) if not path.is_file()), None)
    if missing:
        return f"{missing} is missing; install it again"
    settings = _settings(profile)
    text = settings.read_text("utf-8", "replace") if settings is not None and settings.exists() else ""
    if settings is not None and not re.search(rf"^{SWITCH}=true\s*$", _python(text), re.M):
        return f"it is not enabled; enable it in {MANAGER}"
    return ""


def is_known(profile: Path) -> bool:
    """Whether a Krita has started with the plug-in: its Python has left what it compiled."""
    own = target(profile)
    compiled = own.glob("__pycache__/docker.*.pyc")
    return any(path.stat().st_mtime >= (own / "docker.py").stat().st_mtime for path in compiled)


def switched(settings: str, on: bool) -> str:
    """Krita's settings with the plug-in enabled, or with nothing said of it."""
    line = f"{SWITCH}=true\n" if on else ""
    bare = re.sub(rf"^{SWITCH}=.*\n?", "", settings, flags=re.M)
    if not on:
        return bare
    if re.search(r"^\[python\]$", bare, re.M):
        return re.sub(r"^(\[python\])\n?", lambda found: f"{found[1]}\n{line}", bare, count=1, flags=re.M)
    gap = "" if not bare else "\n" if bare.endswith("\n") else "\n\n"
    return f"{bare}{gap}[python]\n{line}"


def _python(settings: str) -> str:
    """The group of the settings that is about plug-ins."""
    found = re.search(r"^\[python\]$(.*?)(?=^\[|\Z)", settings, re.M | re.S)
    return found[1] if found else ""


def _beside(profile: Path) -> dict[Path, Path]:
    """Files outside the plug-in's folder, and where they come from."""
    own = plugin_sources("krita")
    return {
        profile / "pykrita" / "impasto.desktop": own / "impasto.desktop",
        profile / "actions" / "impasto.action": own / "actions" / "impasto.action",
    }


def _settings(profile: Path) -> Path | None:
    """The settings file of the Krita that has these resources; None where that is not known."""
    return next(
        (settings for folder, settings in places() if profile in (folder, _moved(settings))),
        None,
    )


def _moved(settings: Path) -> Path | None:
    """The resource folder that a settings file names."""
    try:
        found = re.search(r"^ResourceDirectory=(.+)$", settings.read_text("utf-8", "replace"), re.M)
    except OSError:
        return None
    return Path(found[1].strip()) if found else None


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, "utf-8")
    if path.exists():
        draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
