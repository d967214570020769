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
from impasto.backends.cluster import Cluster
from impasto.errors import DaemonError

STORE = 100_000_000
"""Bytes of shared memory of each machine."""


@dataclass
class Machine:
    """One of them: all processes of one `ray start`, which are a process group."""

    environment: dict[str, str]
    words: list[str]

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        self.process = subprocess.Popen(
            [*command, f"--object-store-memory={STORE}", *self.words],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def revive(self) -> bool:
        """Start it again if it has ended: Ray gives its helpers 15 s, which a busy machine may exceed."""
        ended = self.process.poll() is not None
        if ended:
            self.kill()
            self.start()
        return ended

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
        revived: how often one had to be started again.
    """

    address: str
    folder: Path
    environment: dict[str, str]
    head: Machine
    machines: list[Machine] = field(default_factory=list)
    revived: int = 0

    def add(self, cores: int = 1) -> Machine:
        """A machine more; two that started at once would take the same place, and one of them end."""
        words = [f"--address={self.address}", f"--num-cpus={cores}", "--num-gpus=0"]
        self._wait_for_places(1 + len(self.machines))
        self.machines.append(Machine(self.environment, words))
        self._wait_for_places(1 + len(self.machines))
        return self.machines[-1]

    def _wait_for_places(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while (
            len(list(self.folder.glob("session_*/sockets/raylet*"))) < count and time.monotonic() < deadline
        ):
            time.sleep(0.1)

    def revive(self) -> None:
        """Start again what could not start."""
        for machine in (self.head, *self.machines):
            self.revived += machine.revive()

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
        "RAY_raylet_start_wait_time_s": "120",
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
    simulated = Simulated(address, folder, environment, Machine(environment, words))
    try:
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


def joined_to(machines: Simulated, entry: str = "impasto.backends.work") -> Cluster:
    """The watching machine's side; on a busy machine, a cluster takes its time to come up."""
    deadline = time.monotonic() + 120
    while True:
        machines.revive()
        try:
            return Cluster(machines.address, entry, cores=1)
        except DaemonError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
