"""Build the zip that Krita's Tools > Scripts > Import Python Plugin takes: package_krita.py OUT.zip"""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "plugins" / "krita"


def _files(root: Path, prefix: str) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {prefix + path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def build(target: Path) -> None:
    """Write the plug-in with the client and rpyc; Krita's importer needs the entries of the folders."""
    rpyc = metadata.distribution("rpyc")
    entries = {
        "impasto.desktop": (PLUGIN / "impasto.desktop").read_bytes(),
        **_files(PLUGIN / "actions", "actions/"),
        **_files(PLUGIN / "impasto", "impasto/"),
        **_files(ROOT / "server" / "impasto" / "client", "impasto/client/"),
        **_files(Path(str(rpyc.locate_file("rpyc"))), "impasto/rpyc/"),
    }
    for file in rpyc.files or ():
        if file.name.upper().startswith("LICENSE"):
            entries["impasto/rpyc/LICENSE"] = Path(str(rpyc.locate_file(file))).read_bytes()
    folders = {f"{parent.as_posix()}/" for name in entries for parent in Path(name).parents if parent.name}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in sorted(folders):
            archive.writestr(folder, b"")
        for name, data in entries.items():
            archive.writestr(name, data)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
