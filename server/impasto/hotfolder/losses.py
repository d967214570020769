"""What to make of a painting process that died, or had no memory: the picture's doing, or not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from impasto.errors import ImpastoError
from impasto.hotfolder.events import Event, Report
from impasto.hotfolder.folder import Folder, Order

ATTEMPTS = 3
"""Times that the painting process may die with a picture before the picture gets the blame."""

BEFORE = {"", "waiting", "starting", "warming up"}
"""What progress says before a picture is touched: who dies then, has not died of the picture."""

EXCUSES = 5
"""Such deaths that are overlooked, as a quick death leaves no time to tell of the picture."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to reach the daemon."""

Fail = Callable[[Order, ImpastoError], None]


class Losses:
    """Shared by all who paint. All methods can be called from any thread.

    Attributes:
        lanes: how many paint at a time.
        fatal: why painting cannot go on at all, when `once` forbids to wait for better times.
    """

    def __init__(self, once: bool, stop: threading.Event, report: Report) -> None:
        """
        Args:
            once: give up after three attempts to reach the backend.
            stop: set when all is to end.
        """
        self.fatal: ImpastoError | None = None
        self._once = once
        self.lanes = 1
        self._stop = stop
        self._report = report
        self._lock = threading.RLock()
        self._stumbles = 0
        self._resume_at = 0.0
        self._suspects: set[tuple[Folder, str]] = set()
        self._excused: Counter[tuple[Folder, str]] = Counter()

    def none_with(self, order: Order) -> None:
        """A picture was painted: painting works, and who failed before may have failed of his own."""
        with self._lock:
            self._stumbles = 0
            self._suspects.clear()
            self._excused.pop((order.folder, order.source), None)

    def one_with(self, order: Order, error: ImpastoError, fail: Fail) -> None:
        """The painting process or the daemon died with a picture, or had no memory for it; `fail` is called
        when the picture is to blame."""
        folder, culprit = order.folder, (order.folder, order.source)
        with self._lock:
            row = folder.journal.row(order.source)
            attempts = 1 + (row.attempts if row else 0)
            self._suspects.add(culprit)
            # All lanes may lose theirs at one stroke, with a machine that they painted on.
            if len(self._suspects) < ATTEMPTS + self.lanes - 1:
                if not order.heard - BEFORE - {str(error)} and self._excused[culprit] < EXCUSES:
                    self._excused[culprit] += 1
                    return folder.drop(order, delay=0.25)
                if attempts < ATTEMPTS:
                    return folder.drop(order, attempt=1, delay=0.25 * 2**attempts)
                return fail(order, type(error)(f"{error} That was attempt {attempts} of {ATTEMPTS}."))
            # It fails with one picture after another: they are not to blame.
            for suspect, source in self._suspects:
                suspect.journal.again(source, forget=True)
            self._suspects.clear()
        folder.drop(order, delay=0.0)
        return self.stumble(error)

    def stumble(self, error: ImpastoError) -> None:
        """Painting itself does not work: pause, or give up."""
        with self._lock:
            if time.monotonic() >= self._resume_at:  # else another one has stumbled over the same
                self._stumbles += 1
                if self._once and self._stumbles >= ATTEMPTS:
                    self.fatal = error
                    self._stop.set()
                    return
                if self._stumbles == 1:
                    self._report(Event("notice", text=f"{error} Painting goes on when that is over."))
                self._resume_at = time.monotonic() + min(0.25 * 2**self._stumbles, LONGEST_PAUSE)
        self._stop.wait(max(0.0, self._resume_at - time.monotonic()))
