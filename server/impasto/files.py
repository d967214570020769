"""Whole files: read without waiting on what is no file, published complete or not at all."""

from __future__ import annotations

import os
import secrets
import stat
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


def suffix_for(format_name: str, like: Path) -> str:
    """The ending for a file of this format: that of `like` where it fits, else the usual one."""
    if SUFFIXES.get(like.suffix.lower()) == format_name:
        return like.suffix
    return next(suffix for suffix, name in SUFFIXES.items() if name == format_name)


def read(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        UnreadablePicture: missing, not a regular file, not permitted, or above `LARGEST_FILE`.
    """
    try:
        # Not blocking, so that a FIFO with no writer is refused below instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadablePicture(f"{path} is not a picture file; name a file.")
            if status.st_size > LARGEST_FILE:
                raise UnreadablePicture(f"{path} is larger than {LARGEST_FILE >> 30} GiB; export it smaller.")
            return file.read()
    except FileNotFoundError:
        raise UnreadablePicture(f"{path} does not exist; check the name.") from None
    except OSError as error:
        raise UnreadablePicture(f"{path} cannot be read ({error.strerror}).") from None


def publish(path: Path, data: bytes | memoryview) -> None:
    """Write a file under its final name in one step; whatever stood there before stays until then.

    Raises:
        UnwritablePicture: with the reason; nothing is left behind.
    """
    partial = path.with_name(f".impasto-{secrets.token_hex(6)}.part")
    try:
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnwritablePicture(
            f"{path} cannot be written ({reason}); choose another place with -o."
        ) from None
