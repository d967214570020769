"""Whose turn it is to paint, where several pictures are under way in one process.

While one picture passes through a network, others are decoded and encoded; two networks at once would
take twice the memory and no less time. Who is in a hurry does not wait for the end of what another
has begun: that stops at the next look at its progress, whatever it is at, until the other is done.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TICK = 0.05
"""Seconds between two calls of `check` while a thread waits."""

Check = Callable[[], None]
"""Raises `Cancelled` to stop waiting."""


class _Own(threading.local):
    rank = 0
    place: tuple[int, int] = (0, 0)
    holds = False


class Turns:
    """One thread holds the turn; of those that wait, the most urgent is next, and the first of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = itertools.count()
        self._waiting: list[tuple[int, int]] = []
        self._taken = False
        self._present: Counter[int] = Counter()
        self._own = _Own()

    @contextmanager
    def rank(self, rank: int) -> Iterator[None]:
        """Say how urgent this thread's work is; 0 is the most urgent."""
        self._own.rank = rank
        with self._changed:
            self._present[rank] += 1
        try:
            yield
        finally:
            self._own.rank = 0
            with self._changed:
                self._present[rank] -= 1
                self._changed.notify_all()

    @contextmanager
    def turn(self, check: Check) -> Iterator[None]:
        """Wait for the turn and hold it."""
        self._own.place = self._own.rank, next(self._count)
        self._take(check)
        try:
            yield
        finally:
            self._leave()

    def give_way(self, check: Check) -> None:
        """Do nothing as long as somebody is at work who is more urgent than this thread."""
        own = self._own
        if not self._is_in_the_way(own.rank):
            return None
        if own.holds:
            self._leave()
            return self._take(check)
        with self._changed:
            while self._is_in_the_way(own.rank):
                self._changed.wait(TICK)
                check()
        return None

    def _is_in_the_way(self, own: int) -> bool:
        return any(number for rank, number in list(self._present.items()) if rank < own)

    def _take(self, check: Check) -> None:
        with self._changed:
            place = self._own.place
            self._waiting.append(place)
            try:
                while self._taken or place != min(self._waiting) or self._is_in_the_way(place[0]):
                    self._changed.wait(TICK)
                    check()
                self._taken = self._own.holds = True
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()

    def _leave(self) -> None:
        if self._own.holds:  # not after `give_way` was told to stop
            with self._changed:
                self._taken = self._own.holds = False
                self._changed.notify_all()


TURNS = Turns()
"""Of this process."""
