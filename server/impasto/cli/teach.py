"""Teach the network a style of your own: better than what it guesses from a picture at once.

The style is kept as NAME.style and works everywhere by its name, as fast as any. The same command
again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import UsageError
from impasto.files import SUFFIXES, publish
from impasto.styles import saved

if TYPE_CHECKING:
    from impasto.engines import Engine
    from impasto.styles.sources import StyleCode

KEPT_EVERY = 20
"""Steps after which the style so far is written, and the sample painted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the style")
    parser.add_argument("picture", nargs="+", type=Path, metavar="PICTURE", help="whose style it is")
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="photographs to practise on (default: 28 of ours)"
    )
    parser.add_argument("--steps", type=int, default=1200, metavar="N", help="of practice (default 1200)")
    parser.add_argument(
        "--sample", type=Path, metavar="FILE", help="paint a photograph again and again as it learns"
    )


def run(args: argparse.Namespace) -> int:
    from impasto.cli.progress import shown_progress
    from impasto.engines.pictures import loss_network, torch_device
    from impasto.models import arbitrary, gallery
    from impasto.models.store import require
    from impasto.raster import format_of
    from impasto.runtime.memory import large_blocks_kept

    if args.name in gallery.names():
        raise UsageError(f"“{args.name}” is a style of the gallery; choose another name.")
    if not saved.NAME.fullmatch(args.name):
        raise UsageError(f"A style's name has letters, digits, “-”, “_” and “.”, not “{args.name}”.")
    if not 1 <= args.steps <= 100_000:
        raise UsageError(f"--steps must lie between 1 and 100000, not {args.steps}.")
    format_name = format_of(args.sample) if args.sample else ""
    device = torch_device("teach")
    vgg_file = require(loss_network())
    pictures = [read(path) for path in args.picture]
    photographs = [read(path) for path in photographs_of(args.photos or gallery.BUNDLED / "photographs")]

    from impasto.engines.gallery import GalleryEngine
    from impasto.engines.painters import encodable
    from impasto.engines.teaching import PHOTOGRAPH_SIDE, Lesson, shorter_side
    from impasto.engines.vgg import Vgg
    from impasto.runtime.torch_executor import quick_dtype
    from impasto.styles.sources import StyleCode

    loaded, painter = arbitrary.load(), GalleryEngine()
    shown = side_by_side([encodable(picture) for picture in pictures])
    credit = " and ".join(path.name for path in args.picture)
    code = begun(args.name, credit, loaded.fingerprint)
    predicted = np.stack([painter.arbitrary.predict(picture, lambda: None) for picture in pictures]).mean(0)
    lesson = Lesson(
        Vgg(vgg_file, device, quick_dtype(device)),
        loaded.weights,
        predicted,
        predicted if code is None else code,
        pictures,
        [shorter_side(photo, PHOTOGRAPH_SIDE) for photo in photographs],
        args.steps,
        lambda: None,
        device,
        seed=int(code is not None),
    )

    def keep() -> Path:
        path = saved.save(args.name, saved.SavedStyle(credit, loaded.fingerprint, lesson.code, shown))
        if args.sample:
            publish(
                args.sample,
                sample(painter, photographs[0], StyleCode(loaded.fingerprint, lesson.code), format_name),
            )
        return path

    styles: list[float] = []
    try:
        with large_blocks_kept(), shown_progress(args.name, sys.stderr.isatty()) as progress:
            for step in range(1, args.steps + 1):
                styles.append(lesson.step().style)
                recent = float(np.mean(styles[-KEPT_EVERY:]))
                progress(step / args.steps, f"style distance {recent:.3f}")
                if step % KEPT_EVERY == 0:
                    keep()
    finally:
        if styles:
            path = keep()
            first = np.mean(styles[: KEPT_EVERY // 4])
            last = np.mean(styles[-KEPT_EVERY:])
            sys.stdout.write(f"{path} (style distance {first:.3f} at first, {last:.3f} now)\n")
    return 0


def read(path: Path) -> np.ndarray:
    """(h, w, 3) float32, sRGB in 0..1, at most `LONGER_SIDE` long."""
    from impasto.raster import load
    from impasto.raster.sampling import working_copy
    from impasto.styles.sources import LONGER_SIDE

    picture = load(path)
    factor = min(1.0, LONGER_SIDE / max(picture.width, picture.height))
    width, height = (max(1, round(side * factor)) for side in (picture.width, picture.height))
    return working_copy(picture, width, height)


def photographs_of(folder: Path) -> list[Path]:
    """At most 200 pictures of a folder."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise UsageError(f"“{folder}” cannot be read ({error.strerror}); check the path.") from None
    if not found:
        raise UsageError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}).")
    return found[:200]


def begun(name: str, credit: str, fingerprint: str) -> np.ndarray | None:
    """The code of a style that was begun with the same pictures, or None.

    Raises:
        UsageError: there is a style of that name that is another one.
    """
    if name not in saved.names():
        return None
    style = saved.load(name)
    if style.credit != credit:
        raise UsageError(
            f"There is a style “{name}” already, from {style.credit}; choose another name, or remove it "
            f"with “impasto styles --forget {name}”."
        )
    return style.code if style.painter == fingerprint else None


def side_by_side(pictures: list[np.ndarray]) -> np.ndarray:
    """At most three pictures in one, for those who have use for a single one."""
    from impasto.raster.sampling import resized

    height = min(picture.shape[0] for picture in pictures)
    scaled = [resized(p, max(1, round(p.shape[1] * height / p.shape[0])), height) for p in pictures[:3]]
    return np.concatenate(scaled, 1).clip(0, 1)


def sample(painter: Engine, photo: np.ndarray, code: StyleCode, format_name: str) -> bytes:
    """A photograph painted with a code, encoded."""
    from impasto.job import Look
    from impasto.raster import Raster, encode, quantise
    from impasto.styles.sources import StyleSource

    painted = painter.paint(photo, (StyleSource("", "", 1.0, code, None),), Look(), lambda: None)
    return encode(Raster(quantise(painted, np.uint8), format=format_name), format_name, 8, 90)
