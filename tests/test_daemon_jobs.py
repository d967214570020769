"""Jobs in the daemon: whose turn it is, how they end, and how fast pixels travel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons import Running, alive, daemon, picture, until
from impasto.client import ENDED, Cancelled, Client, JobFailed
from impasto.client.wire import PIECE
from impasto.daemon.queue import LARGE
from impasto.daemon.session import MAX_BYTES, MAX_JOBS, MAX_PIXELS, check_parcel
from impasto.errors import ImpastoError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tests use POSIX signals")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with daemon() as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with running.connect() as client:
        yield client


def fails(name: str, pattern: str) -> Any:
    """Expect a job's error of that name, with a sentence that matches."""

    def check(error: BaseException) -> bool:
        return isinstance(error, JobFailed) and error.name == name

    return pytest.raises(JobFailed, match=pattern, check=check)


def best(times: int, enough: float, action: Callable[[], object]) -> float:
    """Seconds of the first run that takes less than `enough`, else of the fastest of all."""
    fastest = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        action()
        fastest = min(fastest, time.perf_counter() - began)
        if fastest < enough:
            break
    return fastest


@pytest.mark.parametrize(("shared_memory", "seconds"), [(True, 0.2), (False, 1.5)])
def test_96_megabytes_there_and_back(running: Running, shared_memory: bool, seconds: float) -> None:
    data = os.urandom(1 << 20) * 96
    with running.connect(shared_memory=shared_memory) as client:
        _, back = client.run("{}", picture(), data)
        assert bytes(back) == data
        took = best(10, seconds, lambda: client.run("{}", picture(), data))
    assert took < seconds, f"{took:.2f} s"


def test_a_small_job_costs_a_few_milliseconds(client: Client) -> None:
    assert best(10, 0.03, lambda: client.run("{}", picture(), b"pixels")) < 0.03


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1])
@pytest.mark.parametrize("data_type", [bytes, bytearray, memoryview])
def test_pieces_of_any_size_make_the_whole(running: Running, size: int, data_type: type) -> None:
    data = os.urandom(size)
    with running.connect(shared_memory=False) as client:
        assert bytes(client.run("{}", picture(), data_type(data))[1]) == data


