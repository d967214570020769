"""Hints that something has changed in a folder, from the system where it gives some.

Measured of watchdog: events get lost in bursts, after a folder was renamed away none ever come, and
its threads die in silence. So an event only ever makes a scan come earlier, and the observer is
looked at every moment and made anew when a folder has another identity or a thread has died.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import threading
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from impasto.hotfolder.events import Event, Report, shown
from impasto.hotfolder.folder import Folder

UNTOLD = ("opened", "closed_no_write")
"""Kinds of events that our own reading causes."""

IN_DELETE_SELF = 0x400

PASSING = (errno.ENOENT, errno.EBADF)
"""The folder was renamed away just now, or watchdog is still closing the last observer's files, which
all of a process share: the next call sees more."""

Identity = tuple[int, int]


class Handler(FileSystemEventHandler):
    """Sets a flag. It does nothing that could raise: that would end watchdog's thread."""

    def __init__(self, folder: Folder, stirred: threading.Event) -> None:
        self._ours = tuple(f"{path}{os.sep}" for path in (*folder.excluded, folder.root / ".impasto"))
        self._stirred = stirred

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.src_path)
        if event.event_type not in UNTOLD and not path.startswith(self._ours):
            self._stirred.set()


class Hints:
    """Keeps watchdog's observer on the folders.

    Attributes:
        polling: the system gives no hints, or they are not wanted.
    """

    def __init__(self, folders: list[Folder], stirred: threading.Event, polling: bool, report: Report):
        """
        Args:
            stirred: set when something may have changed.
        """
        self.polling = polling
        self._folders = folders
        self._stirred = stirred
        self._report = report
        self._observer: BaseObserver | None = None
        self._watched: dict[Path, Identity] = {}

    def supervise(self) -> None:
        """Start the observer, or start it anew when it has lost touch; to be called often."""
        if self.polling:
            return
        present = {folder.root: identity(folder.root) for folder in self._folders}
        wanted = {root: found for root, found in present.items() if found}
        well = wanted == self._watched and self._alive()
        try:
            if not well:
                self._start(wanted)
            if exhausted():
                raise OSError(errno.ENOSPC, "inotify watch limit reached")
        except OSError as error:
            self.stop()
            if error.errno not in PASSING:
                self.polling = True
                words = f"The system gives no word of changes ({error.strerror or error})"
                names = ", ".join(shown(folder.root) for folder in self._folders)
                self._report(
                    Event("notice", text=f"{words}; {names} is looked through every few seconds instead.")
                )
        if not well or self.polling:
            self._stirred.set()

    def _start(self, wanted: dict[Path, Identity]) -> None:
        self.stop()
        self._observer = Observer()
        self._observer.start()
        for folder in self._folders:
            if folder.root in wanted:
                handler = Handler(folder, self._stirred)
                self._observer.schedule(handler, str(folder.root), recursive=True)
        self._watched = wanted

    def stop(self) -> None:
        observer, self._observer, self._watched = self._observer, None, {}
        if observer:
            with contextlib.suppress(OSError):  # its own thread may be closing the same files
                observer.stop()
            if observer.is_alive():
                observer.join(2.0)

    def _alive(self) -> bool:
        observer = self._observer
        return bool(observer and observer.is_alive() and all(e.is_alive() for e in observer.emitters))


def exhausted() -> bool:
    """Whether the system has no watch left for one more folder; where a sub-folder gets none, watchdog
    keeps it to itself."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:  # what watchdog has is enough
        return False
    try:
        watch = libc.inotify_add_watch(descriptor, b"/", IN_DELETE_SELF)
        return watch < 0 and ctypes.get_errno() == errno.ENOSPC
    finally:
        os.close(descriptor)


def identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
