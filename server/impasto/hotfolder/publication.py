"""Paintings on their way to their place: which name, in two steps that a kill can fall between."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from impasto.errors import UnwritablePicture
from impasto.files import publish, suffix_for
from impasto.hotfolder.events import Trouble, shown
from impasto.hotfolder.journal import Journal, Row
from impasto.hotfolder.tree import State, state_of
from impasto.job import Job

OF_ONE_PICTURE = {
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
}
"""Errors of writing that come of one picture's name; all others would meet the next one too."""


@dataclass(frozen=True)
class Painted:
    """A painting: what it was painted with, the bytes of the file, its format, the seconds it took."""

    job: Job
    data: bytes | memoryview
    format: str
    seconds: float


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn an `OSError` into the picture's own `UnwritablePicture`, or the folder's `Trouble`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in OF_ONE_PICTURE and place.is_dir():
            raise UnwritablePicture(f"The painting cannot be written ({reason}).") from None
        raise Trouble(
            f"Paintings cannot be written to {shown(place)} ({reason}); what is not painted yet waits."
        ) from None


def candidates(source: str, place: Path, job: Job, format_name: str) -> Iterator[Path]:
    """The names that a painting may have, the best first.

    The second names the original's format too, so that a.jpg and a.tif both find one.

    Args:
        source: path of the picture relative to its folder; sub-folders are mirrored.
        place: the folder of all paintings.
        format_name: of the painting.
    """
    original = Path(source)
    name = job.output.name.format(stem=original.stem, style=job.label)
    ending = suffix_for(format_name, original)
    folder = place / original.parent
    yield folder / (name + ending)
    name += "-" + original.suffix[1:].lower()
    yield folder / (name + ending)
    for number in range(2, 1_000_000):
        yield folder / f"{name}-{number}{ending}"


def publish_all(source: str, place: Path, journal: Journal, painted: list[Painted]) -> list[Path]:
    """Give the paintings of a picture their names.

    Raises:
        OSError: what could not be renamed now is renamed by `recover`, unless it is the picture's own
            fault; then nothing of it is left.
        Trouble: the journal fails.
    """
    targets: list[Path] = []
    paintings: list[tuple[Path, Path, State]] = []
    try:
        for one in painted:
            names = candidates(source, place, one.job, one.format)
            target = next(name for name in names if name not in targets and is_free(name, source, journal))
            paintings.append((target, *make_draft(target.parent, place, journal.tag, one.data)))
            targets.append(target)
        journal.publishing(source, paintings)
        for target, draft, _ in paintings:
            put(draft, target)
    except OSError as error:
        if error.errno in OF_ONE_PICTURE or len(paintings) < len(painted):
            for _, draft, _ in paintings:
                draft.unlink(missing_ok=True)
        raise
    return targets


def is_free(target: Path, source: str, journal: Journal) -> bool:
    """Whether the painting of `source` may be written there: nobody else's file is lost, nor a
    painting that somebody has worked on since."""
    claim = journal.claim(target)
    if claim and claim[0] != source:
        return False
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return True
    return bool(claim) and State.of(status).key == claim[1]


def make_folders(folder: Path, base: Path) -> None:
    """Make what is missing of `folder` below `base`, but not `base`: where that was renamed away, it
    must not come back as another.

    Raises:
        OSError.
    """
    for path in reversed([folder, *folder.parents]):
        if path != base and path.is_relative_to(base) and not path.is_dir():
            path.mkdir(exist_ok=True)


def make_draft(folder: Path, place: Path, tag: str, data: bytes | memoryview) -> tuple[Path, State]:
    """Write a draft into `folder` and bring it to the disk.

    Args:
        folder: made when it is missing; it is `place` or lies in it.
        tag: of the journal.

    Raises:
        OSError: nothing is left behind.
    """
    make_folders(folder, place)
    draft = folder / f"{prefix(tag)}{secrets.token_hex(6)}.part"
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return draft, State.of(os.lstat(draft))  # now, as network shares set the time when they close
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def prefix(tag: str) -> str:
    return f".impasto-{tag}-"


def put(draft: Path, target: Path) -> None:
    """Rename a draft to its target, and bring that to the disk.

    Raises:
        OSError.
    """
    draft.replace(target)
    if os.name == "posix":
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def recover(journal: Journal) -> list[Row]:
    """Bring the journal in line with what a killed watcher left.

    Returns:
        What it had published, or is published now, without having told of it.

    Raises:
        Trouble: the journal fails.
        OSError: a draft cannot be renamed.
    """
    published: list[Row] = []
    for row in journal.unfinished():
        if row.state == "publishing" and all(map(_is_put, repeat(journal), row.targets, row.drafts)):
            journal.painted(row.path, 0.0)
            published.append(row)
        else:
            journal.again(row.path)
    return published


def _is_put(journal: Journal, target: Path, draft: Path) -> bool:
    """Rename a draft to its target, if that was not done; false when neither is what it was."""
    claim = journal.claim(target)
    expected = claim and claim[1]
    state = state_of(draft)
    if state and state.key == expected:
        put(draft, target)
        return True
    state = state_of(target)
    return bool(state and state.key == expected)


def sweep(place: Path, tag: str) -> None:
    """Remove the drafts that this journal's watchers left in a folder and below it."""
    for folder, _, names in os.walk(place):
        for name in names:
            if name.startswith(prefix(tag)) and name.endswith(".part"):
                with contextlib.suppress(OSError):
                    Path(folder, name).unlink()


def error_note(folder: Path, source: str) -> Path:
    """The file that says why a picture failed."""
    return folder / (source + ".error.txt")


def write_error_note(base: Path, source: str, sentence: str) -> None:
    """Leave a reason to read in `base`/failed; where that cannot be, the journal has it."""
    note = error_note(base / "failed", source)
    with contextlib.suppress(OSError, UnwritablePicture):
        make_folders(note.parent, base)
        publish(note, (sentence + "\n").encode("utf-8", "replace"))


def remove_error_note(base: Path, source: str) -> None:
    with contextlib.suppress(OSError):
        error_note(base / "failed", source).unlink()


def put_away(root: Path, name: str, source: str) -> None:
    """Move an original into the sub-folder `name`, and never over another file.

    Raises:
        OSError.
    """
    wanted = root / name / source
    make_folders(wanted.parent, root)
    target, number = wanted, 2
    while os.path.lexists(target):
        target = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
    (root / source).rename(target)
