"""The jobs that wait, and those under way: interactive before normal before batch, and first come,
first served within each.

Two jobs of a kind are under way at a time, so that one is read or written while the other is painted.
More urgent ones begin at once, and the worker paints them first (`impasto.backends.turns`).
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.backends.segments import remove
from impasto.backends.worker import WorkerBackend
from impasto.errors import Cancelled, DaemonError, ImpastoError, OutOfMemory, WorkerLost

log = logging.getLogger(__name__)

PRIORITIES = ("interactive", "normal", "batch")
ENDED = ("done", "failed", "cancelled")

SLOTS = 2
"""Jobs under way beside none that is less urgent."""

LARGE = 32 << 20
"""Bytes; a larger picture takes all slots, so that memory is not needed for two such."""


@dataclass(eq=False)
class Task:
    """A job on its way.

    Attributes:
        source: segment of `size` bytes with the picture; belongs to the task, as does `result`'s.
        state: "filling" until its data is there, "queued", "running", then one of `ENDED`.
        text: what is happening, or why it failed.
        sketch: the newest that nobody has seen, see `impasto.backends.Sketch`.
        news: whether something changed since its owner last asked.
        released: its owner has forgotten it.
        crowded: another job was under way at the same time.
        alone: no other may be, for what it failed of may have been another's doing.
    """

    id: int
    priority: str
    recipe: str
    meta: dict[str, Any]
    source: Path
    size: int
    state: str = "filling"
    fraction: float = 0.0
    text: str = ""
    error: ImpastoError | None = None
    result: tuple[dict[str, Any], Path] | None = None
    sketch: bytes = b""
    news: bool = False
    released: bool = False
    crowded: bool = False
    alone: bool = False

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return PRIORITIES.index(self.priority)

    @property
    def slots(self) -> int:
        return SLOTS if self.alone or self.size > LARGE else 1


class Queue:
    """Runs tasks on a worker. All methods can be called from any thread."""

    def __init__(self, worker: WorkerBackend) -> None:
        self._worker = worker
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Task]] = []
        self._order = itertools.count()
        self._running: list[Task] = []
        self.ended: Counter[str] = Counter()
        for _ in range(SLOTS * len(PRIORITIES)):
            threading.Thread(target=self._run, name="queue", daemon=True).start()

    def start(self, task: Task) -> None:
        """Queue a task.

        Raises:
            DaemonError: it was started before.
        """
        with self._changed:
            if task.state != "filling":
                raise DaemonError(f"Job {task.id} was started before; it is {task.state}.")
            self._queue(task)

    def _queue(self, task: Task) -> None:
        self._tell(task, "queued", "waiting")
        heapq.heappush(self._waiting, (task.rank, next(self._order), task))

    def wait(self, task: Task, seconds: float) -> tuple[str, float, str]:
        """State, fraction and text of a task, as soon as there is news, at most after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: task.news or task.state in ENDED, seconds)
            task.news = False
            return task.state, task.fraction, task.text

    def sketch(self, task: Task) -> bytes:
        """The newest sketch of a task, or nothing when there was none since the last call."""
        with self._changed:
            jpeg, task.sketch = task.sketch, b""
            return jpeg

    def cancel(self, task: Task) -> None:
        """End a task, at once to all who ask; the worker stops it within a second."""
        with self._changed:
            if task.state == "queued":
                self._waiting = [entry for entry in self._waiting if entry[-1] is not task]
                heapq.heapify(self._waiting)
            if task.state not in ENDED:
                self._end(task, "cancelled", Cancelled("The painting was cancelled."))

    def release(self, task: Task) -> None:
        """Cancel a task that has not ended, and free its memory as soon as nobody works on it."""
        self.cancel(task)
        with self._changed:
            task.released = True
            if task not in self._running:
                _free(task)

    def active(self) -> bool:
        """Whether anything waits or runs."""
        with self._changed:
            return bool(self._running or self._waiting)

    def summary(self) -> dict[str, Any]:
        """What `status` tells of the queue: the jobs under way, how many wait, how many ended how."""
        with self._changed:
            waiting = Counter(task.priority for *_, task in self._waiting)
            return {
                "running": [
                    {"job": task.id, "priority": task.priority, "fraction": task.fraction}
                    for task in sorted(self._running, key=lambda task: (task.rank, task.id))
                ],
                "waiting": {priority: waiting[priority] for priority in PRIORITIES},
                **{state: self.ended[state] for state in ENDED},
            }

    def _tell(self, task: Task, state: str, text: str) -> None:
        task.state, task.text, task.news = state, text, True
        self._changed.notify_all()

    def _end(self, task: Task, state: str, error: ImpastoError | None = None) -> None:
        task.error = error
        self.ended[state] += 1
        self._tell(task, state, str(error) if error else "done")

    def _may_start(self) -> bool:
        if not self._waiting:
            return False
        *_, task = self._waiting[0]
        if task.alone:
            return not self._running
        taken = sum(other.slots for other in self._running if other.rank <= task.rank)
        return taken + task.slots <= SLOTS

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._may_start)
                *_, task = heapq.heappop(self._waiting)
                self._running.append(task)
                for other in self._running:
                    other.crowded = len(self._running) > 1 or other.crowded
                self._tell(task, "running", "starting")
            began = time.monotonic()
            result, error = self._paint(task)
            with self._changed:
                self._running.remove(task)
                self._changed.notify_all()
                if task.state == "running" and self._is_perhaps_innocent(task, error):
                    log.info("Job %d is tried again, alone: %s", task.id, error)
                    task.alone = True
                    self._queue(task)
                    continue
                if task.state == "running":
                    task.result = result
                    task.fraction = 1.0 if result else task.fraction
                    self._end(task, "done" if result else "failed", error)
                elif result:
                    remove(result[1])
                if task.released:
                    _free(task)
            reason = f": {error}" if task.state == "failed" else ""
            log.info("Job %d %s after %.2f s%s", task.id, task.state, time.monotonic() - began, reason)

    def _is_perhaps_innocent(self, task: Task, error: ImpastoError | None) -> bool:
        """Whether a job failed of what another one under way may have done to the worker."""
        return isinstance(error, WorkerLost | OutOfMemory) and task.crowded and not task.alone

    def _paint(self, task: Task) -> tuple[tuple[dict[str, Any], Path] | None, ImpastoError | None]:
        def progress(fraction: float, text: str) -> None:
            with self._changed:
                if task.state != "running":
                    raise Cancelled("The painting was cancelled.")
                if (fraction, text) != (task.fraction, task.text):
                    task.fraction = fraction
                    self._tell(task, "running", text)

        def sketch(jpeg: bytes) -> None:
            with self._changed:
                task.sketch = jpeg

        try:
            painted = self._worker.paint(task.recipe, task.meta, task.source, progress, task.rank, sketch)
            return painted, None
        except ImpastoError as error:
            return None, error
        except Exception:  # whatever it is, the next job deserves a queue
            log.exception("Job %d met a fault", task.id)
            return None, DaemonError("The daemon failed by a fault in Impasto; see its log.")


def _free(task: Task) -> None:
    remove(task.source)
    if task.result:
        remove(task.result[1])
