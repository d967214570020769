#!/usr/bin/env python3
"""Measure what teaching adds: paintings with the predicted code, and with what `impasto teach` makes of it.

    scripts/bench_teach.py --data DIR --models DIR --kept FOLDER [--styles 6] [--contents 24] [--size 320]
        [--steps 1200] [--sheets FOLDER]

DIR of --data holds paintings/ and content/, that of --models vgg_normalised.pth. The styles are paintings
that are not in the gallery, the contents photographs that no painter was trained on and that teaching does
not practise on. A taught style is kept in the folder of --kept, and not taught again. Prints content and
style distance (see `measures.py`), means over the contents, before and after, and how much of the style
distance is left. A sheet has the photographs, their paintings with the predicted code, and with the taught
one beside the style.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from bench_quality import EVERY, array, square, strangers, tensor
from measures import Likeness, content_distance, moment_distance, style_distance
from PIL import Image
from torch import Tensor

from impasto.cli.teach import read
from impasto.engines.gallery import GalleryEngine
from impasto.engines.painters import ArbitraryPainter, encodable
from impasto.engines.teaching import PHOTOGRAPH_SIDE, STYLE_SIDE, Lesson, shorter_side
from impasto.engines.vgg import Vgg
from impasto.job import Look
from impasto.models import gallery
from impasto.styles import saved
from impasto.styles.references import STYLE_SUFFIX
from impasto.styles.sources import StyleCode, StyleSource


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--kept", type=Path, required=True, help="folder of the taught styles")
    parser.add_argument("--styles", type=int, default=6)
    parser.add_argument("--contents", type=int, default=24)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--sheets", type=Path, help="folder for a sheet of each style, to look at")
    options = parser.parse_args()
    vgg, engine = Vgg(options.models / "vgg_normalised.pth", "cpu"), GalleryEngine()
    painter = engine.arbitrary
    kept_back = sorted((options.data / "content").glob("*.jpg"))[::EVERY]
    chosen = kept_back[:: max(1, len(kept_back) // options.contents)][: options.contents]
    contents = [square(path, options.size) for path in chosen]
    with torch.no_grad():
        seen = [Likeness(vgg, content) for content in contents]
    print("| style | content | style (Gram) | style (moments) | Gram, share left | content, ratio |")
    print("|---|---|---|---|---|---|")
    shares: list[float] = []
    for path in strangers(options.data / "paintings", options.styles):
        picture = read(path)
        predicted = painter.predict(picture, lambda: None)
        taught = known(path.stem, options.kept)
        if taught is None:
            began = time.perf_counter()
            code = learned(vgg, painter, predicted, picture, options.steps)
            print(f"{path.stem}: taught in {time.perf_counter() - began:.0f} s", flush=True)
            style = saved.SavedStyle(path.name, painter.fingerprint, code, encodable(picture))
            taught = saved.decode(saved.save(path.stem, style, options.kept).read_bytes(), path.stem).code
        with torch.no_grad():
            wanted = Likeness(vgg, tensor(shorter_side(picture, STYLE_SIDE)))
            rows, means = [torch.cat([content[0] for content in contents], 2)], []
            for code in (predicted, taught):
                source = StyleSource("", "", 1.0, StyleCode(painter.fingerprint, code), None)
                paintings = [
                    tensor(engine.paint(array(x), (source,), Look(), lambda: None)) for x in contents
                ]
                rows.append(torch.cat([painting[0] for painting in paintings], 2))
                means.append(distances(vgg, paintings, seen, wanted))
        before, after = means
        shares.append(after[1] / before[1])
        told = " | ".join(f"{x:.3f} to {y:.3f}" for x, y in zip(before, after, strict=True))
        print(f"| {path.stem} | {told} | {shares[-1]:.3f} | {after[0] / before[0]:.3f} |", flush=True)
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            sheet(rows, square(path, options.size)).save(options.sheets / f"{path.stem}.png")
    print(f"\nGram, share left: {statistics.mean(shares):.3f} in the mean, {max(shares):.3f} at most")


def known(name: str, folder: Path) -> np.ndarray | None:
    """The code of a style that was taught before."""
    path = folder / f"{name}{STYLE_SUFFIX}"
    return saved.decode(path.read_bytes(), name).code if path.is_file() else None


def learned(
    vgg: Vgg, painter: ArbitraryPainter, predicted: np.ndarray, picture: np.ndarray, steps: int
) -> np.ndarray:
    """The code that a lesson ends with, as `impasto teach` gives it."""
    paths = sorted((gallery.BUNDLED / "photographs").glob("*.jpg"))
    photographs = [shorter_side(read(path), PHOTOGRAPH_SIDE) for path in paths]
    lesson = Lesson(vgg, painter.tensors, predicted, predicted, [picture], photographs, steps, lambda: None)
    for _ in range(steps):
        lesson.step()
    return lesson.code


def distances(
    vgg: Vgg, paintings: list[Tensor], seen: list[Likeness], wanted: Likeness
) -> tuple[float, float, float]:
    """Content, Gram and moments, in the mean over the paintings."""
    found = [Likeness(vgg, painting) for painting in paintings]
    return (
        statistics.mean(content_distance(own, photo) for own, photo in zip(found, seen, strict=True)),
        statistics.mean(style_distance(own, wanted) for own in found),
        statistics.mean(moment_distance(own, wanted) for own in found),
    )


def sheet(rows: list[Tensor], style: Tensor) -> Image.Image:
    """Rows of pictures, (3, H, W) each, and the style at the end of the last one."""
    blank = torch.ones_like(style[0])
    ends = [*(blank for _ in rows[1:]), style[0]]
    pixels = torch.cat([torch.cat([row, end], 2) for row, end in zip(rows, ends, strict=True)], 1)
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


if __name__ == "__main__":
    main()
