"""Paint pictures. Originals are never written to; a painting appears complete or not at all."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impasto.backends import Parcel, Progress, Sketch, SketchingBackend, enclose
from impasto.cli.backend import open_backend
from impasto.cli.options import add_job_options, with_options
from impasto.cli.progress import shown_progress
from impasto.errors import (
    ImpastoError,
    JobError,
    OutOfMemory,
    PartlyDone,
    PictureError,
    UnreadablePicture,
    UnwritablePicture,
    UsageError,
    WorkerLost,
)
from impasto.files import SUFFIXES, publish, read, suffix_for
from impasto.job import Job
from impasto.styles.references import located

STDIO = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "Without -o, a painting goes beside its photograph as NAME-STYLE, and those of a folder into\n"
        "its sub-folder “impasto”. Exit status: 0 done, 2 wrong use or bad input, 3 some of several\n"
        "pictures failed, 4 a package or model is missing, 5 the daemon failed, 130 stopped."
    )
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="picture, folder of pictures, or - for stdin")
    add("-o", "--output", type=Path, metavar="OUT", help="file, folder (for several), or - for stdout")
    add(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="a TOML file with [look], [[region]] and [output]; options win over it",
    )
    add_job_options(parser)
    add("--json", action="store_true", help="print one object a picture, for programs")
    add(
        "--sketch",
        type=Path,
        metavar="FILE",
        help="show the painting while it comes about in this JPEG picture, about once a second; for engines "
        "that take their time",
    )
    add("--no-daemon", action="store_true", help="work in this process even when a daemon runs")


def read_job(args: argparse.Namespace) -> Job:
    """The job that recipe and options describe together."""
    job = Job()
    if args.recipe:
        try:
            job = Job.from_toml(read(args.recipe).decode())
        except UnicodeDecodeError:
            raise JobError(f"{args.recipe} is not a text file.") from None
        except JobError as error:
            raise JobError(f"{args.recipe}: {error}") from None
        except UnreadablePicture as error:
            raise JobError(str(error)) from None
        job = located(job, args.recipe.parent)
    merged = with_options(job, args)
    if not any(merged.looks()):
        raise UsageError("no style is chosen; name one with --style (“impasto styles” lists them).")
    return merged


@dataclass(frozen=True)
class Errand:
    """One picture to paint: where it comes from, and the file or folder it goes to."""

    source: Path
    target: Path


def errands(inputs: list[Path], output: Path | None) -> list[Errand]:
    """What to paint, and to where. Folders are searched for pictures, not their sub-folders."""
    found: list[Errand] = []
    many = len(inputs) > 1 or any(path.is_dir() for path in inputs)
    for path in inputs:
        if path.is_dir():
            folder = output or path / "impasto"
            pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
            if not pictures:
                raise UnreadablePicture(f"{path} holds no pictures ({', '.join(SUFFIXES)}).")
            found += (Errand(picture, folder) for picture in pictures)
        else:
            found.append(Errand(path, output or (STDIO if path == STDIO else path.parent)))
    if many and output is not None:
        if output == STDIO or (output.suffix.lower() in SUFFIXES and not output.is_dir()):
            raise UsageError(f"-o {output} is one file, but there are several pictures: name a folder.")
        make_folder(output)
    return found


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritablePicture(
            f"{folder} cannot be made ({error.strerror}); choose another with -o."
        ) from None


def target_file(errand: Errand, job: Job, format_name: str) -> Path:
    """The file to write, never the photograph itself."""
    target = errand.target
    names_folder = target.is_dir() or target.suffix.lower() not in SUFFIXES
    if names_folder:
        stem = "stdin" if errand.source == STDIO else errand.source.stem
        name = job.output.name.format(stem=stem, style=job.label)
        target = target / (name + suffix_for(format_name, errand.source))
    if target.exists() and errand.source != STDIO and target.samefile(errand.source):
        raise UnwritablePicture(f"{target} is the original and stays as it is; choose another name with -o.")
    return target


def paint(
    errand: Errand, job: Job, backend: SketchingBackend, progress: Progress, sketch: Sketch | None
) -> Iterator[dict[str, Any]]:
    """Paint one picture, all that the job wants of it; yields what `--json` prints."""
    began = time.perf_counter()
    data = sys.stdin.buffer.read() if errand.source == STDIO else read(errand.source)
    for own in job.for_picture(hashlib.blake2b(data).digest()):
        yield paint_one(errand, own, data, backend, progress, sketch, began)
        began = time.perf_counter()


def paint_one(
    errand: Errand,
    job: Job,
    data: bytes,
    backend: SketchingBackend,
    progress: Progress,
    sketch: Sketch | None,
    began: float,
) -> dict[str, Any]:
    if errand.target != STDIO:
        wanted = SUFFIXES.get(errand.target.suffix.lower())
        if wanted and not job.output.format and not errand.target.is_dir():
            job = replace(job, output=replace(job.output, format=wanted))
        target_file(errand, job, job.output.format or "jpeg")  # complain before the work, not after
    name = "stdin" if errand.source == STDIO else str(errand.source)
    result = backend.run(*enclose(job, Parcel(data, {"kind": "file", "name": name})), progress, sketch)
    if errand.target == STDIO:
        target = STDIO
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    else:
        target = target_file(errand, job, result.meta["format"])
        if errand.target != target:
            make_folder(target.parent)
        publish(target, result.data)
    total = {"total_seconds": round(time.perf_counter() - began, 4)}
    return {"input": name, "output": str(target)} | result.meta["report"] | total


def results(
    work: list[Errand], job: Job, backend: SketchingBackend, show: bool, sketch: Sketch | None
) -> Iterator[dict[str, Any] | tuple[Errand, ImpastoError]]:
    for errand in work:
        with shown_progress(errand.source.name, show) as progress:
            try:
                yield from paint(errand, job, backend, progress, sketch)
            except (PictureError, OutOfMemory, WorkerLost) as error:  # others, every picture would meet
                yield errand, error


def sketched(file: Path | None) -> Sketch | None:
    """What keeps the newest sketch in a file."""
    if file is None:
        return None
    if SUFFIXES.get(file.suffix.lower()) != "jpeg":
        raise UsageError(f"--sketch {file} must be a JPEG file: end its name in .jpg.")
    return lambda jpeg: publish(file, jpeg)


def run(args: argparse.Namespace) -> int:
    job = read_job(args)
    work = errands(args.inputs, args.output)
    if job.variants and any(
        errand.target.suffix.lower() in SUFFIXES or errand.target == STDIO for errand in work
    ):
        raise UsageError("the recipe has variants, which need names of their own: name a folder with -o.")
    to_stdout = any(errand.target == STDIO for errand in work)
    if args.json and to_stdout:
        raise UsageError("--json and a picture cannot both go to stdout; name a file with -o.")
    show = not args.json and sys.stderr.isatty()
    backend = open_backend(args.no_daemon)
    failures: list[ImpastoError] = []
    try:
        for result in results(work, job, backend, show, sketched(args.sketch)):
            if isinstance(result, tuple):
                errand, error = result
                failures.append(error)
                if len(work) > 1:
                    sys.stderr.write(f"impasto: {error}\n")
                if args.json:
                    report = {"input": str(errand.source), "error": str(error), "error_name": error.name}
                    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
            elif args.json:
                sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                for note in result["notes"]:
                    sys.stderr.write(f"impasto: {note}\n")
                if not to_stdout:
                    seconds = f"{result['total_seconds']:.2f} s, painting {result['paint_seconds']:.2f} s"
                    sys.stdout.write(f"{result['output']} ({seconds}; {result['device']})\n")
    finally:
        backend.close()
    if not failures:
        return 0
    if len(work) == 1:
        raise failures[0]
    painted = len(work) - len(failures)
    if painted:
        raise PartlyDone(f"{painted} of {len(work)} pictures were painted; the others are named above.")
    raise type(failures[0])(f"None of the {len(work)} pictures could be painted.")
