"""Attacks by a client who has the token and turns bad, each tried and answered."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import rpyc
from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream

from daemons import (
    Running,
    admitted,
    daemon,
    is_dropped,
    picture,
    unharmed,
    until,
)
from impasto.client.wire import CONFIG, MAX_FRAME
from impasto.daemon.lifecycle import memory_mb
from impasto.daemon.session import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tests look into /proc")


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[Running]:
    with daemon() as running:
        yield running


@pytest.fixture
def target(shared_daemon: Running) -> Iterator[Running]:
    """A daemon that must come out of the attack unharmed."""
    with unharmed(shared_daemon):
        yield shared_daemon


def request(handler: int, *args: Any, label: int = consts.LABEL_VALUE) -> bytes:
    """A message of rpyc that asks for something."""
    return bytes([consts.MSG_REQUEST]) + brine.dump((1, (handler, (label, args))))


def call(name: Any, *args: Any) -> bytes:
    return request(consts.HANDLE_CALLATTR, name, args)


def frame(message: bytes, compressed: int = 0) -> bytes:
    return struct.pack("!LB", len(message), compressed) + message + b"\n"


def test_the_frames_of_this_test_are_understood(target: Running) -> None:
    """Lest the attacks fail for the wrong reason."""
    with admitted(target) as sock:
        sock.sendall(frame(call("status")))
        assert b'"protocol": 1' in sock.recv(1 << 16)
        assert not is_dropped(sock, 0.2)


def test_a_zlib_bomb(target: Running) -> None:
    bomb = zlib.compress(bytes(500 << 20), 9)
    with admitted(target) as sock:
        before = memory_mb(target.process.pid) or 0.0
        with contextlib.suppress(ConnectionError):
            sock.sendall(frame(bomb, compressed=1))
        assert is_dropped(sock)
        assert (memory_mb(target.process.pid) or 0.0) - before < 20


@pytest.mark.parametrize("length", [MAX_FRAME + 1, 0xFFFFFFFF])
def test_a_frame_that_announces_too_much(target: Running, length: int) -> None:
    with admitted(target) as sock:
        sock.sendall(struct.pack("!LB", length, 0) + bytes(1000))
        assert is_dropped(sock)


MALFORMED = {
    "empty": b"",
    "noise": b"\x01" + bytes(range(255, 0, -1)),
    "a tuple of 4 billion": b"\x01" + brine.TAG_TUP_L4 + b"\xff\xff\xff\xff",
    "tuples in tuples": b"\x01" + brine.TAG_TUP1 * 500_000,
    "a number of a million digits": b"\x01" + brine.TAG_INT_L4 + struct.pack("!L", 10**6) + b"9" * 10**6,
    "no such message": b"\x09" + brine.dump((1, (1, 2))),
    "a reply": bytes([consts.MSG_REPLY]) + brine.dump((1, (consts.LABEL_VALUE, 1))),
    "an exception": bytes([consts.MSG_EXCEPTION])
    + brine.dump((1, (("os", "system"), ("id",), (("args", 1),), "traceback"))),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message(target: Running, message: bytes) -> None:
    with admitted(target) as sock:
        sock.sendall(frame(message))
        assert is_dropped(sock)


HANDLERS = sorted(
    value
    for name, value in vars(consts).items()
    if name.startswith("HANDLE_") and value != consts.HANDLE_CALLATTR
)


@pytest.mark.parametrize("handler", [*HANDLERS, 99, "call", None, (1,)])
@pytest.mark.parametrize("args", [(), ("x", "__class__"), (b"x", "__class__.__init__", ("x",))])
def test_any_other_request(target: Running, handler: Any, args: tuple[Any, ...]) -> None:
    """Attributes, pickles, references, inspection: none of rpyc's requests is answered."""
    with admitted(target) as sock:
        sock.sendall(frame(request(handler, *args)))
        assert is_dropped(sock)


@pytest.mark.parametrize(
    "name",
    [
        "__class__",
        "__init__",
        "__reduce_ex__",
        "exposed_begin",
        "_task",
        "hang_up",
        "methods",
        "get_service_name",
        "begin.__globals__",
        "",
        b"status",
        None,
        ("status",),
    ],
)
def test_a_call_of_anything_else(target: Running, name: Any) -> None:
    with admitted(target) as sock:
        sock.sendall(frame(call(name)))
        assert is_dropped(sock)


@pytest.mark.parametrize(
    "message",
    [
        call("start", "1"),
        call("start", True),
        call("start", 1.0),
        call("start", None),
        call("start"),
        call("start", 1, 2),
        call("begin", b"{}", "{}", 1, "normal"),
        call("push", 1, 0, "text"),
        call("wait", 1, 10**30),
        request(consts.HANDLE_CALLATTR, "start", (1,), ()),
        request(consts.HANDLE_CALLATTR, "start", frozenset([1])),
        request(consts.HANDLE_CALLATTR),
    ],
)
def test_arguments_of_another_type(target: Running, message: bytes) -> None:
    with admitted(target) as sock:
        sock.sendall(frame(message))
        assert is_dropped(sock)


@pytest.mark.parametrize("label", [consts.LABEL_TUPLE, consts.LABEL_LOCAL_REF, consts.LABEL_REMOTE_REF, 7])
def test_a_reference_as_an_argument(target: Running, label: int) -> None:
    """A netref would make the daemon ask the attacker what its own values are."""
    with admitted(target) as sock:
        package = ("builtins.dict", 1, 2)
        sock.sendall(frame(request(consts.HANDLE_CALLATTR, *package, label=label)))
        assert is_dropped(sock)


def test_a_client_of_rpyc_itself(target: Running) -> None:
    """The exploits of CVE-2019-16328 and CVE-2024-27758 begin with the root or a netref."""
    stream = SocketStream(admitted(target))
    connection = rpyc.Connection(rpyc.VoidService(), Channel(stream, compress=False), dict(CONFIG))
    with pytest.raises(EOFError):
        _ = connection.root
    for attack in (
        lambda c: c.sync_request(consts.HANDLE_CALLATTR, {}, "__init__", ()),
        lambda c: c.sync_request(consts.HANDLE_PICKLE, object(), 2),
        lambda c: c.sync_request(consts.HANDLE_CMP, object, "x", "__init__"),
    ):
        stream = SocketStream(admitted(target))
        connection = rpyc.Connection(rpyc.VoidService(), Channel(stream, compress=False), dict(CONFIG))
        with pytest.raises(EOFError):
            attack(connection)


def test_the_methods_are_these_and_no_more() -> None:
    """Whoever adds one shall think of this page."""
    unused: Any = None
    assert sorted(Session(unused, unused, unused, unused, unused).methods()) == [
        "begin",
        "cancel",
        "catalogue",
        "outcome",
        "pull",
        "push",
        "release",
        "sketch",
        "start",
        "status",
        "stop",
        "thumbnail",
        "wait",
    ]


def test_a_guest_who_shrinks_his_picture(target: Running) -> None:
    """Memory that vanishes under a reader kills it: that must be the worker, not the daemon."""
    with target.connect() as client:
        job, path = client.begin("{}", picture("work", 0.3), 50_000_000)
        client.start(job)
        until(lambda: client.wait(job, 0.1)[1] > 0)
        os.truncate(path, 0)
        until(lambda: client.wait(job, 0.1)[0] == "failed")
    assert target.process.poll() is None
