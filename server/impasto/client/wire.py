"""rpyc with all doors shut but one: calls of listed methods, with plain values both ways.

rpyc's own conversation can pass objects by reference and reach into them; two of its releases let
a client run code that way (CVE-2019-16328, CVE-2024-27758). Here nothing has a reference: any
request but a call by name, any argument but a plain value, any compressed or huge frame ends the
connection. What remains of rpyc is its framing, its serializer and its matching of replies.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection
from rpyc.core.service import VoidService
from rpyc.core.stream import SocketStream

from .handshake import QUIETLY

PIECE = 1 << 20
"""Bytes of a picture that travel in one call."""

MAX_FRAME = 8 << 20
"""Bytes of the longest message; a job with a large colour profile is the longest we know."""

CALL_TIMEOUT = 20.0
"""Seconds until a daemon that does not answer counts as lost: no call takes over half of one."""

CONFIG = {
    "allow_safe_attrs": False,
    "allow_exposed_attrs": False,
    "allow_public_attrs": False,
    "allow_all_attrs": False,
    "allow_getattr": False,
    "allow_setattr": False,
    "allow_delattr": False,
    "allow_pickle": False,
    "include_local_traceback": False,
    "include_local_version": False,
    "instantiate_custom_exceptions": False,
    "import_custom_exceptions": False,
    "propagate_KeyboardInterrupt_locally": True,
    "sync_request_timeout": CALL_TIMEOUT,
    "bind_threads": False,
}

Method = tuple[Callable[..., tuple[Any, ...]], tuple[type, ...]]
"""A method that can be called, and the exact types of its arguments."""


class WireError(EOFError):
    """The other side broke the rules; an EOFError, upon which rpyc ends the connection."""


class _Stream(SocketStream):
    MAX_IO_CHUNK = PIECE

    sock: Any  # a socket, or rpyc's `ClosedFile`

    def write(self, data: bytes) -> None:
        # rpyc's own loop slices the rest anew for each packet: 64 MiB took it 44 s.
        try:
            self.sock.sendall(data, QUIETLY)
        except OSError as error:
            self.close()
            raise EOFError(error) from None


class _Channel(Channel):
    def recv(self) -> bytes:
        length, compressed = self.FRAME_HEADER.unpack(self.stream.read(self.FRAME_HEADER.size))
        if compressed or not 0 < length <= MAX_FRAME:
            raise WireError(f"a frame of {length} bytes, {'' if compressed else 'not '}compressed")
        return self.stream.read(length + 1)[:-1]

    def send(self, data: bytes) -> None:
        header = self.FRAME_HEADER.pack(len(data), 0)
        self.stream.write(b"".join((header, data, b"\n")))


class _Closed(Connection):
    """What both ends have in common."""

    accepts: int

    def __init__(self, sock: socket.socket) -> None:
        if sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(VoidService(), _Channel(_Stream(sock), compress=False), CONFIG)

    def close(self) -> None:
        """Hang up. rpyc would ask the other side to agree, and wait for its answer."""
        if not self._closed:
            self._closed = True
            self._cleanup()

    def _dispatch(self, data: bytes) -> None:
        if data[:1] != bytes([self.accepts]):
            self._recvlock.release()  # as rpyc's `serve` expects
            self.close()
            raise WireError(f"a message of kind {data[:1]!r}")
        super()._dispatch(data)

    def _box(self, obj: Any) -> Any:
        if not brine.dumpable(obj):
            raise TypeError(f"{type(obj).__name__} cannot travel")
        return consts.LABEL_VALUE, obj

    def _unbox(self, package: Any) -> Any:
        label, value = package
        if label != consts.LABEL_VALUE:
            raise WireError("a reference instead of a value")
        return value


class Caller(_Closed):
    """The client's end: it calls, and answers nothing."""

    accepts = consts.MSG_REPLY

    def call(self, name: str, *args: Any) -> Any:
        """Call a method of the daemon.

        Raises:
            EOFError, OSError: the connection is lost.
            TimeoutError: no answer within `CALL_TIMEOUT`.
        """
        return self.sync_request(consts.HANDLE_CALLATTR, name, args)

    def ends_within(self, seconds: float) -> bool:
        """Wait for the daemon to hang up."""
        try:
            # Nothing else is to come, so that whatever can be read is the end.
            return bool(self._channel.poll(seconds))
        except (EOFError, OSError):
            return True


class Answerer(_Closed):
    """The daemon's end: it answers calls of `methods`, and calls nothing.

    Each method returns a tuple of plain values and raises nothing.
    """

    accepts = consts.MSG_REQUEST

    def __init__(self, sock: socket.socket, methods: dict[str, Method]) -> None:
        self._methods = methods
        super().__init__(sock)

    def serve_all(self) -> None:
        """Answer until the client hangs up.

        Raises:
            Exception: it broke the rules, or whatever else a malformed message led to. The
                connection is closed in any case.
        """
        try:
            while not self.closed:
                self.serve(None)  # pyright: ignore[reportArgumentType]
        except WireError:
            raise
        except EOFError:
            pass
        finally:
            self.close()

    def _dispatch_request(self, seq: int, raw_args: Any) -> None:
        handler, package = raw_args
        if handler != consts.HANDLE_CALLATTR:
            raise WireError(f"a request of kind {handler!r}")
        name, args = self._unbox(package)
        method, types = self._methods.get(name, (None, ())) if type(name) is str else (None, ())
        if method is None:
            raise WireError(f"a call of {name!r}")
        if type(args) is not tuple or tuple(map(type, args)) != types:
            raise WireError(f"“{name}” with wrong arguments")
        self._send(consts.MSG_REPLY, seq, self._box(method(*args)))
