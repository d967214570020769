"""What a style's reference can be: a name, a file, or an attachment. Knows no pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

from impasto.files import SUFFIXES
from impasto.job import Job, Look, Region
from impasto.selector import Painted, Pair, parse, with_masks

ATTACHMENT = "attachment:"
"""What a reference to a picture that came along with the job begins with; its number follows."""

STYLE_SUFFIX = ".style"


def names_file(ref: str) -> bool:
    """Whether a reference is the path of a picture or a `.style` file, and not a name."""
    path = PurePath(ref)
    return path.suffix.lower() in {*SUFFIXES, STYLE_SUFFIX} or len(path.parts) > 1


Rename = Callable[[str], str]


def renamed(job: Job, file: Rename) -> Job:
    """The job with each file that it names, for a style or as a painted mask, under another name."""

    def style(ref: str) -> str:
        return file(ref) if names_file(ref) else ref

    def mask(ref: str) -> str:
        return ref if ref.startswith(ATTACHMENT) else file(ref)

    def look(own: Look) -> Look:
        return replace(own, style=tuple(replace(one, ref=style(one.ref)) for one in own.style))

    regions = tuple(
        replace(region, look=look(region.look), select=str(with_masks(parse(region.select), mask)))
        for region in job.regions
    )
    variants = tuple(renamed(variant, file) for variant in job.variants)
    return replace(job, look=look(job.look), regions=regions, variants=variants)


def files_of(job: Job) -> set[Path]:
    """The files that a job names, without links and dots."""
    found: set[Path] = set()

    def seen(ref: str) -> str:
        found.add(Path(ref).resolve())
        return ref

    renamed(job, seen)
    return found


def limited(job: Job, mask: str) -> Job:
    """The job, in a painted mask only: a file's path, or `attachment:N`."""
    limit = Painted(mask)
    regions = [Region(str(limit), job.look)] if job.look.style else []
    for region in job.regions:
        regions.append(replace(region, select=str(Pair("&", parse(region.select), limit))))
    variants = tuple(limited(variant, mask) for variant in job.variants)
    return replace(job, look=replace(job.look, style=()), regions=tuple(regions), variants=variants)


def located(job: Job, folder: Path) -> Job:
    """The job of a recipe in `folder`, with the files that it names found from there."""
    return renamed(job, lambda ref: str(folder / Path(ref).expanduser()))
