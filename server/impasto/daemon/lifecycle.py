"""The daemon from its first to its last breath."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import select
import signal
import socket
import time
from pathlib import Path
from typing import Any

from impasto import __version__
from impasto.backends.lock import Lock
from impasto.backends.segments import Segments, private_directory
from impasto.backends.worker import WorkerBackend
from impasto.client.errors import ClientError
from impasto.client.handshake import PROTOCOL
from impasto.client.place import POSIX, Address, runtime_directory, write_address
from impasto.daemon.listener import Listener, bind
from impasto.daemon.log import log_path, open_log
from impasto.daemon.queue import Queue
from impasto.daemon.session import Session
from impasto.errors import DaemonError, by_name

log = logging.getLogger(__name__)

IDLE_MINUTES = 15.0
HANDOVER = 5.0
"""Seconds that a daemon may take to end while the next one waits for its place."""


class Daemon:
    """One user's daemon."""

    def __init__(
        self,
        idle_minutes: float = IDLE_MINUTES,
        entry: str = "impasto.backends.work",
        unix: bool = POSIX,
    ) -> None:
        """
        Args:
            idle_minutes: end after so long without a job or a call about one; 0 for never.
            entry: see `WorkerBackend`.
            unix: listen on a Unix socket; else on a port of 127.0.0.1.
        """
        self._idle = idle_minutes * 60 or None
        self._entry = entry
        self._unix = unix
        self._wake, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        self._began = self._touched = time.monotonic()

    def serve(self) -> None:
        """Run until stopped by `stop`, by SIGTERM or SIGINT, or for want of work.

        Raises:
            DaemonError: another one runs, or this one cannot.
        """
        try:
            directory = runtime_directory(create=True)
        except ClientError as error:
            raise by_name(error.name)(str(error)) from None
        lock = Lock(directory / "daemon.lock")
        deadline = time.monotonic() + HANDOVER
        while not lock.acquire():
            # Without an address, the one that holds the lock is about to end, or has just begun.
            if (directory / "daemon.json").exists() or time.monotonic() > deadline:
                raise DaemonError("A daemon of this user is already running; “impasto status” shows it.")
            time.sleep(0.02)
        (directory / "daemon.json").unlink(missing_ok=True)  # of one that was killed
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        try:
            self._live(directory)
        finally:
            log.info("The daemon ends.")
            lock.release()

    def stop(self) -> None:
        """End `serve` soon; can be called from signal handlers and any thread."""
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._alarm.send(b"!")

    def status(self) -> dict[str, Any]:
        """Version, protocol, the calls that came with later versions of it, pid, uptime and idle limit
        in seconds, worker, queue, memory in MB, log."""
        worker = self._worker.state
        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "offers": ["sketch"],
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._began, 1),
            "idle_limit": self._idle,
            "connections": self._listener.connections,
            "worker": worker,
            "queue": self._queue.summary(),
            "memory_mb": {
                "daemon": memory_mb(os.getpid()),
                "worker": memory_mb(worker["pid"]) if worker["pid"] else None,
                "pixels": round(self._segments.size() / 1e6, 1),
            },
            "log": str(log_path()),
        }

    def _live(self, directory: Path) -> None:
        open_log()
        log.info("Impasto %s, protocol %d, pid %d, in %s", __version__, PROTOCOL, os.getpid(), directory)
        self._segments = Segments(pixel_directories(directory))
        self._segments.sweep()
        self._worker = WorkerBackend(self._entry, self._segments)
        try:
            self._worker.warm()
            self._queue = Queue(self._worker)
            token = secrets.token_bytes(32)
            sock = bind(directory, self._unix)
            self._listener = Listener(sock, token, self._new_session)
            path = str(directory / "daemon.sock") if self._unix else ""
            port = 0 if self._unix else sock.getsockname()[1]
            write_address(directory, Address(PROTOCOL, os.getpid(), token, path, port))
            self._wait_for_the_end()
        finally:
            for name in ("daemon.json", "daemon.sock"):  # first: who comes now needs another daemon
                (directory / name).unlink(missing_ok=True)
            self._worker.close()
            self._segments.sweep()
            for path in self._segments.directories:
                with contextlib.suppress(OSError):  # Windows may still keep a file in it
                    path.rmdir()

    def _wait_for_the_end(self) -> None:
        while True:
            left = None if self._idle is None else self._touched + self._idle - time.monotonic()
            if left is not None and left <= 0:
                if not self._queue.active():
                    log.info("No work for %g minutes.", (self._idle or 0) / 60)
                    return
                self.touch()
                continue
            if select.select([self._wake], [], [], left)[0]:
                return

    def touch(self) -> None:
        """Somebody needs the daemon: it is not idle."""
        self._touched = time.monotonic()

    def _new_session(self) -> Session:
        return Session(self._queue, self._segments, self.status, self.stop, self.touch)


def pixel_directories(directory: Path) -> list[Path]:
    """Where pixels are shared: in memory where the system has a place for that, else beside the
    socket. Containers often have a tiny /dev/shm, so both are used."""
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    shared_memory = Path("/dev/shm")
    candidates = [shared_memory / f"impasto-{name}"] if shared_memory.is_dir() else []
    candidates.append(directory / "pixels")
    return [path for path in map(private_directory, candidates) if path]


def memory_mb(pid: int) -> float | None:
    """Resident memory of a process in MB, where the system tells."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
