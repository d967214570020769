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


@dataclass
class Machine:
    """One of them: all processes of one `ray start`, which are a process group."""

    process: subprocess.Popen[bytes]

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
        machines: that paint.
    """

    address: str
    folder: Path
    environment: dict[str, str]
    head: Machine
    machines: list[Machine] = field(default_factory=list)

    def add(self, cores: int = 1) -> Machine:
        """A machine more."""
        words = [f"--address={self.address}", f"--num-cpus={cores}", "--num-gpus=0"]
        self.machines.append(start(self.environment, words))
        return self.machines[-1]

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


def start(environment: dict[str, str], words: list[str]) -> Machine:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    process = subprocess.Popen(
        [*command, f"--object-store-memory={STORE}", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Machine(process)


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
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "3",
        "PYTHONPATH": os.pathsep.join([str(SOURCES), str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    address = f"127.0.0.1:{free_port()}"
    words = ["--head", f"--port={address.rpartition(':')[2]}", "--num-cpus=0", "--num-gpus=0"]
    words += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--temp-dir={folder}"]
    environment = dict(os.environ)
    simulated = Simulated(address, folder, environment, start(environment, words))
    try:
        wait_for(address)
        for _ in range(machines):
            simulated.add(cores)
        yield simulated
    finally:
        for machine in [*simulated.machines, simulated.head]:
            machine.kill()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(address: str, seconds: float = 60.0) -> None:
    """Wait until somebody listens there."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), 1.0).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the head did not start"
            time.sleep(0.1)
