"""Painting in the daemon. The one place where the client's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from impasto.backends import Parcel, Progress, Sketch
from impasto.client import Client, ClientError, NoDaemon, connect
from impasto.errors import by_name
from impasto.job import Job


class DaemonBackend:
    """A `Backend` over a connection to the daemon."""

    def __init__(self, client: Client, priority: str = "normal") -> None:
        """
        Args:
            client: used, and closed at the end.
            priority: "interactive", "normal" or "batch".
        """
        self.client = client
        self._priority = priority

    def run(self, job: Job, parcel: Parcel, progress: Progress, sketch: Sketch | None = None) -> Parcel:
        """See `impasto.backends.Backend.run`.

        Raises:
            DaemonError: or one of its kind, when the daemon fails.
            ImpastoError: any that painting raises.
        """
        with our_errors():
            meta, data = self.client.run(
                job.to_json(),
                parcel.meta,
                parcel.data,
                progress,
                priority=self._priority,
                attachments=[(attached.meta, attached.data) for attached in parcel.attachments],
                sketch=sketch,
            )
        return Parcel(data, meta)

    def close(self) -> None:
        self.client.close()


def running_daemon(priority: str = "normal") -> DaemonBackend | None:
    """The daemon of this user when one runs, else None.

    Raises:
        Refused: one runs, but does not trust us, or cannot be trusted.
        ConnectionLost: it does not answer.
    """
    with our_errors():
        try:
            return DaemonBackend(connect(start=False), priority)
        except NoDaemon:
            return None


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the client's errors into those of `impasto.errors`."""
    try:
        yield
    except ClientError as error:
        raise by_name(error.name)(str(error)) from None
