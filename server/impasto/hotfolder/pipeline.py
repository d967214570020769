"""From file to painting: one thread reads the next picture and one publishes the last while a third
paints. Between them wait at most two, so that memory does not grow with the folder."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from impasto.backends import Backend, Parcel, Progress, enclose
from impasto.errors import (
    Cancelled,
    DaemonError,
    ImpastoError,
    ModelMissing,
    OutOfMemory,
    UnreadablePicture,
)
from impasto.hotfolder import publication
from impasto.hotfolder.events import Event, Report, Trouble, shown
from impasto.hotfolder.folder import PATIENCE, TRIES, Folder, Order
from impasto.hotfolder.tree import Changed, read

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""Times that the painting process may die with a picture before the picture gets the blame."""

BEFORE = {"", "waiting", "starting", "warming up"}
"""What progress says before a picture is touched: who dies then, has not died of the picture."""

EXCUSES = 5
"""Such deaths that are overlooked, as a quick death leaves no time to tell of the picture."""

IDLE = 30.0
"""Seconds without work after which a connection is not trusted to be alive."""

GRACE = 5.0
"""Seconds that the threads have to end; a step that takes longer is cut off, as by a kill."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to reach the daemon."""


class Unreachable(Exception):
    """There is nobody to paint; the picture has nothing to do with it."""

    def __init__(self, error: ImpastoError) -> None:
        super().__init__(str(error))
        self.error = error


