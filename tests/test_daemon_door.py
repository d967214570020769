"""Attacks by those who were not let in: without the token, in another language, as another user."""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rpyc.core import brine, consts

from daemons import (
    Running,
    admitted,
    alive,
    daemon,
    dial,
    is_dropped,
    picture,
    serve_honestly,
    unharmed,
)
from impasto.client.handshake import ANSWER, HELLO, MAGIC, PROTOCOL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tests look into /proc")

root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[Running]:
    with daemon() as running:
        yield running


@pytest.fixture
def target(shared_daemon: Running) -> Iterator[Running]:
    """A daemon that must come out of the attack unharmed."""
    with unharmed(shared_daemon):
        yield shared_daemon


def verdict_of(sock: socket.socket, protocol: int, token: bytes | None) -> int:
    """Shake hands with a protocol number and a token; returns the daemon's last verdict."""
    hello = HELLO.pack(MAGIC, protocol, os.urandom(32))
    sock.sendall(hello)
    answer = sock.recv(ANSWER.size)
    if token is not None:
        sock.sendall(hmac.digest(token, b"client" + hello + answer, "sha256"))
        answer = sock.recv(ANSWER.size)
    assert is_dropped(sock)
    return ANSWER.unpack(answer)[2]


def test_a_wrong_token(target: Running) -> None:
    with dial(target) as sock:
        assert verdict_of(sock, PROTOCOL, bytes(32)) == 1


def test_an_old_protocol(target: Running) -> None:
    with dial(target) as sock:
        assert verdict_of(sock, PROTOCOL - 1, None) == 2


def test_no_token(target: Running) -> None:
    """A client that starts with rpyc at once, as one of rpyc's own would."""
    with dial(target) as sock:
        root = bytes([consts.MSG_REQUEST]) + brine.dump((1, (consts.HANDLE_GETROOT, (1, ()))))
        sock.sendall((struct.pack("!LB", len(root), 0) + root + b"\n") * 5)
        assert is_dropped(sock)


def test_a_repeated_handshake(target: Running) -> None:
    """What was overheard once does not open the door again: the challenge is another."""
    token = target.address.token
    hello = HELLO.pack(MAGIC, PROTOCOL, bytes(32))
    with dial(target) as first, dial(target) as second:
        first.sendall(hello)
        proof = hmac.digest(token, b"client" + hello + first.recv(ANSWER.size), "sha256")
        second.sendall(hello)
        second.recv(ANSWER.size)
        second.sendall(proof)
        assert ANSWER.unpack(second.recv(ANSWER.size))[2] == 1


def test_the_daemon_s_own_proof_sent_back(target: Running) -> None:
    with dial(target) as sock:
        hello = HELLO.pack(MAGIC, PROTOCOL, bytes(32))
        sock.sendall(hello)
        answer = sock.recv(ANSWER.size)
        sock.sendall(hmac.digest(target.address.token, b"daemon" + hello + answer, "sha256"))
        assert ANSWER.unpack(sock.recv(ANSWER.size))[2] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curious/1.0\r\n\r\n",
        os.urandom(100_000),
        b"\xff" * 42,
        struct.pack("!LB", 0xFFFFFFFF, 1) + bytes(50),
    ],
    ids=["HTTP", "noise", "ones", "a frame"],
)
def test_another_language(target: Running, data: bytes) -> None:
    with dial(target) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        assert is_dropped(sock)


@pytest.mark.parametrize(
    "data", [b"GET /\r\n", HELLO.pack(MAGIC, PROTOCOL, bytes(32))], ids=["a word", "a hello"]
)
def test_a_guest_who_does_not_come_in(target: Running, data: bytes) -> None:
    """Silence, or half a handshake, ends after three seconds."""
    with dial(target) as sock:
        sock.sendall(data)
        began = time.monotonic()
        assert is_dropped(sock, 5.0)
        assert 2.5 < time.monotonic() - began < 4.0


def test_a_handshake_that_drips(target: Running) -> None:
    """The deadline is for all of it, not for each byte."""
    with dial(target) as sock:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            for _ in range(100):
                sock.sendall(b"I")
                time.sleep(0.1)
        assert time.monotonic() - began < 4.5


