"""Build the zips to install the plug-ins by hand: package_plugins.py FOLDER [gimp] [krita]

impasto-gimp.zip is unpacked in the folder `plug-ins` of GIMP's profile; impasto-krita.zip is what Krita's
Tools > Scripts > Import Python Plugin takes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from impasto.installer import Content, complete, contents, plugin_sources

STAMP = (1980, 1, 1, 0, 0, 0)
"""Date of every entry, so that the same plug-in is the same zip."""


def entries(host: str) -> list[Content]:
    """What the zip of a host holds."""
    sources = plugin_sources(host)
    files = complete(contents(sources / "impasto"))
    found = [(f"impasto/{name}", data, program) for name, data, program in files]
    if host == "gimp":
        return found
    beside = [path for path in sorted(sources.rglob("*")) if path.suffix in (".desktop", ".action")]
    return [*((path.relative_to(sources).as_posix(), path.read_bytes(), False) for path in beside), *found]


def build(host: str, target: Path) -> None:
    """Write a host's plug-in with the client and rpyc; Krita's importer needs the entries of the folders."""
    files = entries(host)
    folders = {
        f"{parent.as_posix()}/" for name, _, _ in files for parent in Path(name).parents if parent.name
    }
    with zipfile.ZipFile(target, "w") as archive:
        for name, data, mode in [
            *((folder, b"", 0o40755) for folder in sorted(folders)),
            *((name, data, 0o100755 if program else 0o100644) for name, data, program in files),
        ]:
            entry = zipfile.ZipInfo(name, STAMP)
            entry.create_system = 3  # Unix: else the mode below is not looked at
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def main(words: list[str]) -> None:
    if not words:
        raise SystemExit(__doc__)
    folder, hosts = Path(words[0]), words[1:] or ["gimp", "krita"]
    folder.mkdir(parents=True, exist_ok=True)
    for host in hosts:
        target = folder / f"impasto-{host}.zip"
        build(host, target)
        print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
