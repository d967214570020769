"""The thread that waits for the daemon, so that Krita never does. It touches nothing of Krita's."""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from . import pixels
from .qt import QtCore

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # rpyc is vendored beside the client; an installed one comes first
    sys.path.append(HERE)


class Worker(QtCore.QThread):
    """Takes `look` and `paint`, answers in signals; each job ends with `done` or `failed`.

    Signals:
        state: of the daemon, in words; and whether it runs.
        styles: the daemon's list.
        progress: fraction done, and what is happening.
        done: the job's token, and its pixels as Krita has them.
        failed: the job's token, and one sentence.
    """

    state = QtCore.pyqtSignal(str, bool)
    styles = QtCore.pyqtSignal(object)
    progress = QtCore.pyqtSignal(float, str)
    done = QtCore.pyqtSignal(object, object)
    failed = QtCore.pyqtSignal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self._tasks: queue.Queue[tuple[Any, ...] | None] = queue.Queue()
        self._client: Any = None
        self.stop = threading.Event()

    def look(self, start: bool) -> None:
        """Find the daemon and what it can do; start one if `start`."""
        self._tasks.put(("look", start))

    def paint(self, token: Any, job: str, width: int, height: int, depth: str, data: bytes) -> None:
        self.stop.clear()
        self._tasks.put(("paint", token, job, width, height, depth, data))

    def end(self) -> None:
        """Cancel what is under way, and end the thread."""
        self.stop.set()
        self._tasks.put(None)
        self.wait(5000)

    def run(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                break
            token = task[1] if task[0] == "paint" else None
            try:
                self._connect(start=task[0] == "paint" or task[1])
                if token is not None:
                    self.done.emit(token, self._paint(*task[2:]))
            except Exception as error:  # whatever it is, the docker must come back to life
                self._report(token, error)
        if self._client is not None:
            self._client.close()

    def _connect(self, start: bool) -> None:
        from .client import connect  # pyright: ignore[reportMissingImports] - copied at install time

        if self._client is not None:
            try:
                self._client.status()
                return
            except Exception:  # it went since, whatever way
                self._client = None
        if start:
            self.state.emit("Starting the Impasto daemon…", False)
        self._client = connect(start=start)
        self.styles.emit(self._client.catalogue()["styles"])
        self.state.emit("The Impasto daemon is ready.", True)

    def _paint(self, job: str, width: int, height: int, depth: str, data: bytes) -> bytes:
        wire = pixels.swapped(data, depth)
        meta = pixels.meta(width, height, depth)
        _, result = self._client.run(job, meta, wire, self.progress.emit, self.stop)
        return bytes(pixels.swapped(result, depth))

    def _report(self, token: Any, error: Exception) -> None:
        from .client import ClientError, JobFailed  # pyright: ignore[reportMissingImports]

        known = isinstance(error, ClientError)
        sentence = str(error) if known else f"Impasto's plug-in failed ({error!r}); please report it."
        if not known:
            traceback.print_exc()
        if getattr(error, "name", "") == "Cancelled":
            sentence = "Cancelled; nothing was changed."
        elif not isinstance(error, JobFailed):
            self._client = None
            self.state.emit(sentence, False)
        if token is not None:
            self.failed.emit(token, sentence)
