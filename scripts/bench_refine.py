#!/usr/bin/env python3
"""Compare the engine refine with optimise on each of several photographs in each of several styles.

    scripts/bench_refine.py PHOTO… --style NAME… --table FILE.csv [--pictures FOLDER] [--size 256]
        [--engine NAME…] [--most N]

Both engines paint with their own defaults but for the size: --size is the side of a square as large as the
painting and as the picture of the style. As always, the gallery paints at working size, and its painting is
shrunk. Style and content distance are those of `bench_optimise.py`, in float32. What stands in the table is
not painted again, so that the bench can be stopped, and an engine painted alone when only it has changed.
Prints the table of styles, refine / optimise, and what they come to.
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

from impasto.engines import WORK_PIXELS, engine, pictures
from impasto.engines.optimise import OptimiseEngine
from impasto.files import publish
from impasto.job import Look, StyleRef
from impasto.models.store import require
from impasto.raster import Raster, encode, load, quantise
from impasto.raster.sampling import resized
from impasto.styles.sources import sources

FIELDS: tuple[str, ...] = ("photo", "style", "size", "engine", "steps")
FIELDS += ("style_distance", "content_distance", "seconds")
ENGINES = ("gallery", "refine", "optimise")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--style", action="append", required=True, help="name of the gallery; repeat it")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="folder for the paintings, PHOTO-STYLE-ENGINE.png")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="repeat it (default: all three)")
    parser.add_argument("--most", type=int, default=10**6, help="paintings that are painted now")
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    rows = read(options.table)
    known = {(row["photo"], row["style"], row["size"], row["engine"]) for row in rows}
    # Along the diagonals, so that the first pairs have something of each photograph and each style.
    count = len(options.style)
    pairs = [
        (photo, options.style[(start + number) % count])
        for start in range(count)
        for number, photo in enumerate(options.photos)
    ]
    missing = [
        (photo, style, name)
        for photo, style in pairs
        for name in options.engine or ENGINES
        if (photo.stem, style, str(options.size), name) not in known
    ]
    with options.table.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not file.tell():
            writer.writeheader()
        for photo, style, name in missing[: options.most]:
            found, painted = measured(photo, style, name, options.size)
            writer.writerow(found)
            file.flush()
            if options.pictures:
                picture = Raster(quantise(painted.clip(0, 1), "uint8"), format="png")
                publish(options.pictures / f"{photo.stem}-{style}-{name}.png", encode(picture, "png", 8))
    report([row for row in read(options.table) if row["size"] == str(options.size)])


def read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def measured(photo: Path, style: str, name: str, size: int) -> tuple[dict[str, Any], np.ndarray]:
    """An engine's row of the table, and what it painted."""
    picture = pictures.within(load(photo).to_srgb(), WORK_PIXELS).clip(0, 1)
    share = size**2 / WORK_PIXELS
    small = pictures.within(picture, share * picture.shape[0] * picture.shape[1]).clip(0, 1)
    (source,) = sources((StyleRef(style),))
    assert source.picture is not None
    painting = pictures.within(source.picture, size**2)
    painter = engine(name)
    began = time.perf_counter()
    if isinstance(painter, OptimiseEngine):
        # At the size of the descent: to enlarge a painting and shrink it again takes its grain away.
        painted = painter.descended(picture, (source,), Look(options=(("size", size),)), lambda: None)
    else:
        full = painter.paint(picture, (source,), Look(), lambda: None)
        painted = resized(full, small.shape[1], small.shape[0]).clip(0, 1)
    seconds = time.perf_counter() - began
    plain = Plain(
        require("vgg19-normalised"), pictures.tensor(small, "cpu"), pictures.tensor(painting, "cpu")
    )
    with torch.no_grad():
        _, style_distance, content, _ = plain.losses(pictures.tensor(painted, "cpu"))
    steps = painter.options["steps"].default if "steps" in painter.options else 0
    values = (photo.stem, style, size, name, steps, float(style_distance), float(content), seconds)
    return dict(zip(FIELDS, values, strict=True)), painted


def report(rows: list[dict[str, str]]) -> None:
    value = {(row["photo"], row["style"], row["engine"]): row for row in rows}
    photos, styles = (list(dict.fromkeys(row[name] for row in rows)) for name in ("photo", "style"))
    done = [
        (photo, style)
        for photo in photos
        for style in styles
        if all((photo, style, name) in value for name in ENGINES)
    ]
    if not done:
        return

    def ratio(photo: str, style: str, field: str) -> float:
        refined, optimised = (value[photo, style, name] for name in ("refine", "optimise"))
        return float(refined[field]) / float(optimised[field])

    width = max(map(len, photos))
    print(" " * width, *(style[:10].rjust(10) for style in styles))
    for photo in photos:
        cells = {x: f"{ratio(photo, x, 'style_distance'):.2f}" for x in styles if (photo, x) in done}
        print(photo.ljust(width), *(cells.get(style, "").rjust(10) for style in styles))
    for field in ("style_distance", "content_distance", "seconds"):
        ratios = sorted(ratio(*pair, field) for pair in done)
        means = (statistics.mean(float(value[*pair, name][field]) for pair in done) for name in ENGINES)
        told = ", ".join(f"{name} {mean:.4f}" for name, mean in zip(ENGINES, means, strict=True))
        print(f"{field}: {told}; refine / optimise {statistics.median(ratios):.3f} in the median, ", end="")
        print(f"{ratios[0]:.3f} to {ratios[-1]:.3f}; at most 1.10 in {sum(r <= 1.1 for r in ratios)}")


if __name__ == "__main__":
    main()
