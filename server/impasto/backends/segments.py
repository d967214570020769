"""Pieces of memory that processes of one user share: files that live in memory where there is
such a file system. Files rather than `multiprocessing.shared_memory`, which would unlink a segment
when any of its users ends.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from impasto.backends.lock import Lock
from impasto.errors import OutOfMemory

RESERVE = 64 << 20
"""Bytes that stay free beside the pixels, for the other users of a file system in memory."""

NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Segments:
    """A maker of segments in private directories; takes the first directory that has room."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = list(directories)

    def create(self, size: int, name: str = "") -> Path:
        """A new file of `size` bytes, with its memory set aside; by default with a random name.

        Raises:
            OutOfMemory: no directory has room for it.
        """
        for directory in self.directories:
            if _room(directory) < size + RESERVE:
                continue
            path = directory / (name or secrets.token_hex(16))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o600)
            try:
                if size and hasattr(os, "posix_fallocate"):
                    # Set aside now: a hole that cannot be filled later would kill whoever maps it.
                    os.posix_fallocate(descriptor, 0, size)
                else:
                    os.truncate(descriptor, size)
                return path
            except OSError:
                remove(path)
            finally:
                os.close(descriptor)
        raise _no_room(size)

    def write(self, data: bytes | memoryview, name: str = "") -> Path:
        """As `create`, with a copy of `data`."""
        view = memoryview(data).cast("B")
        path = self.create(len(view), name)
        put(path, 0, view)
        return path

    def size(self) -> int:
        """Bytes in all segments."""
        total = 0
        for directory in self.directories:
            for path in directory.iterdir():
                with contextlib.suppress(FileNotFoundError):  # a job ended meanwhile
                    total += path.stat().st_size
        return total

    def sweep(self, pattern: str = "*") -> None:
        """Remove what a process that was killed has left."""
        for directory in self.directories:
            for path in directory.glob(pattern):
                remove(path)


class OwnDirectory:
    """A directory for the segments of one object, locked as long as its process lives."""

    PREFIX = "impasto-own-"

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        parent = memory if memory.is_dir() else Path(tempfile.gettempdir())
        for path in parent.glob(f"{self.PREFIX}*"):
            _remove_if_left(path)
        self.path = Path(tempfile.mkdtemp(prefix=self.PREFIX, dir=parent))
        self._lock = Lock(self.path / "lock")
        self._lock.acquire()

    def remove(self) -> None:
        """Remove the directory with all segments in it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_if_left(path: Path) -> None:
    """Remove the directory of a process that was killed."""
    try:
        if time.time() - path.stat().st_mtime < 60:
            return  # perhaps so new that it is not locked yet
        lock = Lock(path / "lock")
    except OSError:
        return  # another user's, or just going
    if lock.acquire():
        shutil.rmtree(path, ignore_errors=True)
    lock.release()


def view(path: Path) -> memoryview:
    """The segment as read-only memory; it stays when the file is removed."""
    descriptor = os.open(path, os.O_RDONLY | NO_LINKS)
    try:
        size = os.fstat(descriptor).st_size
        return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b"")
    finally:
        os.close(descriptor)


def put(path: Path, offset: int, data: bytes | memoryview) -> None:
    """Write into a segment.

    Raises:
        OutOfMemory: on systems that cannot set memory aside, there is none left now.
    """
    rest = memoryview(data)
    try:
        with path.open("r+b", buffering=0) as file:
            file.seek(offset)
            while rest:
                rest = rest[file.write(rest) :]
    except OSError:
        remove(path)
        raise _no_room(len(data)) from None


def _no_room(size: int) -> OutOfMemory:
    return OutOfMemory(
        f"There is no room in memory for {size / 1e6:.0f} MB of pixels; "
        "close other programs or use a smaller picture."
    )


def result_name(source: str | Path) -> str:
    """What the result of the picture in `source` is called, so that a dead worker's can be found."""
    return f"{Path(source).name}-result"


def remove(path: Path) -> None:
    """Remove a segment. Who has mapped it keeps the memory until he lets go."""
    with contextlib.suppress(OSError):  # Windows keeps a file that is mapped, until the next `sweep`
        path.unlink(missing_ok=True)


def private_directory(path: Path) -> Path | None:
    """Make `path` as a directory of this user alone; None where that is not possible."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    own = os.name != "posix" or (found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077)
    return path if own and stat.S_ISDIR(found.st_mode) else None


def _room(directory: Path) -> int:
    if not hasattr(os, "statvfs"):
        return 1 << 62
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