def test_pixels_fall_back_to_pieces_where_the_file_is_not_seen(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for an editor in a sandbox with a /dev/shm of its own."""
    begin, outcome = client.begin, client.outcome

    def begin_elsewhere(*args: Any) -> tuple[int, str]:
        job, path = begin(*args)
        return job, f"/elsewhere{path}"

    def outcome_elsewhere(job: int) -> tuple[dict[str, Any], int, str]:
        meta, size, path = outcome(job)
        return meta, size, f"/elsewhere{path}"

    monkeypatch.setattr(client, "begin", begin_elsewhere)
    monkeypatch.setattr(client, "outcome", outcome_elsewhere)
    data = os.urandom(3 * PIECE + 5)
    assert bytes(client.run("{}", picture(), data)[1]) == data


def test_progress_is_told_as_it_comes(client: Client) -> None:
    heard: list[tuple[float, str]] = []
    client.run("{}", picture("work", 0.5), b"x", lambda fraction, text: heard.append((fraction, text)))
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(set(fractions)) > 5
    assert "working" in {text for _, text in heard}


def test_sketches_are_handed_over_as_they_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    client.run("{}", picture("sketch", 0.5), b"x", sketch=seen.append)
    assert seen == [b"sketch 0", b"sketch 1", b"sketch 2"]
    job = client.submit("{}", picture("sketch", 30.0), b"x")
    until(lambda: client.sketch(job) == b"sketch 0")
    assert client.sketch(job) == b""
    client.release(job)


def test_a_daemon_that_knows_no_sketches_is_not_asked_for_them(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = client.status()
    assert status.pop("offers") == ["sketch"]
    monkeypatch.setattr(client, "status", lambda: status)
    seen: list[bytes] = []
    client.run("{}", picture("sketch", 0.2), b"x", sketch=seen.append)
    assert seen == []


def test_the_end_is_told_at_once(client: Client) -> None:
    """No polling interval between the job's end and the answer."""
    delays: list[float] = []
    for _ in range(5):
        job = client.submit("{}", picture("deaf", 0.15), b"x")
        while client.wait(job, 0.2)[0] != "running":
            pass
        began = time.monotonic()
        while client.wait(job, 0.2)[0] not in ENDED:
            pass
        delays.append(time.monotonic() - began - 0.15)
        client.release(job)
    assert min(delays) < 0.03


def test_who_is_in_a_hurry_goes_first(client: Client, tmp_path: Path) -> None:
    """Large pictures, because those are under way one at a time."""
    diary, large = str(tmp_path / "diary"), bytes(LARGE + 1)
    blocker = client.submit("{}", picture("work", 1.0), large, "interactive")
    until(lambda: client.wait(blocker, 0.1)[0] == "running")
    order = ["batch", "batch", "normal", "interactive", "normal", "interactive"]
    jobs = [
        client.submit("{}", picture("note", file=diary, name=f"{priority} {number}"), large, priority)
        for number, priority in enumerate(order)
    ]
    assert client.status()["queue"]["waiting"] == {"interactive": 2, "normal": 2, "batch": 2}
    for job in [blocker, *jobs]:
        until(lambda job=job: client.wait(job, 0.2)[0] == "done")
        client.release(job)
    assert Path(diary).read_text().split("\n")[:-1] == [
        "interactive 3",
        "interactive 5",
        "normal 2",
        "normal 4",
        "batch 0",
        "batch 1",
    ]


def test_two_of_a_kind_are_under_way_and_who_is_in_a_hurry_does_not_wait(client: Client) -> None:
    jobs = [client.submit("{}", picture("work", 1.0), b"x", "batch") for _ in range(3)]
    until(lambda: len(client.status()["queue"]["running"]) == 2)
    began = time.monotonic()
    client.run("{}", picture(), b"x", priority="interactive")
    assert time.monotonic() - began < 0.3
    queue = client.status()["queue"]
    assert [job["job"] for job in queue["running"]] == jobs[:2]
    assert queue["waiting"]["batch"] == 1
    for job in jobs:
        client.release(job)


@pytest.mark.parametrize("act", ["die", "eat"])
def test_who_was_only_near_is_tried_again(client: Client, act: str) -> None:
    """One job kills the worker, or takes all its memory; the other one beside it is done in the end."""
    innocent = client.submit("{}", picture("work", 0.5), b"innocent", "batch")
    until(lambda: client.wait(innocent, 0.1)[1] > 0)
    with pytest.raises(JobFailed):
        client.run("{}", picture(act), b"x", priority="batch")
    until(lambda: client.wait(innocent, 0.2)[0] in ENDED)
    assert bytes(client.result(innocent)[1]) == b"innocent"


@pytest.mark.parametrize("act", ["work", "deaf"])
@pytest.mark.parametrize("how", ["event", "function", "exception"])
def test_cancel_takes_less_than_a_second(client: Client, act: str, how: str) -> None:
    event = threading.Event()
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        event.set()

    def progress(fraction: float, text: str) -> None:
        if how == "exception" and event.is_set():
            raise InterruptedError

    until(lambda: client.status()["worker"]["state"] == "ready")
    stop = {"event": event, "function": event.is_set, "exception": None}[how]
    timer = threading.Timer(0.3, ask)
    timer.start()
    with pytest.raises(InterruptedError if how == "exception" else Cancelled):
        client.run("{}", picture(act, 30.0), b"x", progress, stop)
    assert time.monotonic() - asked[0] < 0.4
    _, data = client.run("{}", picture(), b"next")
    assert bytes(data) == b"next"
    assert client.status()["memory_mb"]["pixels"] == 0


def test_a_job_that_waits_can_be_cancelled(client: Client) -> None:
    first = client.submit("{}", picture("work", 0.5), b"x")
    second = client.submit("{}", picture(), b"x")
    client.cancel(second)
    assert client.wait(second)[0] == "cancelled"
    with pytest.raises(Cancelled):
        client.result(second)
    until(lambda: client.wait(first, 0.2)[0] == "done")
    client.cancel(first)  # too late, and harmless
    assert client.wait(first)[0] == "done"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_client_that_dies_takes_its_jobs_along(
    running: Running, client: Client, number: signal.Signals
) -> None:
    program = (
        "import daemons\n"
        "from impasto.client import connect\n"
        "client = connect(start=False)\n"
        "client.submit('{}', daemons.picture(), bytes(5_000_000))\n"
        "client.run('{}', daemons.picture('work', 60.0), bytes(20_000_000))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    try:
        until(lambda: any(job["fraction"] > 0 for job in client.status()["queue"]["running"]))
        assert client.status()["memory_mb"]["pixels"] == 25 + 5  # both pictures, and the first result
        process.send_signal(number)
        took = until(lambda: not client.status()["queue"]["running"])
        assert took < 0.5
        until(lambda: client.status()["memory_mb"]["pixels"] == 0, 0.5)
        process.wait(10)
    finally:
        process.kill()
        _, errors = process.communicate(timeout=10)
    assert process.returncode == -number
    assert (b"KeyboardInterrupt" in errors) == (number == signal.SIGINT)


def test_a_killed_worker_is_told_and_replaced(client: Client) -> None:
    until(lambda: client.status()["worker"]["state"] == "ready")
    pid = client.status()["worker"]["pid"]
    job = client.submit("{}", picture("work", 60.0), b"x")
    until(lambda: client.wait(job, 0.1)[0] == "running")
    os.kill(pid, signal.SIGKILL)
    until(lambda: client.wait(job, 0.2)[0] == "failed", 1.0)
    with fails("WorkerLost", "stopped unexpectedly .*try again or use a smaller picture") as caught:
        client.outcome(job)
    assert caught.value.retry
    assert caught.value.code == 5
    client.release(job)
    assert bytes(client.run("{}", picture(), b"next")[1]) == b"next"
    assert client.status()["worker"]["pid"] not in (None, pid)
    assert not alive(pid)


def test_a_job_that_fails_says_why(client: Client) -> None:
    with fails("OutOfMemory", "not enough memory"):
        client.run("{}", picture("eat"), b"x")
    with fails("ImpastoError", "ZeroDivisionError"):
        client.run("{}", picture("stumble"), b"x")
    with fails("JobError", "did you mean “look”"):
        client.run('{"lok": {}}', picture(), b"x")
    with fails("UsageError", "priority must be one of"):
        client.run("{}", picture(), b"x", priority="urgent")


def test_jobs_out_of_order_are_refused(client: Client) -> None:
    job, _ = client.begin("{}", picture(), 10)
    with fails("DaemonError", "no result yet; it is filling"):
        client.outcome(job)
    with fails("DaemonError", "Bytes 5 to 11 lie outside the 10"):
        client.push(job, 5, b"sixsix")
    with fails("DaemonError", "lie outside"):
        client.push(job, -1, b"x")
    with fails("DaemonError", "A piece has 1 to"):
        client.push(job, 0, bytes(PIECE + 1))
    client.push(job, 0, b"0123456789")
    client.start(job)
    with fails("DaemonError", "was started before"):
        client.start(job)
    with fails("DaemonError", "takes no more data"):
        client.push(job, 0, b"x")
    until(lambda: client.wait(job, 0.2)[0] == "done")
    with fails("DaemonError", "lie outside"):
        client.pull(job, 9, 2)
    assert client.pull(job, 3, 4) == b"3456"
    client.release(job)
    for step in (client.start, client.wait, client.outcome, client.cancel, client.release):
        with fails("DaemonError", f"has no job {job}"):
            step(job)


def test_a_job_is_its_owner_s_alone(running: Running, client: Client) -> None:
    job = client.submit("{}", picture(), b"secret")
    with running.connect() as other, fails("DaemonError", "has no job"):
        other.result(job)
    until(lambda: client.wait(job, 0.2)[0] == "done")
    assert bytes(client.result(job)[1]) == b"secret"


def test_a_client_may_hold_so_many_jobs(running: Running) -> None:
    with running.connect() as client:
        for _ in range(MAX_JOBS):
            client.begin("{}", picture(), 1)
        with fails("DaemonError", "jobs at a time"):
            client.begin("{}", picture(), 1)
    with running.connect() as client:
        client.begin("{}", picture(), 1)


PIXELS = '{"kind": "pixels", "width": 2, "height": 3, "channels": 4, "dtype": "uint16"}'


@pytest.mark.parametrize(
    ("meta", "size", "sentence"),
    [
        ("[]", 1, "must have the kind"),
        ("{", 1, "not valid JSON"),
        ("[" * 100_000, 1, "not valid JSON"),
        ('{"kind": "netref"}', 1, "must have the kind"),
        ('{"kind": "file"}', 0, "has 1 to"),
        ('{"kind": "file"}', MAX_BYTES + 1, "has 1 to"),
        (PIXELS, 47, "2 x 3 pixels of 4 channels are 48 bytes, not 47"),
        (PIXELS.replace("2", "true"), 48, "whole numbers from 1"),
        (PIXELS.replace("2", "-2"), 48, "whole numbers from 1"),
        (PIXELS.replace("uint16", "object"), 48, "dtype must be one of"),
        (PIXELS.replace("3", str(MAX_PIXELS)), 48, "million are too many"),
    ],
)
def test_a_parcel_is_what_it_says(meta: str, size: int, sentence: str) -> None:
    assert check_parcel(PIXELS, 48)["width"] == 2
    with pytest.raises(ImpastoError, match=sentence):
        check_parcel(meta, size)


def test_a_client_can_be_used_from_many_threads(client: Client) -> None:
    results: list[bytes] = []

    def paint(number: int) -> None:
        data = bytes([number]) * 100_000
        results.append(bytes(client.run("{}", picture("work", 0.05), data)[1]))

    threads = [threading.Thread(target=paint, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [bytes([number]) * 100_000 for number in range(8)]
