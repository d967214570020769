"""`connect()` and the `Client` that it returns."""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Cancelled, ClientError, ConnectionLost, JobFailed, NoDaemon, Refused
from .handshake import HungUp, greet
from .place import Address, read_address, runtime_directory

if TYPE_CHECKING:
    from .wire import Caller

TICK = 0.1
"""Seconds between two looks at `cancelled`."""

SO_NOSIGPIPE = 0x1022
"""Of macOS; Python does not name it."""

DYING = 3.0
"""Seconds that a daemon may take to die."""

OTHERS = 3.0
"""Seconds that the daemon of another program has to start, when ours made way for it."""

ENDED = ("done", "failed", "cancelled")
"""States in which nothing more happens; before them come "filling", "queued" and "running"."""

Progress = Callable[[float, str], object]
Attachment = tuple[dict[str, Any], bytes | bytearray | memoryview]


def connect(
    start: bool = True,
    timeout: float = 30.0,
    command: list[str] | None = None,
    shared_memory: bool = True,
) -> Client:
    """Find this user's daemon, or start one.

    Args:
        start: start a daemon when none runs.
        timeout: seconds to wait for one that was started.
        command: that starts it, when not the usual one.
        shared_memory: hand pixels over in memory where both see the same; else in pieces.

    Raises:
        NoDaemon: none runs, or it did not start.
        Refused: either side does not trust the other.
        ConnectionLost: it hung up; a retry can help.
    """
    try:
        return Client(_open(runtime_directory()), shared_memory)
    except NoDaemon:
        if not start:
            raise
    from .launch import daemon_command, last_words, launch  # a warm start has no use for subprocess

    directory = runtime_directory(create=True)
    process = launch(command or daemon_command(), directory)
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Client(_open(directory), shared_memory)
        except NoDaemon:
            if time.monotonic() > deadline:
                words = last_words(directory)
                if words:
                    raise NoDaemon("The daemon did not start: {words}", words=words) from None
                raise NoDaemon("The daemon did not start.") from None
        if process.poll() is not None:
            # When two programs start one at once, the second daemon gives up: ours may be the other's.
            deadline = min(deadline, time.monotonic() + (OTHERS if process.returncode == 5 else 0))
        time.sleep(0.02)


def _open(directory: Path) -> Caller:
    """Connect to the daemon of `directory` and shake hands."""
    deadline = time.monotonic() + DYING
    while True:
        try:
            return _introduce(read_address(directory))
        except HungUp:
            # The system takes connections for a daemon that was killed until its last thread is gone.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _introduce(address: Address) -> Caller:
    sock = _dial(address)
    try:
        greet(sock, address.token)
        from .wire import Caller  # rpyc takes 60 ms to import: only once there is a daemon

        return Caller(sock)
    except BaseException:
        sock.close()
        raise


def _dial(address: Address) -> socket.socket:
    try:
        if not address.socket:
            return socket.create_connection(("127.0.0.1", address.port), timeout=3.0)
        sock = socket.socket(socket.AF_UNIX)
        if sys.platform == "darwin":  # it has no flag for it, see `handshake.QUIETLY`
            sock.setsockopt(socket.SOL_SOCKET, SO_NOSIGPIPE, 1)
        try:
            _connect_unix(sock, address.socket)
            if hasattr(socket, "SO_PEERCRED"):
                peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                if int.from_bytes(peer[4:8], "little") != os.geteuid():
                    raise Refused("The daemon at this user's address belongs to another user.")
        except BaseException:
            sock.close()
            raise
    except OSError:  # left by a daemon that was killed
        raise NoDaemon("No Impasto daemon is running; “impasto serve” starts one.") from None
    return sock


def _connect_unix(sock: socket.socket, path: str) -> None:
    deadline = time.monotonic() + 3.0
    while True:
        try:
            # Where a timeout is set, a crowd at the door is an error instead of a wait.
            sock.settimeout(3.0)
            return sock.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ConnectionLost("The Impasto daemon is too busy to answer; try again.") from None
            time.sleep(0.01)