@pytest.mark.parametrize("number", [200, 400])
def test_a_crowd_at_the_door(target: Running, number: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(dial(target))
        began = time.monotonic()
        serve_honestly(target)
        assert time.monotonic() - began < 2.0


def test_a_crowd_inside(target: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(admitted(target))
        serve_honestly(target)


def test_nothing_listens_on_a_public_address() -> None:
    for options in ([], ["--tcp"]):
        with daemon(*options) as running:
            serve_honestly(running)
            with running.connect() as client:
                pids = [running.process.pid, client.status()["worker"]["pid"]]
            addresses = {address for pid in pids for address in listening(pid)}
            loopback = "0100007F"
            assert addresses == ({f"{loopback}:{running.address.port:04X}"} if options else set())


def listening(pid: int) -> set[str]:
    """Addresses (in the kernel's hexadecimal) of the internet sockets of a process that listen."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found: set[str] = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] in ("0A", "07"):
                found.add(fields[1])
    return found


def test_a_port_without_the_token() -> None:
    with daemon("--tcp") as running:
        for token in (None, bytes(32)):
            with socket.create_connection(("127.0.0.1", running.address.port)) as sock:
                if token:
                    assert verdict_of(sock, PROTOCOL, token) == 1
                else:
                    sock.sendall(b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n" + bytes(100))
                    assert is_dropped(sock)
        serve_honestly(running)


AS_NOBODY = (
    "import os, socket, sys\n"
    "from impasto.client import Refused, connect\n"
    "from impasto.client.handshake import HELLO, MAGIC, PROTOCOL\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
)


@root
def test_another_user_s_client(target: Running) -> None:
    """It refuses the directory; and were that open to all, the daemon would refuse it."""
    program = AS_NOBODY + (
        "try:\n"
        "    connect(start=True)\n"
        "except Refused as error:\n"
        "    assert 'belongs to another user' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('let in')\n"
    )
    target.runtime.parent.chmod(0o711)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    program = AS_NOBODY + (
        "sock = socket.socket(socket.AF_UNIX)\n"
        f"sock.connect({target.address.socket!r})\n"
        "try:\n"
        "    sock.sendall(HELLO.pack(MAGIC, PROTOCOL, bytes(32)))\n"
        "    answer = sock.recv(100)\n"
        "except ConnectionError:\n"
        "    answer = b''\n"
        "assert answer == b'', answer\n"
    )
    try:
        target.runtime.chmod(0o711)
        Path(target.address.socket).chmod(0o666)
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    finally:
        target.runtime.chmod(0o700)
    assert "Another user's program was sent away" in target.log


@root
def test_another_user_s_files(target: Running) -> None:
    """Neither address nor pixels can be read or listed."""
    with target.connect() as client:
        _, path = client.begin("{}", picture(), 10)
        program = AS_NOBODY + (
            "for path in sys.argv[1:]:\n"
            "    try:\n"
            "        open(path).read()\n"
            "    except PermissionError:\n"
            "        continue\n"
            "    raise SystemExit(path)\n"
        )
        target.runtime.parent.chmod(0o711)
        paths = [path, str(target.runtime / "daemon.json"), str(target.runtime / "daemon.lock")]
        subprocess.run([sys.executable, "-c", program, *paths], check=True, timeout=30)


@root
def test_another_user_s_socket(target: Running) -> None:
    """An address that leads to another user's program is refused before a byte is sent."""
    path = str(target.runtime / "trap.sock")
    program = (
        "import os, socket\n"
        "sock = socket.socket(socket.AF_UNIX)\n"
        f"sock.bind({path!r})\n"
        "os.setuid(65534)\n"
        "sock.listen()\n"
        "print('ready', flush=True)\n"
        "peer, _ = sock.accept()\n"
        "print(len(peer.recv(100)), flush=True)\n"
    )
    from impasto.client.connection import _dial
    from impasto.client.errors import Refused

    trap = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert trap.stdout
    assert trap.stdout.readline() == "ready\n"
    with pytest.raises(Refused, match="belongs to another user"):
        _dial(target.address._replace(socket=path))
    assert trap.communicate(timeout=10)[0] == "0\n"
    assert not alive(trap.pid)
