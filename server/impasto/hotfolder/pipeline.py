"""From file to painting: one thread reads the next picture, some paint, and one publishes. Between
them wait at most two, so that memory does not grow with the folder."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable

from impasto.backends import Backend, Unreachable
from impasto.errors import (
    Cancelled,
    DaemonError,
    ImpastoError,
    ModelMissing,
    OutOfMemory,
    UnreadablePicture,
)
from impasto.hotfolder import publication
from impasto.hotfolder.backlog import Backlog
from impasto.hotfolder.events import Event, Report, Trouble, shown
from impasto.hotfolder.folder import PATIENCE, TRIES, Order
from impasto.hotfolder.lane import Lane
from impasto.hotfolder.losses import ATTEMPTS, Losses
from impasto.hotfolder.tree import Changed, mask_of, read
from impasto.styles.references import ATTACHMENT, limited

log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds that the threads have to end; a step that takes longer is cut off, as by a kill."""


class Pipeline:
    """The threads.

    Attributes:
        tally: how many pictures were "painted", "failed", "skipped", and how many "paintings" came of them.
    """

    def __init__(
        self,
        connect: Callable[[], Backend],
        lanes: Callable[[], int],
        own_process: bool,
        once: bool,
        report: Report,
        stirred: threading.Event,
    ) -> None:
        """
        Args:
            connect: opens the backend; called for each lane, and again after it was lost.
            lanes: how many pictures can be painted at a time; asked again by `grow`.
            own_process: the backend paints in this process, which may die of a picture.
            once: give up after three attempts to reach the backend.
            report: told of what happens.
            stirred: set when a scan would find something to do.
        """
        self.backlog = Backlog()
        self.tally: Counter[str] = Counter()
        self._own_process = own_process
        self._report = report
        self._stirred = stirred
        self._stop = threading.Event()
        self._losses = Losses(once, self._stop, report)
        self._connect = connect
        self._wanted = lanes
        self._lanes: list[Lane] = []
        self._to_paint: queue.Queue[Order | None] = queue.Queue(1)
        self._to_publish: queue.Queue[Order | None] = queue.Queue(1)
        self._threads: list[threading.Thread] = []
        self._start(self._reading)
        self.grow()
        self._start(self._publishing)

    def grow(self) -> None:
        """Paint as many pictures at a time as the backend can by now; never fewer than before."""
        while len(self._lanes) < self._wanted() and not self._stop.is_set():
            lane = Lane(self._connect, self._stop)
            self._lanes.append(lane)
            self._losses.lanes = len(self._lanes)
            self._start(lambda lane=lane: self._painting(lane))

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="hotfolder", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """End soon: what is being painted is cancelled, what is painted already is published."""
        self._stop.set()
        self.backlog.close()
        deadline = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    @property
    def fatal(self) -> ImpastoError | None:
        """Why painting cannot go on at all, when `once` forbids to wait for better times."""
        return self._losses.fatal

    @property
    def fraction(self) -> float:
        """Of the pictures that are painted now, each counting 1."""
        return sum(lane.fraction for lane in self._lanes)

    def _reading(self) -> None:
        while order := self.backlog.take():
            if self._guarded(order, self._read):
                self._to_paint.put(order)
        for _ in self._lanes:
            self._to_paint.put(None)

    def _painting(self, lane: Lane) -> None:
        def paint(order: Order) -> bool:
            return self._paint(order, lane)

        while order := self._to_paint.get():
            if self._guarded(order, paint):
                self._to_publish.put(order)
        self._to_publish.put(None)
        lane.hang_up()

    def _publishing(self) -> None:
        for _ in self._lanes:
            while order := self._to_publish.get():
                self._guarded(order, self._publish)

    def _guarded(self, order: Order, work: Callable[[Order], bool]) -> bool:
        """Do one step; whatever happens, the picture is accounted for. True if the next may follow."""
        folder = order.folder
        try:
            if folder.trouble or (self._stop.is_set() and work != self._publish):
                raise Changed
            if work(order):
                return True
            folder.end(order)
        except (Changed, Cancelled):
            folder.drop(order, attempt=-order.counted)
        except Trouble as trouble:
            folder.fall_into(str(trouble))
            folder.drop(order)
        except Exception as error:  # one picture's fault, be it ours, must not end the night shift
            try:
                self._on_error(order, error)
            except Trouble as trouble:
                folder.fall_into(str(trouble))
                folder.drop(order)
        order.data = order.mask = b""
        order.painted.clear()
        if not folder.busy or folder.settings.move:  # not for each: a scan of many files takes its time
            self._stirred.set()
        return False

    def _read(self, order: Order) -> bool:
        folder = order.folder
        order.job = job = folder.job
        order.data = read(order.path, order.state._replace(mask=None))
        digest = hashlib.blake2b(order.data, digest_size=16)
        order.jobs = job.for_picture(digest.digest())
        if order.state.mask:
            order.mask = read(mask_of(order.path), order.state.mask)
            digest.update(order.mask)
            order.jobs = tuple(limited(job, f"{ATTACHMENT}0") for job in order.jobs)
        digest = digest.digest()
        row, recipe = folder.journal.row(order.source), job.to_json()
        if row and row.digest == digest and row.recipe == recipe:
            if row.state == "painted":
                folder.journal.same(order.source, order.state.key)
                self.tally["skipped"] += 1
                text = f"{shown(order.path)} is as it was when it was painted."
                target = next(iter(row.targets), None)
                self._report(Event("skipped", folder.root, order.path, target, text=text))
                return False
            if row.attempts >= ATTEMPTS:
                raise ImpastoError(f"Painting “{shown(order.path.name)}” ended the program {ATTEMPTS} times.")
        folder.journal.begin(order.source, order.state.key, digest, recipe, self._own_process)
        order.running, order.counted = True, self._own_process
        return True

    def _paint(self, order: Order, lane: Lane) -> bool:
        order.began = time.monotonic()
        lane.paint(order)
        self._losses.none_with(order)
        return True

    def _publish(self, order: Order) -> bool:
        folder, journal = order.folder, order.folder.journal
        with publication.writing(folder.place):
            targets = publication.publish_all(order.source, folder.place, journal, order.painted)
        journal.painted(order.source, time.monotonic() - order.began)
        for base in (folder.root, folder.place):
            publication.remove_error_note(base, order.source)
        self.tally["painted"] += 1
        self.tally["paintings"] += len(targets)
        for target, painted in zip(targets, order.painted, strict=True):
            self._report(Event("painted", folder.root, order.path, target, painted.seconds))
        return False

    def _on_error(self, order: Order, error: Exception) -> None:
        folder = order.folder
        if isinstance(error, Unreachable | ModelMissing):
            folder.drop(order, attempt=-order.counted, delay=0.0)
            return self._losses.stumble(error.error if isinstance(error, Unreachable) else error)
        # A shortage may be the doing of another one.
        passing = (DaemonError,) if self._own_process else (DaemonError, OutOfMemory)
        if isinstance(error, passing):
            return self._losses.one_with(order, error, self._fail)
        if isinstance(error, UnreadablePicture) and order.tries < TRIES and self._is_young(order):
            pause = folder.settings.settle * 2**order.tries
            return folder.drop(order, -order.counted, pause, order.tries + 1)
        if isinstance(error, MemoryError):
            error = OutOfMemory("There is not enough memory for this picture; use a smaller one.")
        elif not isinstance(error, ImpastoError):
            log.error("A picture met a fault", exc_info=error)
            error = ImpastoError(f"It met a fault in Impasto ({type(error).__name__}: {error}).")
        return self._fail(order, error)

    def _is_young(self, order: Order) -> bool:
        """Whether the rest of the file may still be on its way."""
        age = time.time() - order.state.mtime_ns / 1e9
        return age < PATIENCE * order.folder.settings.settle

    def _fail(self, order: Order, error: ImpastoError) -> None:
        folder = order.folder
        sentence = shown(str(error))
        base = folder.root if folder.settings.move else folder.place
        publication.write_error_note(base, order.source, sentence)
        job = order.job or folder.job
        folder.journal.failed(order.source, order.state.key, job.to_json(), sentence)
        folder.end(order)
        self.tally["failed"] += 1
        self._report(Event("failed", folder.root, order.path, text=sentence, error=error.name))
