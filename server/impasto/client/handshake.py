"""Who is there? Both sides prove that they know the token before anything else is read.

    client -> daemon   HELLO   magic, protocol, 32 random bytes
    daemon -> client   ANSWER  magic, protocol, verdict, 32 random bytes
    client -> daemon   PROOF   HMAC-SHA256 of "client" and all of the above
    daemon -> client   ANSWER  magic, protocol, verdict, HMAC-SHA256 of "daemon" and all of the above

The frames keep their form in all versions, so that versions can tell each other apart.
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
import time

from .errors import ConnectionLost, Refused

PROTOCOL = 1
DEADLINE = 3.0
"""Seconds that a client has for its side."""

MAGIC = b"IMPASTO\n"
HELLO = struct.Struct("!8sH32s")
ANSWER = struct.Struct("!8sHB32s")
PROOF_SIZE = 32
GO, BAD_TOKEN, BAD_PROTOCOL, FULL = range(4)

QUIETLY = getattr(socket, "MSG_NOSIGNAL", 0)
"""Flags for sending. A Python that is embedded, as in Krita, does not ignore SIGPIPE: without this,
a daemon that dies would take the editor along."""


class HungUp(ConnectionLost):
    """The daemon hung up instead of an answer: mostly it is just dying."""


class Unwelcome(Exception):
    """The daemon's side of a refusal: why, for the log."""


def _proof(token: bytes, role: bytes, hello: bytes, challenge: bytes) -> bytes:
    return hmac.digest(token, role + hello + challenge, "sha256")


def _receive(sock: socket.socket, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes until `deadline` (of `time.monotonic`), however slowly they drip.

    Raises:
        OSError: too late, or the other side has gone.
    """
    data = b""
    while len(data) < size:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("too slow")
        sock.settimeout(remaining)
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("hung up")
        data += piece
    return data


def greet(sock: socket.socket, token: bytes, protocol: int = PROTOCOL) -> None:
    """The client's side; returns when both know each other.

    Raises:
        Refused: either does not accept the other.
        HungUp: the daemon did.
        ConnectionLost: it did not answer.
    """
    deadline = time.monotonic() + 2 * DEADLINE
    hello = HELLO.pack(MAGIC, protocol, os.urandom(32))
    try:
        sock.settimeout(DEADLINE)
        sock.sendall(hello, QUIETLY)
        answer = _receive(sock, ANSWER.size, deadline)
        _check_verdict(answer, protocol)
        sock.sendall(_proof(token, b"client", hello, answer), QUIETLY)
        final = _receive(sock, ANSWER.size, deadline)
        _check_verdict(final, protocol)
    except ConnectionError as error:
        raise HungUp("The Impasto daemon did not answer ({reason}); try again.", reason=error) from None
    except OSError as error:
        raise ConnectionLost(
            "The Impasto daemon did not answer ({reason}); try again.", reason=error
        ) from None
    if not hmac.compare_digest(final[-PROOF_SIZE:], _proof(token, b"daemon", hello, answer)):
        raise Refused("Something that is not this user's daemon answers at its address.")
    sock.settimeout(None)


def _check_verdict(answer: bytes, protocol: int) -> None:
    magic, theirs, verdict, _ = ANSWER.unpack(answer)
    if magic != MAGIC:
        raise Refused("Something that is not the Impasto daemon answers at its address.")
    if verdict == BAD_PROTOCOL or theirs != protocol:
        if theirs > protocol:
            raise Refused(
                "This daemon speaks protocol {theirs}, the plug-in speaks {ours}: update the plug-in.",
                theirs=theirs,
                ours=protocol,
            )
        raise Refused(
            "This daemon speaks protocol {theirs}, the plug-in speaks {ours}:"
            " update Impasto and restart the daemon.",
            theirs=theirs,
            ours=protocol,
        )
    if verdict == BAD_TOKEN:
        raise Refused("The daemon says: token refused. Restart it with “impasto stop”.")
    if verdict == FULL:
        raise Refused("The daemon has too many connections; close some programs that use it.")


def admit(sock: socket.socket, token: bytes) -> None:
    """The daemon's side; returns when the client has proved itself.

    Raises:
        Unwelcome: it has not; it was told why if it spoke like a client.
        OSError: it was too slow, or hung up.
    """
    deadline = time.monotonic() + DEADLINE
    hello = _receive(sock, HELLO.size, deadline)
    magic, protocol, _ = HELLO.unpack(hello)
    if magic != MAGIC:
        raise Unwelcome("not an Impasto client")
    if protocol != PROTOCOL:
        refuse(sock, BAD_PROTOCOL)
        raise Unwelcome(f"speaks protocol {protocol}")
    challenge = ANSWER.pack(MAGIC, PROTOCOL, GO, os.urandom(32))
    sock.sendall(challenge)
    proof = _receive(sock, PROOF_SIZE, deadline)
    if not hmac.compare_digest(proof, _proof(token, b"client", hello, challenge)):
        refuse(sock, BAD_TOKEN)
        raise Unwelcome("wrong token")
    sock.sendall(ANSWER.pack(MAGIC, PROTOCOL, GO, _proof(token, b"daemon", hello, challenge)))
    sock.settimeout(None)


def refuse(sock: socket.socket, verdict: int) -> None:
    """Tell a client why it is sent away."""
    sock.settimeout(DEADLINE)
    sock.sendall(ANSWER.pack(MAGIC, PROTOCOL, verdict, bytes(32)))
