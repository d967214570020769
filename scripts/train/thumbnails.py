#!/usr/bin/env python3
"""Paint the thumbnails of the gallery's styles: models/bundled/thumbnails/NAME.jpg, 128 x 128 pixels.

scripts/train/thumbnails.py
"""

from __future__ import annotations

from pathlib import Path

from impasto.engines import engine
from impasto.files import publish
from impasto.job import Look, StyleRef
from impasto.models import gallery
from impasto.raster import Raster, encode, load, quantise
from impasto.raster.sampling import resized
from impasto.styles.sources import sources

PHOTO = Path(__file__).parents[2] / "examples/roman-colosseum.jpg"
SIDE = 128

PAINTED = 512
"""Side in pixels at which a thumbnail is painted; smaller, and its strokes would be unlike a picture's."""


def main() -> None:
    photo = load(PHOTO).to_srgb()
    height, width = photo.shape[:2]
    left = (width - height) // 2
    square = resized(photo[:, left : left + height], PAINTED, PAINTED).clip(0, 1)
    folder = gallery.BUNDLED / "thumbnails"
    folder.mkdir(exist_ok=True)
    for name in gallery.names():
        painted = engine("auto").paint(square, sources((StyleRef(name),)), Look(), lambda: None)
        small = Raster(quantise(resized(painted, SIDE, SIDE).clip(0, 1), "uint8"), format="jpeg")
        publish(folder / f"{name}.jpg", encode(small, "jpeg", 8, 85))


if __name__ == "__main__":
    main()
