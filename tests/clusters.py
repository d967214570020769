"""A Ray cluster of several machines, simulated by processes on this one, with token authentication."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemons import SOURCES, TESTS

STORE = 100_000_000
"""Bytes of shared memory of each machine."""

STARTS = 3
"""How often a machine is started before it counts as unable to."""


class Busy(Exception):
    """Ray gives up when its helpers do not answer within 15 s, which no setting of it changes."""


@dataclass
class Machine:
    """One of them: all processes of one `ray start`, which are a process group.

    Raises:
        Busy: this computer is too slow for Ray just now.
        AssertionError: it does not start, with what Ray said.
    """

    folder: Path
    environment: dict[str, str]
    words: list[str]

    def __post_init__(self) -> None:
        log = self.folder / f"{secrets.token_hex(4)}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        for _ in range(STARTS):
            with log.open("w") as said:
                self.process = subprocess.Popen(
                    [*command, f"--object-store-memory={STORE}", *self.words],
                    env=self.environment,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            deadline = time.monotonic() + 60
            while self.process.poll() is None and time.monotonic() < deadline:
                if "Ray runtime started" in log.read_text():
                    return
                time.sleep(0.1)
            self.kill()
        told = "".join(path.read_text() for path in self.folder.glob("session_latest/logs/raylet*.out"))
        if "Timed out waiting for file" in told:
            raise Busy
        raise AssertionError(f"Ray does not start: {log.read_text()}{told[-2000:]}")

    def kill(self) -> None:
        """End it as a power failure does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Simulated:
    """The cluster.

    Attributes:
        address: of the head, which has no cores of its own: it only keeps the lists.
        ending: ends all machines.
        machines: that paint.
    """

    address: str
    folder: Path
    environment: dict[str, str]
    head: Machine
    ending: contextlib.ExitStack
    machines: list[Machine] = field(default_factory=list)

    def add(self, cores: int = 1) -> Machine:
        """A machine more, when it is up: two that start at once would take the same sockets."""
        words = [f"--address={self.address}", f"--num-cpus={cores}", "--num-gpus=0"]
        machine = Machine(self.folder, self.environment, words)
        self.ending.callback(machine.kill)
        self.machines.append(machine)
        return machine

    def fail(self) -> None:
        """Lose all of it at once, workers too: as long as one is left, Ray takes its head for running."""
        for machine in (self.head, *self.machines):
            machine.kill()
        self.machines.clear()
        port = self.address.rpartition(":")[2].encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if any(w.startswith(b"--gcs-address=") and w.endswith(b":" + port) for w in words):
                    os.kill(int(path.name), signal.SIGKILL)

    def restart(self, machines: int) -> None:
        """Another cluster at the same address, as somebody starts it after a failure."""
        self.head = Machine(self.folder, self.environment, self.head.words)
        self.ending.callback(self.head.kill)
        for _ in range(machines):
            self.add()

    def painters(self) -> list[int]:
        """Pids of the painters, by the title that Ray gives them."""
        found: list[int] = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                title = (path / "cmdline").read_bytes()
                if title.startswith(b"ray::Painter") and self.token in (path / "environ").read_bytes():
                    found.append(int(path.name))
        return sorted(found)

    @property
    def token(self) -> bytes:
        return self.environment["RAY_AUTH_TOKEN"].encode()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def cluster(machines: int = 2, cores: int = 1) -> Iterator[Simulated]:
    """A head without cores and so many machines, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: sockets lie in it
    names = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "60000",
        "RAY_health_check_failure_threshold": "4",
        "PYTHONPATH": os.pathsep.join([str(SOURCES), str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    address = f"127.0.0.1:{free_port()}"
    words = ["--head", f"--port={address.rpartition(':')[2]}", "--num-cpus=0", "--num-gpus=0"]
    words += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--temp-dir={folder}"]
    environment = dict(os.environ)
    try:
        with contextlib.ExitStack() as ending:
            head = Machine(folder, environment, words)
            ending.callback(head.kill)
            simulated = Simulated(address, folder, environment, head, ending)
            for _ in range(machines):
                simulated.add(cores)
            yield simulated
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)
