"""Whole files: read without waiting on what is no file, published complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from pathlib import Path

from impasto.errors import UnreadablePicture, UnwritablePicture

SUFFIXES = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
}
"""The format that a file name's ending stands for; the first ending of a format is its usual one."""

LARGEST_FILE = 4 << 30
"""Bytes; a larger file is refused before it is read."""


def data_directory() -> Path:
    """The user's data directory of Impasto, by the custom of each platform."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "impasto"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/impasto"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "impasto"


def suffix_for(format_name: str, like: Path) -> str:
    """The ending for a file of this format: that of `like` where it fits, else the usual one."""
    if SUFFIXES.get(like.suffix.lower()) == format_name:
        return like.suffix
    return next(suffix for suffix, name in SUFFIXES.items() if name == format_name)


def read(path: Path) -> bytes:
    """The bytes of a regular file. Never blocks on a pipe.

    Raises:
        UnreadablePicture: missing, no permission, not a regular file, or above `LARGEST_FILE`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise UnreadablePicture(f"“{path}” does not exist; check the path.") from None
    except PermissionError:
        if path.is_dir():  # so says Windows
            raise UnreadablePicture(f"“{path}” is a folder; name a picture in it.") from None
        raise UnreadablePicture(f"“{path}” may not be read by this user; change its permissions.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadablePicture(f"“{path}” cannot be opened ({reason}); check the path.") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadablePicture(f"“{path}” is a folder; name a picture in it.")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePicture(f"“{path}” is a pipe or device; save the picture to a file first.")
        if status.st_size > LARGEST_FILE:
            size = LARGEST_FILE >> 30
            raise UnreadablePicture(f"“{path}” is larger than {size} GiB; export it smaller.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise UnreadablePicture(f"“{path}” cannot be read ({error.strerror}); check the disk.") from None
    except MemoryError:
        raise UnreadablePicture(f"“{path}” does not fit into memory; make it smaller first.") from None
    finally:
        os.close(descriptor)


def publish(path: Path, data: bytes | memoryview) -> None:
    """Publish a file: it appears whole under its name, or not at all, and replaces an older one.

    Raises:
        UnwritablePicture: the folder is missing or not writable, the disk is full, or the name is
            that of a folder, pipe or device.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.is_dir():
        raise UnwritablePicture(f"“{path}” is a folder; give the picture a name in it.")
    if target.exists() and not target.is_file():
        raise UnwritablePicture(f"“{path}” is a pipe or device; give the picture a name of its own.")
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            part.chmod(target.stat().st_mode & 0o7777)
        part.replace(target)
    except (FileNotFoundError, NotADirectoryError):
        raise UnwritablePicture(f"There is no folder “{target.parent}”; create it first.") from None
    except PermissionError:
        raise UnwritablePicture(
            f"“{path.name}” may not be written in “{target.parent}”; choose another folder."
        ) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or str(error)
        raise UnwritablePicture(f"“{path}” cannot be written ({reason}); choose another place.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    with contextlib.suppress(OSError, AttributeError):  # the new name, too, survives a power cut
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
