"""What a process keeps of freed memory, and what it gives back to the system. Does nothing without glibc."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Of glibc's mallopt."""

LARGE, USUAL = 2**20, 2**25
"""Bytes; glibc itself goes up to the second one when it sees that large blocks come and go."""

MOST_MAPPED = 2**16
"""Blocks with a mapping of their own, glibc's own figure."""


def tell_glibc(function: str, *arguments: int) -> None:
    """Call a function of glibc's, where there is one."""
    found = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    if found is not None:
        found(*arguments)


@contextmanager
def large_blocks_returned() -> Iterator[None]:
    """Blocks of `LARGE` bytes go back to the system as soon as they are free, for what the process may need.

    glibc keeps them, and hands them out in pieces, until what it holds has no room for the next large
    one: in a loop over tiles that is half a gigabyte. New memory costs time, so it is for such loops only.
    """
    tell_glibc("mallopt", M_MMAP_THRESHOLD, LARGE)
    try:
        yield
    finally:
        tell_glibc("mallopt", M_MMAP_THRESHOLD, USUAL)


@contextmanager
def large_blocks_kept() -> Iterator[None]:
    """What is freed stays with the process, for a loop that needs as much again and again; in the end all
    goes back.

    Blocks of more than `USUAL` bytes are new memory each time otherwise, which the system must clear first.
    """
    tell_glibc("mallopt", M_MMAP_MAX, 0)
    tell_glibc("mallopt", M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        tell_glibc("mallopt", M_MMAP_MAX, MOST_MAPPED)
        tell_glibc("mallopt", M_TRIM_THRESHOLD, 2 * USUAL)
        tell_glibc("malloc_trim", 0)
