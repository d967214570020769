"""One of those who paint, with a connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from impasto.backends import Backend, Parcel, Unreachable, enclose
from impasto.errors import Cancelled, DaemonError, ImpastoError, UnreadablePicture
from impasto.hotfolder.events import Trouble, shown
from impasto.hotfolder.folder import Order
from impasto.hotfolder.publication import Painted
from impasto.hotfolder.tree import mask_of

IDLE = 30.0
"""Seconds without work after which a connection is not trusted to be alive."""


class Lane:
    """Paints one picture at a time, all that the recipe wants of it.

    Attributes:
        fraction: of the picture that is painted now, 0 to 1.
    """

    def __init__(self, connect: Callable[[], Backend], stop: threading.Event) -> None:
        self.fraction = 0.0
        self._connect = connect
        self._stop = stop
        self._backend: Backend | None = None
        self._used = 0.0

    def paint(self, order: Order) -> None:
        """Paint a picture, and put the paintings into the order.

        Raises:
            Unreachable: there is no backend.
            Cancelled: the end has come.
            DaemonError: the backend was lost.
            Trouble: a file that the recipe names cannot be read.
            ImpastoError: any that painting raises.
        """
        try:
            self._paint(order, self._open())
        except DaemonError:
            self.hang_up()
            raise
        finally:
            self.fraction = 0.0
        self._used = time.monotonic()

    def _paint(self, order: Order, backend: Backend) -> None:
        mask = {"kind": "file", "name": shown(mask_of(order.path).name)}
        attachments = (Parcel(order.mask, mask),) if order.mask else ()
        parcel = Parcel(order.data, {"kind": "file", "name": shown(order.path.name)}, attachments)
        for number, job in enumerate(order.jobs):
            began = time.monotonic()

            def progress(fraction: float, what: str, done: int = number) -> None:
                self.fraction = (done + fraction) / len(order.jobs)
                order.heard.add(what)
                if self._stop.is_set():
                    raise Cancelled("The painting was cancelled.")

            try:
                sealed = enclose(job, parcel)
            except UnreadablePicture as error:  # a file of the recipe's: the next picture would meet it too
                raise Trouble(str(error)) from None
            result = backend.run(*sealed, progress)
            seconds = time.monotonic() - began
            order.painted.append(Painted(job, result.data, result.meta["format"], seconds))
        order.data = order.mask = b""

    def hang_up(self) -> None:
        backend, self._backend = self._backend, None
        if backend:
            backend.close()

    def _open(self) -> Backend:
        if self._backend and time.monotonic() - self._used > IDLE:
            self.hang_up()
        if self._backend is None:
            try:
                self._backend = self._connect()
            except ImpastoError as error:
                raise Unreachable(error) from None
            self._used = time.monotonic()
        return self._backend
