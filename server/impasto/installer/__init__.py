"""Copy a plug-in, with all that it needs, into a program's folder, and remove exactly that again.

A plug-in's folder gets the plug-in's own files, `locale/`, `client/` and `rpyc/` (with its licence),
and `impasto-manifest.json`: the version, and the hash of each file that was written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import impasto
from impasto import __version__
from impasto.errors import UsageError
from impasto.installer.catalogues import translations

MANIFEST = "impasto-manifest.json"
LEFT_OUT = ("__pycache__",)

Content = tuple[str, bytes, bool]
"""A file to install: its name (with “/”), its bytes, and whether it is a program."""


@dataclass(frozen=True)
class Installed:
    """What a plug-in's folder says of itself. `changed`: files that are not as they were written."""

    version: str
    changed: tuple[str, ...]


def plugin_sources(host: str) -> Path:
    """The folder of a host's plug-in (or `locale`), in a checkout or in an installed package.

    Raises:
        UsageError: this Impasto came without it.
    """
    package = Path(impasto.__file__).parent
    for folder in (package / "plugins" / host, package.parents[1] / "plugins" / host):
        if folder.is_dir():
            return folder
    raise UsageError(f"This Impasto came without its plug-in for {host}; install it anew.")


def contents(plugin: Path, command: list[str] | None = None) -> Iterator[Content]:
    """All files of a plug-in as it is installed, without the manifest.

    Args:
        plugin: folder of the plug-in's own files.
        command: that starts the daemon; None leaves it to the PATH.
    """
    rpyc = metadata.distribution("rpyc")
    licence = next((file for file in rpyc.files or () if file.name.upper().startswith("LICENSE")), None)
    for root, prefix in (
        (plugin, ""),
        (Path(impasto.__file__).parent / "client", "client/"),
        (Path(str(rpyc.locate_file("rpyc"))), "rpyc/"),
    ):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not set(path.parts) & set(LEFT_OUT) and path.suffix != ".pyc":
                data = path.read_bytes()  # its first line tells programs on every system, unlike its mode
                yield prefix + path.relative_to(root).as_posix(), data, data.startswith(b"#!")
    for name, data in translations(plugin_sources("locale")):
        yield name, data, False
    if licence:
        yield "rpyc/LICENSE", Path(str(rpyc.locate_file(licence))).read_bytes(), False
    if command:
        yield "client/command.json", json.dumps(command).encode(), False


def complete(files: Iterable[Content]) -> Iterator[Content]:
    """The files, and at last the manifest of them."""
    hashes: dict[str, str] = {}
    for name, data, program in files:
        hashes[name] = hashlib.sha256(data).hexdigest()
        yield name, data, program
    yield MANIFEST, json.dumps({"version": __version__, "files": hashes}, indent=1).encode(), False


def daemon_command() -> list[str]:
    """The command that starts this Impasto's daemon."""
    return [sys.executable, "-m", "impasto", "serve"]


def install(plugin: Path, target: Path, command: list[str] | None = None) -> None:
    """Write a plug-in to `target`, after removing an older one there.

    Raises:
        UsageError: `target` holds something that was not installed by Impasto, or cannot be written.
    """
    if target.exists() and installed(target) is None and any(target.iterdir()):
        raise UsageError(f"{target} holds files that Impasto did not install; move them away first.")
    try:
        uninstall(target)
        for name, data, program in complete(contents(plugin, command)):
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o755 if program else 0o644)
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}); make it writable.") from None


def manifest(target: Path) -> dict[str, str] | None:
    """The files that were installed in `target`, with their hashes; None where there is no plug-in."""
    try:
        return dict(json.loads((target / MANIFEST).read_text("utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def installed(target: Path) -> Installed | None:
    """What is installed in `target`, or None."""
    files = manifest(target)
    if files is None:
        return None
    version = str(json.loads((target / MANIFEST).read_text("utf-8")).get("version", "?"))
    changed = [name for name, digest in files.items() if _digest(target / name) != digest]
    return Installed(version, tuple(changed))


def uninstall(target: Path) -> bool:
    """Remove what `install` wrote and what Python compiled of it; other files stay. False: nothing there."""
    files = manifest(target)
    if files is None:
        return False
    # A manifest is a file that anybody could have edited: it must not lead outside the folder.
    inside = [target / name for name in files if (target / name).resolve().is_relative_to(target.resolve())]
    for path in (*inside, target / MANIFEST):
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in inside}:
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    for folder in sorted({parent for path in inside for parent in path.parents}, reverse=True):
        if folder.is_relative_to(target) and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return True


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
