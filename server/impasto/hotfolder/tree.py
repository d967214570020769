"""A folder's pictures: which there are, and how to read one without waiting or being led astray."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from impasto.errors import UnreadablePicture
from impasto.files import LARGEST_FILE, SUFFIXES
from impasto.hotfolder.events import shown


class State(NamedTuple):
    """What tells one content of a file from another without reading it."""

    size: int
    mtime_ns: int
    inode: int
    mask: State | None = None
    """Of the mask beside it."""

    @classmethod
    def of(cls, status: os.stat_result) -> State:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    @property
    def key(self) -> str:
        """For the journal: inodes may have more bits than SQLite's numbers."""
        own = f"{self.size}:{self.mtime_ns}:{self.inode}"
        return f"{own} {self.mask.key}" if self.mask else own


class Changed(Exception):
    """The file is no longer what the walk saw; the next walk sees it anew."""


MASK = ".mask.png"
"""What the name of a mask ends with, after that of its picture without ending."""


def mask_of(picture: Path) -> Path:
    """Where the mask of a picture is, if it has one."""
    return picture.with_name(picture.stem + MASK)


def names_beside(picture: Path) -> list[str]:
    """Files that are there under the name of a picture, with any ending."""
    with os.scandir(picture.parent) as listing:
        return [entry.name for entry in listing if Path(entry.name).stem == picture.stem]


def state_with_mask(picture: Path) -> State | None:
    """As `state_of`, of a picture with its mask."""
    state = state_of(picture)
    return state and state._replace(mask=state_of(mask_of(picture)))


def state_of(path: Path) -> State | None:
    """The state of a regular file, or None when there is no such file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return State.of(status) if stat.S_ISREG(status.st_mode) else None


def is_picture(name: str) -> bool:
    """Whether a file of this name is to be painted: by its ending, but not what programs write on the
    way (hidden, “~…”), nor a mask beside its picture (NAME.mask.png)."""
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and name[0] not in ".~" and not path.stem.lower().endswith(".mask")


def walk(
    root: Path, excluded: set[Path], odd: Callable[[Path], None] = lambda path: None
) -> Iterator[tuple[str, State]]:
    """The pictures of a folder and its sub-folders, sorted within each folder.

    Args:
        root: where to begin.
        excluded: folders and files that are left out.
        odd: called with what has a picture's name but is a link, a pipe or the like.

    Yields:
        The path relative to `root`, and the state.

    Raises:
        OSError: `root` cannot be read; of a sub-folder that cannot, nothing is seen.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            if folder == root:
                raise
            continue
        names = {entry.name for entry in entries}
        folders: list[Path] = []
        for entry in entries:
            path = folder / entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name[0] != "." and path not in excluded:
                        folders.append(path)
                elif is_picture(entry.name) and path not in excluded:
                    if entry.is_file(follow_symlinks=False):
                        # Not `entry.stat()`: on Windows that knows no inode.
                        state, mask = State.of(os.lstat(path)), mask_of(path)
                        if mask.name in names:
                            state = state._replace(mask=state_of(mask))
                        yield os.path.relpath(path, root), state
                    else:
                        odd(path)
            except OSError:  # gone meanwhile
                continue
        waiting += reversed(folders)


def read(path: Path, expected: State) -> bytes:
    """The bytes of a picture, or a mask, that a walk found.

    Raises:
        Changed: it is not what it was, before or after reading.
        UnreadablePicture: empty, not permitted, a link or no file by now, or above `LARGEST_FILE`.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if State.of(os.fstat(descriptor)) != expected or not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Changed
            if not expected.size:
                raise UnreadablePicture(f"“{shown(path.name)}” is empty; copy or export it again.")
            if expected.size > LARGEST_FILE:
                raise UnreadablePicture(
                    f"“{shown(path.name)}” is larger than {LARGEST_FILE >> 30} GiB; export it smaller."
                )
            data = file.read()
            if State.of(os.fstat(descriptor)) != expected or len(data) != expected.size:
                raise Changed
            return data
    except FileNotFoundError:
        raise Changed from None
    except OSError as error:
        raise UnreadablePicture(f"“{shown(path.name)}” cannot be read ({error.strerror}).") from None