class Backlog:
    """The orders that wait, handed out in turn from each folder that has some."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[Folder, deque[Order]] = {}
        self._closed = False

    def put(self, orders: list[Order]) -> None:
        with self._changed:
            for order in orders:
                self._lines.setdefault(order.folder, deque()).append(order)
            self._changed.notify_all()

    def take(self) -> Order | None:
        """The next order; waits for one. None when the backlog is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._lines)
            if self._closed:
                return None
            folder = next(iter(self._lines))
            line = self._lines.pop(folder)
            order = line.popleft()
            if line:
                self._lines[folder] = line  # at the end: the other folders come first
            return order

    def purge(self, folder: Folder) -> None:
        """Drop what waits of a folder."""
        with self._changed:
            for order in self._lines.pop(folder, ()):
                folder.drop(order)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Pipeline:
    """Three threads.

    Attributes:
        tally: how many pictures were "painted", "failed", "skipped".
        fatal: why painting cannot go on at all, when `once` forbids to wait for better times.
        fraction: of the picture that is painted now, 0 to 1.
    """

    def __init__(
        self,
        connect: Callable[[], Backend],
        own_process: bool,
        once: bool,
        report: Report,
        stirred: threading.Event,
    ) -> None:
        """
        Args:
            connect: opens the backend; called again after it was lost.
            own_process: the backend paints in this process, which may die of a picture.
            once: give up after three attempts to reach the backend.
            stirred: set when a scan would find something to do.
        """
        self.backlog = Backlog()
        self.tally: Counter[str] = Counter()
        self.fatal: ImpastoError | None = None
        self.fraction = 0.0
        self._connect = connect
        self._own_process = own_process
        self._once = once
        self._report = report
        self._stirred = stirred
        self._stop = threading.Event()
        self._backend: Backend | None = None
        self._used = 0.0
        self._stumbles = 0
        self._suspects: set[tuple[Folder, str]] = set()
        self._excused: Counter[tuple[Folder, str]] = Counter()
        self._heard: set[str] = set()
        self._to_paint: queue.Queue[Order | None] = queue.Queue(1)
        self._to_publish: queue.Queue[Order | None] = queue.Queue(1)
        self._threads = [
            threading.Thread(target=work, name=f"hotfolder-{work.__name__[1:]}", daemon=True)
            for work in (self._reading, self._painting, self._publishing)
        ]
        for thread in self._threads:
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

    def _reading(self) -> None:
        while order := self.backlog.take():
            if self._guarded(order, self._read):
                self._to_paint.put(order)
        self._to_paint.put(None)

    def _painting(self) -> None:
        while order := self._to_paint.get():
            if self._guarded(order, self._paint):
                self._to_publish.put(order)
        self._to_publish.put(None)
        self._hang_up()

    def _publishing(self) -> None:
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
        order.data = b""
        if not folder.busy or folder.settings.move:  # not for each: a scan of many files takes its time
            self._stirred.set()
        return False

    def _read(self, order: Order) -> bool:
        folder = order.folder
        order.job = job = folder.job
        order.data = read(order.path, order.state)
        digest = hashlib.blake2b(order.data, digest_size=16).digest()
        row, recipe = folder.journal.row(order.source), job.to_json()
        if row and row.digest == digest and row.recipe == recipe:
            if row.state == "painted":
                folder.journal.same(order.source, order.state.key)
                self.tally["skipped"] += 1
                text = f"{shown(order.path)} is as it was when it was painted."
                self._report(Event("skipped", folder.root, order.path, row.target, text=text))
                return False
            if row.attempts >= ATTEMPTS:
                raise ImpastoError(f"Painting “{shown(order.path.name)}” ended the program {ATTEMPTS} times.")
        folder.journal.begin(order.source, order.state.key, digest, recipe, self._own_process)
        order.running, order.counted = True, self._own_process
        return True

    def _paint(self, order: Order) -> bool:
        assert order.job
        order.began = time.monotonic()
        self._heard = set()
        backend = self._open()
        parcel = Parcel(order.data, {"kind": "file", "name": shown(order.path.name)})
        result = backend.run(*enclose(order.job, parcel), self._progress())
        order.data, order.format = result.data, result.meta["format"]
        self._used, self._stumbles = time.monotonic(), 0
        self._suspects.clear()
        self._excused.pop((order.folder, order.source), None)
        return True

    def _progress(self) -> Progress:
        def progress(fraction: float, what: str) -> None:
            self.fraction = fraction
            self._heard.add(what)
            if self._stop.is_set():
                raise Cancelled("The painting was cancelled.")

        return progress

    def _publish(self, order: Order) -> bool:
        assert order.job
        folder, journal = order.folder, order.folder.journal
        with publication.writing(folder.place):
            names = publication.candidates(order.source, folder.place, order.job, order.format)
            target = next(name for name in names if publication.is_free(name, order.source, journal))
            draft, state = publication.make_draft(target.parent, folder.place, journal.tag, order.data)
            try:
                journal.publishing(order.source, target, draft, state)
                publication.put(draft, target)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
        seconds = time.monotonic() - order.began
        journal.painted(order.source, seconds)
        for base in (folder.root, folder.place):
            publication.remove_error_note(base, order.source)
        self.tally["painted"] += 1
        self.fraction = 0.0
        self._report(Event("painted", folder.root, order.path, target, seconds))
        return False

    def _on_error(self, order: Order, error: Exception) -> None:
        folder = order.folder
        if isinstance(error, Unreachable | ModelMissing):
            folder.drop(order, attempt=-order.counted, delay=0.0)
            return self._stumble(error.error if isinstance(error, Unreachable) else error)
        if isinstance(error, DaemonError):
            return self._on_loss(order, error)
        if isinstance(error, UnreadablePicture) and order.tries < TRIES and self._is_young(order):
            pause = folder.settings.settle * 2**order.tries
            return folder.drop(order, -order.counted, pause, order.tries + 1)
        if isinstance(error, MemoryError):
            error = OutOfMemory("There is not enough memory for this picture; use a smaller one.")
        elif not isinstance(error, ImpastoError):
            log.error("A picture met a fault", exc_info=error)
            error = ImpastoError(f"It met a fault in Impasto ({type(error).__name__}: {error}).")
        return self._fail(order, error)

    def _on_loss(self, order: Order, error: DaemonError) -> None:
        """The painting process or the daemon died with a picture, by its doing or not."""
        folder = order.folder
        self._hang_up()
        row = folder.journal.row(order.source)
        attempts = 1 + (row.attempts if row else 0)
        self._suspects.add((folder, order.source))
        if len(self._suspects) >= ATTEMPTS:
            # It fails with one picture after another: they are not to blame.
            for suspect, source in self._suspects:
                suspect.journal.again(source, forget=True)
            self._suspects.clear()
            folder.drop(order, delay=0.0)
            self._stumble(error)
        elif not self._heard - BEFORE - {str(error)} and self._excused[folder, order.source] < EXCUSES:
            self._excused[folder, order.source] += 1
            folder.drop(order, delay=0.25)
        elif attempts < ATTEMPTS:
            folder.drop(order, attempt=1, delay=0.25 * 2**attempts)
        else:
            self._fail(order, type(error)(f"{error} That was attempt {attempts} of {ATTEMPTS}."))

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
        self.fraction = 0.0
        self._report(Event("failed", folder.root, order.path, text=sentence, error=error.name))

    def _open(self) -> Backend:
        if self._backend and time.monotonic() - self._used > IDLE:
            self._hang_up()
        if self._backend is None:
            try:
                self._backend = self._connect()
            except ImpastoError as error:
                raise Unreachable(error) from None
            self._used = time.monotonic()
        return self._backend

    def _hang_up(self) -> None:
        backend, self._backend = self._backend, None
        if backend:
            backend.close()

    def _stumble(self, error: ImpastoError) -> None:
        """Painting itself does not work: pause, or give up."""
        self._stumbles += 1
        if self._once and self._stumbles >= ATTEMPTS:
            self.fatal = error
            self._stop.set()
            return
        if self._stumbles == 1:
            self._report(Event("notice", text=f"{error} Painting goes on when that is over."))
        self._stop.wait(min(0.25 * 2**self._stumbles, LONGEST_PAUSE))
