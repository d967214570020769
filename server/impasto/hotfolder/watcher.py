"""The watcher: several folders, one pipeline, and the loop that looks after them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from impasto.backends import Backend, Progress
from impasto.errors import ImpastoError, JobError, UnwritablePicture, UsageError
from impasto.hotfolder import register
from impasto.hotfolder.events import Report, Trouble, shown
from impasto.hotfolder.folder import Folder
from impasto.hotfolder.hints import Hints
from impasto.hotfolder.pipeline import Pipeline
from impasto.hotfolder.settings import OUTPUT, Settings

TICK = 0.25
"""Seconds between two looks at the folders themselves: are they there, is the recipe as it was."""

LEAST = 0.25
"""Seconds between two scans, however many hints come."""

SHARE = 20
"""So many times longer than a scan takes, the next waits: looking must not crowd out painting."""

INTERVAL, POLL = 30.0, 5.0
"""Seconds between two scans without a hint, where the system gives some and where it gives none."""


def places(roots: list[Path], output: Path | None) -> dict[Path, Path]:
    """Each folder to watch, and where its paintings go.

    Raises:
        UsageError: one is missing or no folder, or they would feed each other.
    """
    found: list[Path] = []
    for root in roots:
        path = root.resolve()
        if not path.is_dir():
            is_what = "is no folder" if path.exists() else "does not exist"
            raise UsageError(f"{shown(root)} {is_what}; name a folder of pictures.")
        found.append(path)
    for path in found:
        for other in found:
            if path is not other and path.is_relative_to(other):
                raise UsageError(
                    f"{shown(path)} lies in {shown(other)}, which is watched too; name only that."
                )
    if output is None:
        return {path: path / OUTPUT for path in found}
    output = output.resolve()
    wanted = {path: output / path.name if len(found) > 1 else output for path in found}
    if len(set(wanted.values())) < len(found):
        raise UsageError("Two of the folders have the same name; give each an output of its own.")
    for path in found:
        for place in wanted.values():
            if path.is_relative_to(place):
                raise UsageError(
                    f"Paintings in {shown(place)} could come back as pictures of {shown(path)}; "
                    "choose a folder within or elsewhere with -o."
                )
    return wanted


class Watcher:
    """Watches folders.

    Attributes:
        folders: that are watched.
        pipeline: once it runs.
        troubles: with `once`, why folders had to be left; known when `run` has ended.
    """

    def __init__(
        self,
        roots: list[Path],
        settings: Settings,
        connect: Callable[[], Backend],
        report: Report = lambda event: None,
        progress: Progress = lambda fraction, what: None,
        lanes: Callable[[], int] = lambda: 1,
        own_process: bool = False,
        poll: bool = False,
        interval: float | None = None,
    ) -> None:
        """
        Args:
            roots: folders to watch.
            connect: opens the backend that paints; called for each lane, and again after it was lost.
            report: told of what happens.
            progress: told of how far all is, several times a second.
            lanes: how many pictures the backend can paint at a time; asked now and then.
            own_process: the backend paints in this process.
            poll: do without the system's hints, which network shares do not give.
            interval: seconds between two scans that no hint asks for.

        Raises:
            UsageError: see `places`.
        """
        self._settings = settings
        self._connect = connect
        self._report = report
        self._progress = progress
        self._lanes = lanes
        self._own_process = own_process
        self._interval = interval
        self._stirred = threading.Event()
        self._stop = threading.Event()
        wanted = places(roots, settings.output)
        self.folders = [Folder(root, place, settings, report) for root, place in wanted.items()]
        for folder in self.folders:
            folder.excluded |= set(wanted.values())
        # What is there is found by scans; hints would only tell of what comes.
        self._hints = Hints(self.folders, self._stirred, poll or settings.once, report)
        self.pipeline: Pipeline
        self.troubles: list[ImpastoError] = []

    def run(self) -> None:
        """Watch until interrupted or stopped, or, with `once`, until all that was there has been painted.

        Raises:
            UsageError: a folder is watched by another program.
            UnwritablePicture: it cannot be written to.
            JobError: its recipe is wrong, and nothing else is to do.
            DaemonError: with `once`, the daemon cannot be reached.
        """
        try:
            for folder in self.folders:
                self._first_open(folder)
            self._hints.supervise()
            self.pipeline = Pipeline(
                self._connect,
                self._lanes,
                self._own_process,
                self._settings.once,
                self._report,
                self._stirred,
            )
            notes = [register.note(folder.root, self._settings.state) for folder in self.folders]
            try:
                self._watch()
            finally:
                for note in filter(None, notes):
                    note.unlink(missing_ok=True)
                self.pipeline.stop()
        finally:
            self._hints.stop()
            for folder in self.folders:
                folder.close()

    def stop(self) -> None:
        """Have `run` end soon; can be called from any thread."""
        self._stop.set()
        self._stirred.set()

    def _first_open(self, folder: Folder) -> None:
        try:
            folder.open()
        except JobError as error:
            if self._settings.once and len(self.folders) == 1:
                raise
            self._fall(folder, error)
        except Trouble as trouble:
            raise UnwritablePicture(str(trouble)) from None

    def _watch(self) -> None:
        scan_at = earliest = 0.0
        while self.pipeline.fatal is None:
            if self._stop.is_set():
                return
            if not self.pipeline.alive:
                raise ImpastoError("The watcher met a fault in Impasto; start it again, nothing is lost.")
            for folder in self.folders:
                self._look_after(folder)
            self._hints.supervise()
            self.pipeline.grow()
            quiet = not any(folder.busy for folder in self.folders)
            began = time.monotonic()
            if began >= scan_at:
                self._stirred.clear()
                self._scan()
                took = time.monotonic() - began
                earliest = began + max(LEAST, SHARE * took)
                usual = POLL if self._hints.polling else INTERVAL
                scan_at = began + max(self._interval or usual, SHARE * took)
                if self._settings.once and quiet and self._nothing_left():
                    return
            stirred = self._stirred.wait(TICK)
            dues = [due for folder in self.folders if not folder.trouble and (due := folder.next_due)]
            if stirred:
                scan_at = min(scan_at, earliest)
                time.sleep(min(TICK, max(0.0, earliest - time.monotonic())))
            scan_at = max(min([scan_at, *dues]), earliest)
            self._tell_progress()
        raise self.pipeline.fatal

    def _scan(self) -> None:
        for folder in self.folders:
            if folder.trouble:
                continue
            try:
                orders = folder.scan()
            except (JobError, Trouble) as error:
                self._fall(folder, error)
            else:
                self.pipeline.backlog.put(orders)

    def _look_after(self, folder: Folder) -> None:
        """See whether a folder is well, and whether one in trouble is well again."""
        if not folder.trouble:
            try:
                if folder.moved():
                    words = f"{shown(folder.root)} has gone; it is watched again when it is back."
                    raise Trouble(words)
                folder.job = folder.recipe.job()
            except (JobError, Trouble) as error:
                self._fall(folder, error)
            return
        self.pipeline.backlog.purge(folder)
        if folder.busy or time.monotonic() < folder.resume_at or self._settings.once:
            return
        folder.close()
        try:
            folder.open()
        except (JobError, UsageError, Trouble) as error:
            self._fall(folder, error)
        else:
            self._stirred.set()

    def _fall(self, folder: Folder, error: Exception) -> None:
        # A recipe or a folder that comes back is seen at once; what else there is, not too often.
        soon = isinstance(error, JobError) or not folder.root.is_dir()
        folder.fall_into(str(error), soon)

    def _nothing_left(self) -> bool:
        """Whether all folders have come to their end."""
        for folder in self.folders:
            if folder.busy or (not folder.trouble and folder.next_due is not None):
                return False
        self.troubles = [UnwritablePicture(f.trouble) for f in self.folders if f.trouble]
        return True

    def _tell_progress(self) -> None:
        tally = self.pipeline.tally
        ended = tally.total()
        waiting = sum(folder.left for folder in self.folders)
        total = max(ended + waiting, 1)
        words = f"{ended} of {total}"
        self._progress(min((ended + self.pipeline.fraction) / total, 1.0), words)
