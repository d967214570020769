"""What a process gives back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt."""

LARGE, USUAL = 2**20, 2**25
"""Bytes; glibc itself goes up to the second one when it sees that large blocks come and go."""


@contextmanager
def large_blocks_returned() -> Iterator[None]:
    """Blocks of `LARGE` bytes go back to the system as soon as they are free, for what the process may need.

    glibc keeps them, and hands them out in pieces, until what it holds has no room for the next large
    one: in a loop over tiles that is half a gigabyte. New memory costs time, so it is for such loops only.
    Does nothing where there is no glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
    try:
        yield
    finally:
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, USUAL)
