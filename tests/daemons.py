"""Daemons for tests: real processes, in directories of their own, with a worker that obeys.

As a module it is also that worker's entry: what a job does, its parcel's meta say.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import impasto
from impasto.backends import Parcel, Progress, Sketch
from impasto.client import Client, connect
from impasto.client.handshake import greet
from impasto.client.place import Address, read_address
from impasto.job import Job

TESTS = Path(__file__).parent
SOURCES = Path(impasto.__file__).parents[1]


def warm_up() -> dict[str, str]:
    return {"device": "none", "engine": "obedient"}


def perform(job: Job, parcel: Parcel, progress: Progress, sketch: Sketch) -> Parcel:
    """Do what the meta's `act` says, by default hand the data back."""
    act, seconds = parcel.meta.get("act"), parcel.meta.get("seconds", 0.0)
    began = time.monotonic()
    progress(0.0, "beginning")
    if act == "sketch":
        for number in range(3):
            sketch(b"sketch %d" % number)
            time.sleep(seconds)
            progress(number / 3, "sketching")
    while act == "work" and time.monotonic() - began < seconds:
        time.sleep(0.01)
        progress(min((time.monotonic() - began) / seconds, 1.0), "working")
    if act == "deaf":
        time.sleep(seconds)
    if act == "eat":
        raise MemoryError
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "stumble":
        raise ZeroDivisionError("a fault")
    if act == "leave a child":
        subprocess.Popen(["sleep", str(seconds)])
    if act == "note":
        with Path(parcel.meta["file"]).open("a") as file:
            file.write(parcel.meta["name"] + "\n")
    return Parcel(parcel.data, parcel.meta)


def picture(act: str = "", seconds: float = 0.0, **more: Any) -> dict[str, Any]:
    """The meta of a parcel that makes the worker `act`."""
    return {"kind": "file", "name": "picture", "act": act, "seconds": seconds, **more}


class Running:
    """A daemon process and its directories."""

    def __init__(self, process: subprocess.Popen[bytes], runtime: Path, state: Path) -> None:
        self.process = process
        self.runtime = runtime
        self.state = state

    @property
    def address(self) -> Address:
        return read_address(self.runtime)

    @property
    def log(self) -> str:
        return (self.state / "daemon.log").read_text()

    def connect(self, **options: Any) -> Client:
        return connect(start=False, **options)


@contextlib.contextmanager
def directories() -> Iterator[tuple[Path, Path]]:
    """Runtime and state directories, and the environment that names them. The names are short: a
    socket's path must be, and pytest's are not."""
    root = Path(tempfile.mkdtemp(prefix="impasto-test-"))
    names = {"IMPASTO_RUNTIME_DIR": root / "run", "IMPASTO_STATE_DIR": root / "state"}
    path = os.pathsep.join([str(SOURCES), str(TESTS), os.environ.get("PYTHONPATH", "")])
    wanted = {name: str(value) for name, value in names.items()} | {"PYTHONPATH": path}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield root / "run", root / "state"
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def daemon(*options: str) -> Iterator[Running]:
    """Start a daemon as `python daemons.py OPTIONS` and wait until it answers; end it at last."""
    with directories() as (runtime, state):
        process = subprocess.Popen([sys.executable, __file__, *options])
        try:
            until((runtime / "daemon.json").exists)
            yield Running(process, runtime, state)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def unharmed(running: Running) -> Iterator[None]:
    """Whatever happens inside, the daemon must serve honest clients afterwards, and not have grown."""
    from impasto.daemon.lifecycle import memory_mb

    serve_honestly(running)
    before = memory_mb(running.process.pid) or 0.0
    yield
    serve_honestly(running)
    assert (memory_mb(running.process.pid) or 0.0) - before < 40


def serve_honestly(running: Running) -> None:
    with running.connect() as client:
        assert bytes(client.run("{}", picture(), b"honest")[1]) == b"honest"


def dial(running: Running) -> socket.socket:
    """A bare connection, before the handshake."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(running.address.socket)
    sock.settimeout(10)
    return sock


def admitted(running: Running) -> socket.socket:
    """A bare connection after an honest handshake: its owner has the token, and turns bad."""
    sock = dial(running)
    greet(sock, running.address.token)
    sock.settimeout(10)
    return sock


def is_dropped(sock: socket.socket, seconds: float = 1.0) -> bool:
    """Whether the daemon hangs up within so many seconds, whatever it says before."""
    sock.settimeout(seconds)
    try:
        while sock.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def until(true: Callable[[], object], seconds: float = 15.0) -> float:
    """Wait until something is true; returns how long that took, fails when it does not come."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main() -> None:
    from impasto.daemon.lifecycle import Daemon

    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=float, default=0.0)
    parser.add_argument("--entry", default="daemons")
    parser.add_argument("--tcp", action="store_true")
    args = parser.parse_args()
    Daemon(args.idle, args.entry, unix=not args.tcp).serve()


if __name__ == "__main__":
    main()
