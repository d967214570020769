"""Select a part of a picture, by a class, by clicks or in words, and write its mask."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from impasto.backends import Backend, Parcel, Progress, enclose
from impasto.cli.backend import open_backend
from impasto.cli.progress import shown_progress
from impasto.errors import UnwritablePicture, UsageError
from impasto.files import publish, read
from impasto.job import Job
from impasto.regions.overlay import overlay
from impasto.selector import CLASSES, WHOLES

LOSSLESS = ("png", "tiff")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"Classes: {', '.join((*CLASSES, *WHOLES))}.\n\n"
        "Selectors in words are those of “impasto stylize --region”: 'sky | water', '!person',\n"
        "'grow(subject, 8)', 'mask:FILE', 'luminance:0.7-1', 'color:#4080c0', 'segment:3'.\n"
        "With --everything, MASK is a 16-bit picture of numbers, and MASK.json lists them.\n"
        "Points, boxes and --everything need a model: “impasto models pull mobile-sam”."
    )
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="picture")
    add("-o", "--output", type=Path, metavar="MASK", help="file for the mask; white is selected")
    add("--overlay", type=Path, metavar="FILE", help="the picture with the selection in colour over it")
    add("--class", dest="name", metavar="NAME", help="what belongs to a class, such as sky")
    add("--point", action="append", metavar="X,Y", help="the object at a point; repeat it for more points")
    add("--avoid", action="append", metavar="X,Y", help="a point that does not belong to it")
    add("--box", metavar="X0,Y0,X1,Y1", help="the object in a box")
    add("--select", metavar="SELECTOR", help="a selector in words")
    add("--everything", action="store_true", help="all objects, each with a number")
    add("--grow", type=float, metavar="PX", help="grow the mask, or shrink it by a negative number")
    add("--feather", type=float, metavar="PX", help="fade over so many pixels to both sides of its edge")
    add("--json", action="store_true", help="print what was found, for programs")
    add("--no-daemon", action="store_true", help="work in this process even when a daemon runs")


def selector(args: argparse.Namespace) -> str:
    """What the options select, in words."""
    chosen: list[str] = []
    if args.name:
        chosen.append(args.name)
    if args.point:
        chosen.append("points:" + ";".join([*args.point, *(f"-{point}" for point in args.avoid or [])]))
    elif args.avoid:
        raise UsageError("--avoid needs a --point that belongs to the object.")
    if args.box:
        chosen.append(f"box:{args.box}")
    if args.select:
        chosen.append(f"({args.select})")
    if len(chosen) + args.everything != 1:
        raise UsageError("say what to select by one of --class, --point, --box, --select or --everything.")
    return "".join(chosen)


def run(args: argparse.Namespace) -> int:
    select = selector(args)
    if args.output is None and args.overlay is None:
        raise UsageError("name a file for the mask with -o, or one for a picture of it with --overlay.")
    for path in filter(None, (args.output, args.overlay)):
        if path.exists() and path.samefile(args.input):
            raise UnwritablePicture(f"{path} is the original and stays as it is; choose another name.")
    region = {"select": select or "other"}
    region |= {key: value for key in ("grow", "feather") if (value := getattr(args, key)) is not None}
    deliver = "segments" if args.everything else "masks"
    job = Job.from_dict({"region": [region], "output": {"deliver": deliver}})
    backend = open_backend(args.no_daemon)
    try:
        with shown_progress(args.input.name, not args.json and sys.stderr.isatty()) as progress:
            report = segment(args, job, backend, progress)
    finally:
        backend.close()
    if args.json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return 0
    what = f"{report['segments']} objects" if args.everything else f"{report['share']:.1%} of the picture"
    for path in filter(None, (args.output, args.overlay)):
        sys.stdout.write(f"{path} ({what})\n")
    return 0


def segment(args: argparse.Namespace, job: Job, backend: Backend, progress: Progress) -> dict[str, Any]:
    """Find the mask and write what was asked for."""
    from impasto.raster import Raster, decode, encode, format_of

    formats = {path: format_of(path) for path in (args.output, args.overlay) if path}
    if args.output and formats[args.output] not in LOSSLESS:
        raise UnwritablePicture(f"“{args.output}” would not hold the mask exactly; end its name in .png.")
    data = read(args.input)
    job, parcel = enclose(job, Parcel(data, {"kind": "file", "name": str(args.input)}))
    result = backend.run(job, parcel, progress)
    (entry,) = result.meta["layers"]
    flat = np.frombuffer(result.data, entry["dtype"]).reshape(entry["height"], entry["width"])
    report: dict[str, Any] = {"input": str(args.input)}
    if args.output:
        mask = Raster(np.ascontiguousarray(flat)[..., None], format="png")
        publish(args.output, encode(mask, formats[args.output], None, 100, None))
        report["mask"] = str(args.output)
    if args.everything:
        listed = result.meta["segments"]
        report["segments"] = len(listed)
        if args.output:
            names = args.output.with_name(args.output.name + ".json")
            publish(names, (json.dumps(listed, indent=1) + "\n").encode())
            report["list"] = str(names)
    else:
        report["share"] = float(flat.mean() / np.iinfo(entry["dtype"]).max)
    if args.overlay:
        picture = overlay(decode(data, str(args.input)), flat, labels=args.everything)
        publish(args.overlay, encode(picture, formats[args.overlay], 8, 92, None))
        report["overlay"] = str(args.overlay)
    return report