class Client:
    """A conversation with the daemon. All methods can be called from any thread, one at a time.

    All methods raise `ConnectionLost` when the daemon has gone, and `JobFailed` with the daemon's
    own error. A job belongs to its connection: it ends when the connection does.
    """

    def __init__(self, caller: Caller, shared_memory: bool = True) -> None:
        self._caller = caller
        self._lock = threading.Lock()
        self._shared_memory = shared_memory
        self._offers: list[str] | None = None

    def run(
        self,
        job_json: str,
        meta: dict[str, Any],
        data: bytes | bytearray | memoryview,
        progress: Progress | None = None,
        cancelled: threading.Event | Callable[[], bool] | None = None,
        priority: str = "normal",
        attachments: Sequence[Attachment] = (),
        sketch: Callable[[bytes], object] | None = None,
    ) -> tuple[dict[str, Any], memoryview]:
        """Paint one picture; blocks.

        Args:
            job_json: a job, as `impasto.job.Job.to_json` writes it.
            meta: what `data` is, see `impasto.backends.Parcel`.
            data: an encoded file, or pixels.
            progress: called with the fraction done and what is happening; if it raises, the job is
                cancelled and the exception comes back.
            cancelled: an event or a callable; the job is cancelled when it is set or true.
            priority: "interactive", "normal" or "batch".
            attachments: (meta, data) of each picture that the job calls `attachment:0` and so on.
            sketch: called about once a second with a small JPEG picture of what comes about, by
                engines that take their time.

        Returns:
            The result's meta and data.

        Raises:
            Cancelled: as asked, within about 0.2 s.
        """
        stop = cancelled.is_set if isinstance(cancelled, threading.Event) else cancelled
        job = self.submit(job_json, meta, data, priority, attachments)
        try:
            state = ""
            while state not in ENDED:
                state, fraction, text = self.wait(job, TICK)
                if progress is not None:
                    progress(fraction, text)
                if sketch is not None and state == "running":
                    drawn = self.sketch(job)
                    if drawn:
                        sketch(drawn)
                if stop is not None and stop():
                    self.cancel(job)
            return self.result(job)
        except (KeyboardInterrupt, SystemExit):
            self.close()  # a call may have been cut in two: the daemon drops the job with us
            raise
        except ConnectionLost:
            raise
        except BaseException:
            self.release(job)
            raise

    def submit(
        self,
        job_json: str,
        meta: dict[str, Any],
        data: bytes | bytearray | memoryview,
        priority: str = "normal",
        attachments: Sequence[Attachment] = (),
    ) -> int:
        """Hand a picture over and start its job: `begin`, the data, `start`. Returns the job's id."""
        views = [memoryview(part).cast("B") for part in (data, *(own for _, own in attachments))]
        if attachments:
            described = zip(attachments, views[1:], strict=True)
            sizes = [{**own, "size": len(view)} for (own, _), view in described]
            meta = {**meta, "attachments": sizes}
        job, path = self.begin(job_json, meta, sum(map(len, views)), priority)
        try:
            if not (self._shared_memory and _fill(path, views)):
                from .wire import PIECE

                start = 0
                for view in views:
                    for offset in range(0, len(view), PIECE):
                        self.push(job, start + offset, bytes(view[offset : offset + PIECE]))
                    start += len(view)
            self.start(job)
        except ClientError:
            self.release(job)
            raise
        return job

    def begin(
        self, job_json: str, meta: dict[str, Any], size: int, priority: str = "normal"
    ) -> tuple[int, str]:
        """Announce a job with `size` bytes of data.

        Returns:
            Its id, and the path of a file of that size, to write the data to. Who cannot see that
            file pushes the data instead.
        """
        return self._call("begin", job_json, json.dumps(meta), size, priority)

    def push(self, job: int, offset: int, piece: bytes) -> None:
        """Hand over a piece of the data, of at most `wire.PIECE` bytes."""
        self._call("push", job, offset, piece)

    def start(self, job: int) -> None:
        """Queue a job whose data is there."""
        self._call("start", job)

    def wait(self, job: int, seconds: float = 0.0) -> tuple[str, float, str]:
        """Wait for news of a job, at most for `seconds` (0.2 at the longest); 0 polls.

        Returns:
            State ("filling", "queued", "running", "done", "failed", "cancelled"), the fraction done,
            and what is happening, or the error's sentence.
        """
        return self._call("wait", job, float(seconds))

    def sketch(self, job: int) -> bytes:
        """A small JPEG picture of what comes about; empty when there is none since the last call, as
        from engines that are done at once."""
        offers = self._offers
        if offers is None:  # an older daemon hangs up on a call that it does not know
            offers = self._offers = self.status().get("offers", [])
        return self._call("sketch", job)[0] if "sketch" in offers else b""

    def outcome(self, job: int) -> tuple[dict[str, Any], int, str]:
        """Of a job that is done: its result's meta, size in bytes, and a file that holds the data.

        Raises:
            JobFailed: it failed, or is not done.
            Cancelled: it was cancelled.
        """
        meta, size, path = self._call("outcome", job)
        return json.loads(meta), size, path

    def pull(self, job: int, offset: int, size: int) -> bytes:
        """A piece of the result, of at most `wire.PIECE` bytes."""
        return self._call("pull", job, offset, size)[0]

    def result(self, job: int) -> tuple[dict[str, Any], memoryview]:
        """The result of a job that is done, all at once; releases the job."""
        meta, size, path = self.outcome(job)
        data = _map(path, size) if self._shared_memory else None
        if data is None:
            from .wire import PIECE

            pulled = bytearray(size)
            for offset in range(0, size, PIECE):
                pulled[offset : offset + PIECE] = self.pull(job, offset, min(PIECE, size - offset))
            data = memoryview(pulled)
        self.release(job)
        return meta, data

    def cancel(self, job: int) -> None:
        """Stop a job; its state is "cancelled" at once, unless it had ended."""
        self._call("cancel", job)

    def release(self, job: int) -> None:
        """Forget a job and free its memory; stops it when it runs."""
        self._call("release", job)

    def catalogue(self) -> dict[str, Any]:
        """What the daemon can do: see `impasto.daemon.catalogue.catalogue`."""
        return json.loads(self._call("catalogue")[0])

    def thumbnail(self, style: str) -> bytes:
        """A small JPEG picture of a style; empty when there is none."""
        return self._call("thumbnail", style)[0]

    def status(self) -> dict[str, Any]:
        """What the daemon is and does, see `impasto.daemon.lifecycle.Daemon.status`."""
        return json.loads(self._call("status")[0])

    def stop(self, timeout: float = 10.0) -> None:
        """Stop the daemon and wait until it has gone; running jobs are cancelled.

        Raises:
            ConnectionLost: it has not gone after `timeout` seconds.
        """
        self._call("stop")
        with self._lock:
            if self._caller.ends_within(timeout):
                return
        raise ConnectionLost("The daemon has not stopped after {seconds:g} s.", seconds=timeout)

    def close(self) -> None:
        """Hang up. Jobs that are not done are cancelled."""
        self._caller.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, name: str, *args: Any) -> Any:
        try:
            with self._lock:
                answer, *values = self._caller.call(name, *args)
        except (EOFError, OSError):  # TimeoutError is an OSError
            self._caller.close()
            raise ConnectionLost("The connection to the daemon was lost; try again.") from None
        if answer == "ok":
            return tuple(values)
        error, sentence, code, retry = values
        raise Cancelled(sentence) if error == "Cancelled" else JobFailed(error, sentence, code, retry)


def _fill(path: str, views: list[memoryview]) -> bool:
    """Write `views` to the daemon's file; false when that is not to be seen from here."""
    try:
        # Not through a mapping: when memory is short, writing fails with an error, a mapping kills.
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            if os.fstat(descriptor).st_size != sum(map(len, views)):
                return False
            for view in views:
                while view:
                    view = view[file.write(view) :]
    except OSError:
        return False
    return True


def _map(path: str, size: int) -> memoryview | None:
    """The daemon's file of that size as memory, or None when it is not to be seen from here."""
    if size == 0:
        return memoryview(b"")
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb"):
            if os.fstat(descriptor).st_size != size:
                return None
            return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
    except OSError:
        return None
