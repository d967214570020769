"""The door: takes connections, lets in who proves to be this user, and never waits for anybody."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from impasto.client.handshake import FULL, Unwelcome, admit, refuse
from impasto.client.wire import Answerer
from impasto.daemon.session import Session
from impasto.errors import DaemonError

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
PATH_LIMIT = 103
"""Bytes that the name of a Unix socket may have on every system."""


def bind(directory: Path, unix: bool) -> socket.socket:
    """A listening socket: a Unix socket in `directory`, or a port of 127.0.0.1.

    Raises:
        DaemonError: the system does not allow it.
    """
    try:
        if not unix:
            sock = socket.socket(socket.AF_INET)
            exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
            if exclusive is not None:  # Windows lets others share a port otherwise
                sock.setsockopt(socket.SOL_SOCKET, exclusive, 1)
            sock.bind(("127.0.0.1", 0))
        else:
            path = directory / "daemon.sock"
            if len(os.fsencode(path)) > PATH_LIMIT:
                raise DaemonError(f"The path {path} is too long for a socket; set IMPASTO_RUNTIME_DIR.")
            path.unlink(missing_ok=True)  # we hold the lock: whoever made it is dead
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(path))
            path.chmod(0o600)
        sock.listen(512)
    except OSError as error:
        raise DaemonError(f"The daemon cannot listen in {directory} ({error.strerror}).") from None
    return sock


class Listener:
    """Accepts connections, each served by a thread of its own."""

    def __init__(self, sock: socket.socket, token: bytes, new_session: Callable[[], Session]) -> None:
        self._sock = sock
        self._token = token
        self._new_session = new_session
        self._lock = threading.Lock()
        self._knocking: dict[socket.socket, None] = {}  # in the order of their arrival
        self._admitted = 0
        threading.Thread(target=self._accept_all, name="listener", daemon=True).start()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._admitted

    def _accept_all(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError as error:
                log.warning("A connection could not be taken: %s", error)
                time.sleep(0.1)  # too many open files, mostly: some will close
                continue
            if not _is_same_user(sock):
                log.warning("Another user's program was sent away.")
                sock.close()
            elif self._make_room():
                with self._lock:
                    self._knocking[sock] = None
                threading.Thread(target=self._serve, args=(sock,), name="client", daemon=True).start()
            else:
                log.warning("A connection was refused: there are %d.", MAX_CONNECTIONS)
                with contextlib.suppress(OSError):  # it hung up already
                    refuse(sock, FULL)
                sock.close()

    def _make_room(self) -> bool:
        """Make sure that one more may knock: who has stood at the door longest must go."""
        with self._lock:
            if len(self._knocking) + self._admitted >= MAX_CONNECTIONS:
                oldest = next(iter(self._knocking), None)
                if oldest is None:
                    return False
                del self._knocking[oldest]
                with contextlib.suppress(OSError):  # it hung up already
                    oldest.shutdown(socket.SHUT_RDWR)
            return True

    def _serve(self, sock: socket.socket) -> None:
        try:
            admit(sock, self._token)
        except (OSError, Unwelcome) as error:
            log.info("A connection was not admitted: %s", error)
            with self._lock:
                self._knocking.pop(sock, None)
            sock.close()
            return
        with self._lock:
            self._knocking.pop(sock, None)
            self._admitted += 1
        session = self._new_session()
        try:
            Answerer(sock, session.methods()).serve_all()
        except Exception as error:  # a malformed message can fail anywhere in rpyc; it costs its sender
            log.warning("A connection was dropped: %s: %s", type(error).__name__, error)
        finally:
            session.hang_up()
            with self._lock:
                self._admitted -= 1


def _is_same_user(sock: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED") or sock.family != socket.AF_UNIX:
        return True  # the token, which only this user can read, has to do
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid == os.geteuid()
