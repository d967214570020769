#!/usr/bin/env python3
"""Make reproductions of the gallery's paintings, for engines that look at pictures.

Writes models/bundled/paintings/NAME.jpg.

    scripts/train/reproductions.py PAINTINGS
"""

from __future__ import annotations

import argparse
from pathlib import Path

from impasto.engines.pictures import within
from impasto.files import publish
from impasto.models import gallery
from impasto.raster import Raster, encode, load, quantise

AREA = 512 * 512
"""Pixels; the engines look at a style picture at this size."""

QUALITY = 75
"""Of JPEG; the Gram matrices of a reproduction are within 4 % of the painting's, at some 60 kB."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paintings", type=Path, help="folder of the files that gallery.toml names")
    folder = parser.parse_args().paintings
    gallery.PAINTINGS.mkdir(exist_ok=True)
    for style in gallery.styles():
        small = within(load(folder / style.painting).to_srgb(), AREA)
        picture = Raster(quantise(small, "uint8"), format="jpeg")
        publish(gallery.PAINTINGS / f"{style.name}.jpg", encode(picture, "jpeg", 8, QUALITY))


if __name__ == "__main__":
    main()
