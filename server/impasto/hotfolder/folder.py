"""One watched folder: its lock, journal and recipe, and which of its pictures are due."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from impasto.backends.lock import Lock
from impasto.errors import UsageError
from impasto.hotfolder import publication
from impasto.hotfolder.events import Event, Report, Trouble, shown
from impasto.hotfolder.journal import Journal, Row
from impasto.hotfolder.recipe import Recipe
from impasto.hotfolder.settings import OUTPUT, RECIPE, Settings, state_folder
from impasto.hotfolder.tree import (
    State,
    is_picture,
    mask_of,
    names_beside,
    state_of,
    state_with_mask,
    walk,
)
from impasto.job import Job

PATIENCE = 15
"""So many times the settle time, a file may be damaged or changing before it is given up."""
TRIES = 4
"""Times that a damaged file is read, with growing pauses, in case the rest of it is to come."""


@dataclass(eq=False)
class Order:
    """A picture on its way through the pipeline.

    Attributes:
        source: path relative to the folder.
        tries: how often its file was found damaged.
        job: as it was when the file was read; `jobs` is what it means for this picture.
        data, mask: of the picture and of the mask beside it, if any, until it is painted.
        painted: a painting for each of `jobs`.
        heard: what progress said of it.
        began: `time.monotonic()` at which painting began.
        running: the journal says that it is being painted.
        counted: whether the journal counts this as an attempt already.
    """

    folder: Folder
    source: str
    state: State
    tries: int
    job: Job | None = None
    jobs: tuple[Job, ...] = ()
    data: bytes = b""
    mask: bytes = b""
    painted: list[publication.Painted] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    began: float = 0.0
    running: bool = False
    counted: bool = False

    @property
    def path(self) -> Path:
        return self.folder.root / self.source


@dataclass
class Waiting:
    """A file that is to come to rest, or, `again`, to be tried once more, at `due` (`time.monotonic()`)."""

    state: State
    due: float
    first: float
    tries: int = 0
    again: bool = False


class Folder:
    """All methods can be called from any thread, once it is open.

    Attributes:
        root: of the pictures.
        place: of the paintings.
        job: of now.
        trouble: why it cannot go on, or "".
        resume_at: when to see whether it can again, in `time.monotonic()`.
    """

    def __init__(self, root: Path, place: Path, settings: Settings, report: Report) -> None:
        self.root = root
        self.place = place
        self.settings = settings
        self.excluded = {place, root / OUTPUT}
        self.job = Job()
        self.trouble = "it is not open yet"
        self.resume_at = 0.0
        self._report = report
        file = settings.recipe or root / RECIPE
        self.recipe = Recipe(file, settings.recipe is not None, settings.options, settings.settle)
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._held: Lock | None = None
        self._identity = (0, 0)
        self._waiting: dict[str, Waiting] = {}
        self._pending: set[str] = set()
        self._odd: set[Path] = set()
        self._named: set[Path] | None = None
        self._only: set[str] | None = None
        self._repaint = settings.repaint
        self._told = ""
        self._soon = False
        self._delay = 1.0

    def open(self) -> None:
        """Take the lock and bring the journal in line with what a killed watcher left.

        Raises:
            JobError: the recipe is wrong.
            UsageError: it is no folder, or somebody else watches it.
            Trouble: it cannot be written to.
        """
        self.job = self.recipe.job()
        if not self.root.is_dir():
            raise Trouble(f"{shown(self.root)} has gone; it is watched again when it is back.")
        status = self.root.stat()
        self._identity = (status.st_dev, status.st_ino)
        own = state_folder(self.root, self.settings.state)
        try:
            own.mkdir(parents=True, exist_ok=True)
            self._held = Lock(own / "lock")
        except OSError as error:
            raise Trouble(
                f"The journal cannot be kept in {shown(own)} ({error.strerror}); "
                "choose another place with --state."
            ) from None
        try:
            if not self._taken(self._held):
                raise UsageError(
                    f"{shown(self.root)} is watched already by another program; stop that first."
                )
            self._journal = Journal(own / "journal.sqlite", self.root)
            self._prepare()
        except BaseException:
            self.close()
            raise
        self.trouble = ""
        if self._soon:
            self._relieved()

    def _taken(self, lock: Lock) -> bool:
        if lock.acquire():
            return True
        time.sleep(0.1)  # it may only be `summary`, trying whether it is held
        return lock.acquire()

    def _prepare(self) -> None:
        with publication.writing(self.place):
            self.place.mkdir(parents=True, exist_ok=True)
            for row in publication.recover(self.journal):
                for target in row.targets:
                    self._report(Event("painted", self.root, self.root / row.path, target, 0.0))
            publication.sweep(self.place, self.journal.tag)
            draft, _ = publication.make_draft(self.place, self.place, self.journal.tag, b"is it writable?")
            draft.unlink()
        self._named = None  # to this journal, which may be a new one
        self.journal.add_place(self.place)
        if self.settings.move:
            for name in ("processed", "failed"):
                self.journal.add_place(self.root / name)
        self.excluded |= self.journal.places()
        if self._repaint:
            self._repaint = False  # not once more after each trouble
            for row in self.journal.ended("failed"):
                self.journal.again(row.path, forget=True)
            for row in self.journal.ended("painted"):
                if not row.targets or None in map(state_of, row.targets):
                    self.journal.again(row.path, forget=True)

    def close(self) -> None:
        """Give up lock and journal."""
        if self._journal:
            self._journal.close()
        held, self._held = self._held, None
        if held:
            held.release()

    @property
    def journal(self) -> Journal:
        assert self._journal, "the folder is not open"
        return self._journal

    @property
    def busy(self) -> bool:
        """Whether a picture waits in line or is under way."""
        return bool(self._pending)

    @property
    def left(self) -> int:
        """How many pictures are known to be still to paint."""
        return len(self._pending) + len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the first waiting file may be ready, in `time.monotonic()`."""
        with self._lock:
            return min((waiting.due for waiting in self._waiting.values()), default=None)

    def fall_into(self, trouble: str, soon: bool = False) -> None:
        """Stop until the trouble is over; says so once.

        Args:
            soon: see at every moment whether it is over; else after a pause that grows to 30 s, as
                it shows itself only when a painting has been published.
        """
        if trouble != self._told:
            self._told = trouble
            self._report(Event("notice", self.root, text=trouble))
        self.trouble, self._soon = trouble, soon
        self.resume_at = 0.0 if soon else time.monotonic() + self._delay
        if not soon:
            self._delay = min(self._delay * 2, 30.0)

    def _relieved(self) -> None:
        if self._told:
            self._told = ""
            self._report(Event("notice", self.root, text=f"{shown(self.root)} is well again."))
        self._delay = 1.0

    def moved(self) -> bool:
        """Whether the folder is no longer the one that was opened."""
        try:
            status = self.root.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def scan(self) -> list[Order]:
        """Look at every file; the pictures that are due, in order, each once until it has ended.

        Raises:
            JobError: the recipe is wrong.
            Trouble: the folder or the journal cannot be read.
        """
        self.job = self.recipe.job()
        if self._named != self.recipe.files:
            self.journal.name(self.recipe.files)
            self._named = set(self.recipe.files)
        recipe = self.job.to_json()
        orders: list[Order] = []
        found: set[str] = set()
        first = self.settings.once and self._only is None
        try:
            for source, state in walk(self.root, self.excluded | self.recipe.files, self._tell_odd):
                if not first and self._only is not None and source not in self._only:
                    continue
                found.add(source)
                if source in self._pending or self._is_done(source, state, recipe):
                    continue
                order = self._order_of(source, state)
                if order:
                    orders.append(order)
        except OSError as error:
            raise Trouble(
                f"{shown(self.root)} cannot be read ({error.strerror}); it is tried again."
            ) from None
        with self._lock:
            if first:
                self._only = found
            for source in self._waiting.keys() - found:
                del self._waiting[source]
        return orders

    def _is_done(self, source: str, state: State, recipe: str) -> bool:
        row = self.journal.row(source)
        if not row or not row.done or row.key != state.key:
            return False
        if self.settings.repaint and row.recipe != recipe:
            return False
        if self.settings.move:
            self._put_away(row, state)
        return True

    def _put_away(self, row: Row, state: State) -> None:
        failed = row.state == "failed"
        path = self.root / row.path
        try:
            if state_with_mask(path) == state:
                place = "failed" if failed else "processed"
                publication.put_away(self.root, place, row.path)
                mask = mask_of(path)
                # It may be another picture's mask too: a.jpg beside a.tif.
                if state.mask and not any(map(is_picture, names_beside(path))):
                    publication.put_away(self.root, place, os.path.relpath(mask, self.root))
        except OSError as error:
            self._tell_odd(path, f"it cannot be moved ({error.strerror}) and stays where it is")

    def _tell_odd(self, path: Path, why: str = "it is a link or no regular file") -> None:
        if path not in self._odd:
            self._odd.add(path)
            self._report(Event("skipped", self.root, path, text=f"{shown(path)} is left alone: {why}."))

    def _order_of(self, source: str, state: State) -> Order | None:
        now = time.monotonic()
        with self._lock:
            waiting = self._waiting.get(source)
            if waiting is None or waiting.state != state:
                first = waiting.first if waiting else now
                waiting = self._waiting[source] = Waiting(state, now + self.settings.settle, first)
            if now >= waiting.due:
                del self._waiting[source]
                self._pending.add(source)
                return Order(self, source, state, waiting.tries)
            patience = self.settings.settle * PATIENCE
            if self._only is None or waiting.again or now - waiting.first <= patience:
                return None
            del self._waiting[source]
            self._only.discard(source)
        self._tell_odd(self.root / source, "it is still being written")
        return None

    def end(self, order: Order) -> None:
        """An order has come to its end; its picture is looked at again by the next scan."""
        self._relieved()
        with self._lock:
            self._pending.discard(order.source)

    def drop(self, order: Order, attempt: int = 0, delay: float | None = None, tries: int = 0) -> None:
        """An order has come to no end: its picture is ready again, after `delay` seconds if given.

        Args:
            attempt: is added to the journal's count of attempts.
            tries: see `Order`.
        """
        if order.running and not self.trouble:
            try:
                self.journal.again(order.source, attempt)
            except Trouble as trouble:
                self.fall_into(str(trouble))
        now = time.monotonic()
        with self._lock:
            self._pending.discard(order.source)
            if delay is not None:
                self._waiting[order.source] = Waiting(order.state, now + delay, now, tries, again=True)
