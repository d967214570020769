"""The pictures that wait, of all folders."""

from __future__ import annotations

import threading
from collections import deque

from impasto.hotfolder.folder import Folder, Order


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
