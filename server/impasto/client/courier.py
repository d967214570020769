"""A thread that talks with the daemon, so that a plug-in's window never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from .errors import Cancelled, ClientError, ConnectionLost

Stale = Callable[[], bool]
Work = Callable[[Any, Stale], Any]
"""Called in the thread with the client, and with what says whether nobody waits for it any more."""


class Errand(NamedTuple):
    """What to do, and whom to tell. `lane`: a newer errand in the same lane makes this one stale."""

    lane: str
    work: Work
    done: Callable[[Any], object]
    failed: Callable[[str], object]


class Courier:
    """Runs errands one after the other over one connection, the newest of each lane only."""

    def __init__(
        self,
        connect: Callable[[], Any],
        post: Callable[..., object],
        words: Callable[[ClientError], str] = str,
    ) -> None:
        """
        Args:
            connect: opens a connection to the daemon, and may start one; called in the thread.
            post: has a function called in the main loop, with arguments, such as `GLib.idle_add`.
            words: makes a sentence of an error, perhaps in another language.
        """
        self._connect = connect
        self._post = post
        self._words = words
        self._client: Any = None
        self._errands: list[Errand] = []
        self._news = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, daemon=True).start()

    def send(
        self, lane: str, work: Work, done: Callable[[Any], object], failed: Callable[[str], object]
    ) -> None:
        """Queue an errand; what waits in the same lane is dropped, what runs there becomes stale."""
        with self._news:
            self._errands = [errand for errand in self._errands if not lane or errand.lane != lane]
            self._errands.append(Errand(lane, work, done, failed))
            self._news.notify()

    def close(self) -> None:
        """End the thread; nothing is posted afterwards."""
        with self._news:
            self._closed = True
            self._errands.clear()
            self._news.notify()

    def _stale(self, lane: str) -> bool:
        with self._news:
            return self._closed or bool(lane and any(errand.lane == lane for errand in self._errands))

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._errands and not self._closed:
                    self._news.wait()
                if self._closed:
                    break
                errand = self._errands.pop(0)
            self._perform(errand)
        if self._client is not None:
            self._client.close()

    def _perform(self, errand: Errand) -> None:
        try:
            try:
                answer = self._ask(errand)
            except ConnectionLost:  # the daemon may have ended for want of work: once more
                self._client = None
                answer = self._ask(errand)
        except Cancelled:
            return
        except ClientError as error:
            self._tell(errand, errand.failed, self._words(error))
        else:
            self._tell(errand, errand.done, answer)

    def _ask(self, errand: Errand) -> Any:
        if self._client is None:
            self._client = self._connect()
        return errand.work(self._client, lambda: self._stale(errand.lane))

    def _tell(self, errand: Errand, function: Callable[[Any], object], value: Any) -> None:
        def in_main_loop() -> bool:
            if not self._closed:
                function(value)
            return False

        if not self._stale(errand.lane):
            self._post(in_main_loop)
