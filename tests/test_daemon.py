"""The daemon's life: it comes when called, is alone, and goes when it is not needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import alive, daemon, directories, picture, until
from impasto import __version__
from impasto.backends import Parcel
from impasto.backends.daemon import DaemonBackend, running_daemon
from impasto.client import PROTOCOL, ConnectionLost, NoDaemon, connect
from impasto.job import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tests use POSIX signals")

HELPER = str(Path(__file__).with_name("daemons.py"))
EXAMPLE = Path(__file__).parents[1] / "examples" / "roman-colosseum.jpg"


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory without a daemon; one that comes is stopped at last."""
    with directories() as (runtime, _):
        yield runtime
        try:
            with connect(start=False) as client:
                client.stop()
        except NoDaemon:
            pass


def impasto(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "impasto", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_paints_what_this_process_paints(runtime: Path) -> None:
    """The whole road with the real networks: started on demand, pixels through shared memory."""
    from impasto.backends.local import LocalBackend

    job = Job.from_dict({"look": {"style": "great-wave"}})
    parcel = Parcel(EXAMPLE.read_bytes(), {"kind": "file", "name": EXAMPLE.name})
    backend = DaemonBackend(connect())
    heard: list[float] = []
    painted = backend.run(job, parcel, lambda fraction, text: heard.append(fraction))
    assert bytes(painted.data) == bytes(LocalBackend().run(job, parcel, lambda fraction, text: None).data)
    assert heard == sorted(heard)
    status = backend.client.status()
    assert status["worker"]["engine"] == painted.meta["report"]["engine"]
    assert status["queue"]["done"] == 1
    backend.close()


def test_serve_status_stop(runtime: Path) -> None:
    missing = impasto("status")
    assert missing.returncode == 5
    assert missing.stderr == "impasto: No Impasto daemon is running; “impasto serve” starts one.\n"
    assert impasto("stop").returncode == 5

    served = impasto("serve", "--detach", "--idle", "3")
    assert served.returncode == 0, served.stderr
    status = json.loads(impasto("status", "--json").stdout)
    assert status["version"] == __version__
    assert status["protocol"] == PROTOCOL
    assert served.stdout == f"The daemon is running, pid {status['pid']}.\n"
    assert status["idle_limit"] == 180
    assert Path(status["log"]).exists()
    assert "after 3 min without work" in impasto("status").stdout

    second = impasto("serve")
    assert second.returncode == 5
    assert "already running" in second.stderr
    assert impasto("stop").stdout == "The daemon has stopped.\n"
    assert not alive(status["pid"])
    assert running_daemon() is None


def test_two_programs_that_start_it_get_one(runtime: Path) -> None:
    program = (
        "import sys; from impasto.client import connect\n"
        f"with connect(command=[sys.executable, {HELPER!r}]) as client: print(client.status()['pid'])"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    pids = {process.communicate(timeout=60)[0] for process in programs}
    assert len(pids) == 1
    assert all(process.returncode == 0 for process in programs)


def test_it_follows_one_that_was_killed() -> None:
    with daemon() as first:
        client = first.connect()
        worker = client.status()["worker"]["pid"]
        job, segment = client.begin("{}", picture(), 1000)
        first.process.kill()
        first.process.wait()
        assert until(lambda: not alive(worker)) < 1.0
        with pytest.raises(ConnectionLost, match="was lost; try again"):
            client.start(job)
        with pytest.raises(NoDaemon):
            first.connect()
        assert Path(segment).exists()
        with connect(command=[sys.executable, HELPER]) as client:
            assert not Path(segment).exists()
            _, data = client.run("{}", picture(), b"pixels")
            assert bytes(data) == b"pixels"
            client.stop()


def test_a_new_one_takes_over_from_one_that_is_ending() -> None:
    with daemon() as first:
        client = first.connect()
        client.submit("{}", picture("deaf", 30.0), b"x")  # so that it takes a second to end
        until(lambda: client.status()["queue"]["running"])
        first.process.terminate()
        until(lambda: not (first.runtime / "daemon.json").exists())
        with connect(command=[sys.executable, HELPER]) as client:
            assert client.status()["pid"] != first.process.pid
            client.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with daemon() as running:
        client = running.connect()
        worker = client.status()["worker"]["pid"]
        client.submit("{}", picture("work", 30.0), b"x")
        segment = Path(client.begin("{}", picture(), 1000)[1])
        assert segment.exists()
        running.process.send_signal(number)
        assert running.process.wait(5) == 0
        assert not alive(worker)
        assert {path.name for path in running.runtime.iterdir()} == {"daemon.lock"}
        assert not segment.parent.exists()
        assert running.log.rstrip().endswith("The daemon ends.")
        with pytest.raises(ConnectionLost):
            client.status()


def test_it_ends_when_idle_but_not_at_work() -> None:
    with daemon("--idle", "0.02") as running:  # 1.2 s
        with running.connect() as client:
            client.run("{}", picture("work", 2.5), b"x")
            ended = time.monotonic()
            assert running.process.poll() is None
            while running.process.poll() is None:
                time.sleep(0.02)
                assert time.monotonic() - ended < 5.0
        assert time.monotonic() - ended > 0.8
        assert running.process.returncode == 0
        assert "No work for" in running.log


def test_it_stays_light() -> None:
    """The networks live in the worker; the daemon itself must cost next to nothing."""
    program = "import json, sys, impasto.daemon.lifecycle; print(json.dumps(sorted(sys.modules)))"
    with directories():
        output = subprocess.check_output([sys.executable, "-c", program])
    assert not {"numpy", "openvino", "torch", "PIL", "pyvips"} & set(json.loads(output))


def test_the_log_tells_the_story_of_a_job() -> None:
    with daemon() as running:
        with running.connect() as client:
            client.run("{}", picture(), b"pixels", priority="batch")
        until(lambda: " done after " in running.log)
        log = running.log
        assert f"Impasto {__version__}, protocol {PROTOCOL}, pid {running.process.pid}" in log
        assert "begins: file, 6 bytes, batch" in log


def test_it_works_over_tcp_where_there_are_no_unix_sockets() -> None:
    with daemon("--tcp") as running:
        assert running.address.socket == ""
        assert not (running.runtime / "daemon.sock").exists()
        for shared_memory in (True, False):
            with running.connect(shared_memory=shared_memory) as client:
                _, data = client.run("{}", picture(), b"pixels" * 500_000)
                assert bytes(data) == b"pixels" * 500_000


def test_a_log_that_cannot_be_written_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    with directories():
        monkeypatch.setenv("IMPASTO_STATE_DIR", "/dev/null/state")
        with pytest.raises(NoDaemon, match=r"cannot be written .*; set IMPASTO_STATE_DIR"):
            connect()


def test_a_runtime_directory_with_a_long_name_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with directories():
        monkeypatch.setenv("IMPASTO_RUNTIME_DIR", str(tmp_path / ("x" * 120)))
        with pytest.raises(NoDaemon, match="too long for a socket; set IMPASTO_RUNTIME_DIR"):
            connect()
