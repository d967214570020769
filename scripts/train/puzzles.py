#!/usr/bin/env python3
"""Put together the paintings that GCompris cuts up for its puzzles, to train on more styles.

    scripts/train/puzzles.py paintings.rcc FOLDER [--except NAME ...]

The first lies in /usr/share/gcompris-qt/rcc where GCompris is installed (Debian: gcompris-qt-data). The
paintings are in the public domain.
"""

from __future__ import annotations

import argparse
import io
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

PIECE = re.compile(r'"(image/[^"]+webp)",\s*"x"\s*:\s*"([\d.]+)",\s*"y"\s*:\s*"([\d.]+)"')
"""Name, and where the middle lies, of a piece on a board."""

FOLDER, COMPRESSED = 2, 1
"""Flags of an entry in a Qt resource file."""


def entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file in a Qt resource file (format versions 1 to 3, without Zstandard)."""
    magic, version, tree, contents, names = struct.unpack_from(">4s4I", data)
    if magic != b"qres":
        raise SystemExit("This is not a Qt resource file.")
    size = 22 if version > 1 else 14

    def walk(index: int, path: str) -> Iterator[tuple[str, bytes]]:
        at = tree + size * index
        name, flags = struct.unpack_from(">IH", data, at)
        if index:
            (length,) = struct.unpack_from(">H", data, names + name)
            path = f"{path}/{data[names + name + 6 : names + name + 6 + 2 * length].decode('utf-16-be')}"
        if flags & FOLDER:
            count, first = struct.unpack_from(">2I", data, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (start,) = struct.unpack_from(">I", data, at + 10)
        (length,) = struct.unpack_from(">I", data, contents + start)
        content = data[contents + start + 4 : contents + start + 4 + length]
        # Before compressed content stands its length.
        yield path, zlib.decompress(content[4:]) if flags & COMPRESSED else content

    return walk(0, "")


def painting(board: str, images: dict[str, bytes]) -> Image.Image:
    """The picture whose pieces a board of GCompris places by their middles, as shares of its sides."""
    width, height = (int(re.findall(rf'"{side}"\s*:\s*(\d+)', board)[0]) for side in ("width", "height"))
    whole = Image.new("RGBA", (width, height))
    for name, x, y in PIECE.findall(board):
        piece = Image.open(io.BytesIO(images[name])).convert("RGBA")
        left, top = round(float(x) * width - piece.width / 2), round(float(y) * height - piece.height / 2)
        whole.alpha_composite(piece, (max(0, left), max(0, top)))
    return whole.crop(whole.getbbox()).convert("RGB")


def named(title: str) -> str:
    """A title as a file's name."""
    plain = unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z]+", "-", plain).strip("-")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("puzzles", type=Path, help="paintings.rcc of GCompris")
    parser.add_argument("folder", type=Path, help="where to put the paintings")
    parser.add_argument("--except", nargs="*", default=[], dest="left_out", metavar="WORD", help="in titles")
    options = parser.parse_args()
    found = dict(entries(options.puzzles.read_bytes()))
    images = {f"image/{path.rsplit('/', 1)[1]}": data for path, data in found.items() if "/image/" in path}
    options.folder.mkdir(parents=True, exist_ok=True)
    for path, data in found.items():
        title = re.search(r'qsTr\("(.*?)"\)', data.decode()) if "/board/" in path else None
        if title and not any(word in title[1] for word in options.left_out):
            painting(data.decode(), images).save(options.folder / f"{named(title[1])}.png")


if __name__ == "__main__":
    main()
