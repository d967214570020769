"""List the styles of the gallery, or paint a photograph in each of them on one sheet."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from impasto.errors import UsageError
from impasto.files import publish
from impasto.models.gallery import styles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="paint PHOTO in every style onto one sheet"
    )
    parser.add_argument("--photo", type=Path, metavar="PHOTO", help="the photograph for --sheet")


def run(args: argparse.Namespace) -> int:
    if args.sheet or args.photo:
        return paint_sheet(args.photo, args.sheet)
    if args.json:
        json.dump([asdict(style) for style in styles()], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(len(style.name) for style in styles())
    for style in styles():
        sys.stdout.write(f"{style.name:<{width}}  {style.credit}; {style.technique}\n")
    return 0


def paint_sheet(photo: Path | None, sheet: Path | None) -> int:
    if photo is None or sheet is None:
        raise UsageError("a sheet needs a photograph and a file to write: --photo PHOTO --sheet FILE.")
    from impasto.cli.progress import shown_progress
    from impasto.paint.sheet import contact_sheet
    from impasto.raster import encode, format_of, load

    format_name = format_of(sheet)
    picture = load(photo)

    with shown_progress(sheet.name, sys.stderr.isatty()) as progress:
        painted = contact_sheet(picture, progress)
        publish(sheet, encode(painted, format_name, 8, 92, "Impasto's gallery"))
    sys.stdout.write(f"{sheet}\n")
    return 0
