"""List the styles, paint a photograph in each of the gallery's on one sheet, keep styles of your own."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from impasto.errors import UsageError
from impasto.files import publish
from impasto.models.gallery import styles
from impasto.styles import saved


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="paint PHOTO in every style onto one sheet"
    )
    parser.add_argument("--photo", type=Path, metavar="PHOTO", help="the photograph for --sheet")
    parser.add_argument("--save", metavar="NAME", help="keep the style of --from under this name")
    parser.add_argument(
        "--from",
        dest="ingredients",
        action="append",
        metavar="STYLE[:WEIGHT]",
        help="a picture, .style file or name; repeat it for a blend",
    )
    parser.add_argument("--forget", metavar="NAME", help="remove a style of your own")


def run(args: argparse.Namespace) -> int:
    if args.sheet or args.photo:
        return paint_sheet(args.photo, args.sheet)
    if args.save or args.ingredients:
        return keep(args.save, args.ingredients)
    if args.forget:
        saved.remove(args.forget)
        return 0
    kept = saved.names()
    if args.json:
        entries = [asdict(style) | {"kind": "gallery"} for style in styles()]
        entries += [{"name": name, "kind": "saved"} for name in kept]
        json.dump(entries, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(len(name) for name in (*kept, *(style.name for style in styles())))
    for style in styles():
        sys.stdout.write(f"{style.name:<{width}}  {style.credit}; {style.technique}\n")
    for name in kept:
        sys.stdout.write(f"{name:<{width}}  your own\n")
    return 0


def keep(name: str | None, ingredients: list[str] | None) -> int:
    """Save the style that pictures and other styles make together."""
    if not (name and ingredients):
        raise UsageError("a style to keep needs a name and a picture: --save NAME --from PICTURE.")
    from impasto.backends import Parcel, enclose
    from impasto.backends.work import attachment
    from impasto.cli.teach import side_by_side
    from impasto.engines.gallery import GalleryEngine
    from impasto.engines.painters import encodable
    from impasto.job import Job, Look, StyleRef
    from impasto.models.gallery import names
    from impasto.styles.sources import sources

    if name in names():
        raise UsageError(f"“{name}” is a style of the gallery; choose another name.")
    job = Job(Look.from_dict({"style": [StyleRef.parse(text).to_dict() for text in ingredients]}))
    job, parcel = enclose(job, Parcel(b""))
    found = sources(job.look.style, [attachment(part) for part in parcel.attachments])
    code = GalleryEngine().mix(found, lambda: None)
    pictures = [encodable(source.picture) for source in found if source.picture is not None]
    style = saved.SavedStyle(
        " and ".join(source.credit for source in found),
        code.painter,
        code.values,
        side_by_side(pictures) if pictures else None,
    )
    sys.stdout.write(f"{saved.save(name, style)}\n")
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
