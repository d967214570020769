#!/usr/bin/env python3
"""Let the teacher look at the photographs, and write down what it says for segmenter.py.

    scripts/train/segmenter_views.py --data DIR --teacher ade20k_deeplab.npz --out VIEWS

Each picture of DIR/content and DIR/photos is seen whole, and in parts that are chosen at random, more of the
large ones. VIEWS gets pixels.npy (N, 256, 256, 3), answers.npy (N, 65, 65, classes), both uint8, and
views.json. It can be stopped, and goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ade20k import SIDE, Teacher
from impasto.regions.segmenter import CLASSES

EXAMPLES = Path(__file__).parents[2] / "examples"

PIXELS = 256
"""Side of a view, squeezed into a square."""

CELLS = 65
"""Side of its answers."""

LARGEST = 2400
"""Longer side in pixels of a decoded photograph; more detail is in none of its parts."""

SAVED = 100
"""Views after which the progress is noted."""


@dataclass(frozen=True)
class View:
    """A part of a picture: its file under the data's folder, and left, top, right and bottom in 0..1."""

    name: str
    part: tuple[float, float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="its labels stand beside it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photo-parts", type=int, default=28, help="of each large photograph")
    parser.add_argument("--content-parts", type=int, default=1, help="of each small one")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    photos, content = (names(options.data, folder) for folder in ("photos", "content"))
    chance = random.Random(options.seed)
    views = [View(name, (0, 0, 1, 1)) for name in photos + content]
    views += [View(name, part(chance, 0.2, 0.95)) for name in photos for _ in range(options.photo_parts)]
    views += [View(name, part(chance, 0.5, 0.9)) for name in content for _ in range(options.content_parts)]
    held_out = {*content[5::12], *photos[3::8], *(f"photos/{path.name}" for path in EXAMPLES.glob("*.jpg"))}
    options.out.mkdir(parents=True, exist_ok=True)
    record = [
        {"name": view.name, "part": view.part, "held_out": view.name in held_out, "seen": False}
        for view in views
    ]
    listing = options.out / "views.json"
    if listing.exists():
        record = json.loads(listing.read_text("utf-8"))
    pixels = stored(options.out / "pixels.npy", (len(views), PIXELS, PIXELS, 3))
    answers = stored(options.out / "answers.npy", (len(views), CELLS, CELLS, len(CLASSES)))
    teacher = Teacher(options.teacher)
    decoded: tuple[str, Image.Image] | None = None
    todo = [index for index, entry in enumerate(record) if not entry["seen"]]
    for count, index in enumerate(todo, 1):
        view = views[index]
        if decoded is None or decoded[0] != view.name:
            decoded = view.name, opened(options.data / view.name)
        picture = cut(decoded[1], view.part)
        pixels[index] = np.asarray(picture.resize((PIXELS, PIXELS), Image.Resampling.LANCZOS))
        answers[index] = np.rint(asked(teacher, picture) * 255).astype(np.uint8)
        record[index]["seen"] = True
        if count % SAVED == 0 or count == len(todo):
            listing.write_text(json.dumps(record), "utf-8")
            print(f"{count} of {len(todo)}", flush=True)


def names(data: Path, folder: str) -> list[str]:
    return sorted(f"{folder}/{path.name}" for path in (data / folder).glob("*.jpg"))


def stored(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An array of uint8 that lives in a file."""
    if path.exists():
        return np.lib.format.open_memmap(path, "r+")
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)


def part(chance: random.Random, least: float, most: float) -> tuple[float, float, float, float]:
    """A rectangle whose width is `least` to `most` of the picture's, and its height about the same."""
    across = chance.uniform(least, most)
    down = min(1, across * chance.uniform(0.65, 1.5))
    left, top = chance.uniform(0, 1 - across), chance.uniform(0, 1 - down)
    return left, top, left + across, top + down


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    rgb.thumbnail((LARGEST, LARGEST))
    return rgb


def cut(picture: Image.Image, part: tuple[float, float, float, float]) -> Image.Image:
    left, top, right, bottom = (
        round(share * side) for share, side in zip(part, picture.size * 2, strict=True)
    )
    return picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def asked(teacher: Teacher, picture: Image.Image) -> np.ndarray:
    """(`CELLS`, `CELLS`, classes) float32: the mean of two answers, for the teacher often wavers.

    One is to the picture squeezed into a square, the other to its mirror image in its own shape.
    """
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    framed = Image.new("RGB", (SIDE, SIDE), (127, 127, 127))
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    framed.paste(mirrored.resize((width, height), Image.Resampling.BILINEAR))
    squeezed, shaped = teacher(picture), teacher(framed)
    rows, columns = (max(1, round(len(shaped) * side / SIDE)) for side in (height, width))
    return (reduced(squeezed) + reduced(shaped[:rows, columns - 1 :: -1])) / 2


def reduced(answer: np.ndarray) -> np.ndarray:
    planes = torch.from_numpy(np.ascontiguousarray(answer)).permute(2, 0, 1)[None]
    size = (CELLS, CELLS)
    small = F.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=True)
    return small[0].permute(1, 2, 0).numpy()


if __name__ == "__main__":
    main()
