#!/usr/bin/env python3
"""Compare the engine refine with optimise on each of several photographs in each of several styles.

    scripts/bench_refine.py PHOTO… --style NAME… --table FILE.csv [--pictures FOLDER] [--size 256] [--most 64]

Both engines paint with their own defaults; --size is the side of a square as large as the painting. Style and
content distance are those of `bench_optimise.py`, in float32. A pair that stands in the table is not painted
again, so that the bench can be stopped. Prints the table of styles, refine / optimise, and what they come to.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_optimise import Plain

from impasto.engines import WORK_PIXELS, Engine, engine, pictures
from impasto.files import publish
from impasto.job import Look, StyleRef
from impasto.models.store import require
from impasto.raster import Raster, encode, load, quantise
from impasto.styles.sources import StyleSource, sources

FIELDS: tuple[str, ...] = ("photo", "style", "size", "engine", "steps")
FIELDS += ("style_distance", "content_distance", "seconds")
ENGINES = ("gallery", "refine", "optimise")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--style", action="append", required=True, help="name of the gallery; repeat it")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="folder for the paintings, side by side")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--most", type=int, default=1000, help="pairs that are painted now")
    options = parser.parse_args()
    rows = read(options.table)
    known = {(row["photo"], row["style"], row["size"]) for row in rows}
    pairs = [(photo, style) for photo in options.photos for style in options.style]
    missing = [pair for pair in pairs if (pair[0].stem, pair[1], str(options.size)) not in known]
    with options.table.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not rows:
            writer.writeheader()
        for photo, style in missing[: options.most]:
            found, strip = compare(photo, style, options.size)
            writer.writerows(found)
            file.flush()
            if options.pictures:
                sheet = Raster(quantise(np.hstack(strip).clip(0, 1), "uint8"), format="png")
                publish(options.pictures / f"{photo.stem}-{style}.png", encode(sheet, "png", 8))
    report([row for row in read(options.table) if row["size"] == str(options.size)])


def read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def compare(photo: Path, style: str, size: int) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """A row for each engine, and the photograph with the paintings."""
    small = pictures.within(load(photo).to_srgb(), size**2)
    (source,) = sources((StyleRef(style),))
    assert source.picture is not None
    painting = pictures.within(source.picture, size**2)
    plain = Plain(
        require("vgg19-normalised"), pictures.tensor(small, "cpu"), pictures.tensor(painting, "cpu")
    )
    rows, strip = [], [small]
    for name in ENGINES:
        painter = engine(name)
        began = time.perf_counter()
        painted = paint(painter, small, source, size)
        seconds = time.perf_counter() - began
        with torch.no_grad():
            _, style_distance, content = plain.losses(pictures.tensor(painted, "cpu"))
        steps = painter.options["steps"].default if "steps" in painter.options else 0
        values = (photo.stem, style, size, name, steps, float(style_distance), float(content), seconds)
        rows.append(dict(zip(FIELDS, values, strict=True)))
        strip.append(painted)
    return rows, strip


def paint(painter: Engine, small: np.ndarray, source: StyleSource, size: int) -> np.ndarray:
    """With its defaults, at the size of what is given."""
    # An engine takes what it gets for a whole picture at scale 1, and shrinks it to its own size.
    largest = WORK_PIXELS**0.5
    own = (("size", round(largest)), ("style_scale", size / largest)) if painter.weights else ()
    return painter.paint(small, (source,), Look(options=own), lambda: None)


def report(rows: list[dict[str, str]]) -> None:
    value = {(row["photo"], row["style"], row["engine"]): row for row in rows}
    photos, styles = (list(dict.fromkeys(row[name] for row in rows)) for name in ("photo", "style"))

    def ratio(photo: str, style: str, field: str) -> float:
        refined, optimised = (value[photo, style, name] for name in ("refine", "optimise"))
        return float(refined[field]) / float(optimised[field])

    width = max(map(len, photos))
    print(" " * width, *(style[:10].rjust(10) for style in styles))
    for photo in photos:
        there = [style for style in styles if (photo, style, "refine") in value]
        cells = {style: f"{ratio(photo, style, 'style_distance'):.2f}" for style in there}
        print(photo.ljust(width), *(cells.get(style, "").rjust(10) for style in styles))
    done = [(photo, style) for photo, style, name in value if name == "refine"]
    for field in ("style_distance", "content_distance", "seconds"):
        ratios = sorted(ratio(*pair, field) for pair in done)
        means = (statistics.mean(float(value[*pair, name][field]) for pair in done) for name in ENGINES)
        told = ", ".join(f"{name} {mean:.4f}" for name, mean in zip(ENGINES, means, strict=True))
        print(f"{field}: {told}; refine / optimise {statistics.median(ratios):.3f} in the median, ", end="")
        print(f"{ratios[0]:.3f} to {ratios[-1]:.3f}; at most 1.10 in {sum(r <= 1.1 for r in ratios)}")


if __name__ == "__main__":
    main()
