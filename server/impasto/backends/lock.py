"""A lock on a file, between processes. The system drops it when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path


class Lock:
    def __init__(self, path: Path) -> None:
        """
        Args:
            path: made when it is missing.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self) -> bool:
        """Take the lock, or return false at once."""
        try:
            if os.name == "posix":
                import fcntl

                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                import msvcrt

                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)  # pyright: ignore
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Drop the lock; it cannot be taken again."""
        os.close(self._descriptor)
