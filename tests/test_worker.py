"""The worker: it works, stops, dies and comes back, and nobody else is hurt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import alive, directories, picture, until
from impasto.backends import Parcel
from impasto.backends.segments import Segments, private_directory, view
from impasto.backends.worker import WorkerBackend
from impasto.errors import Cancelled, ImpastoError, OutOfMemory, WorkerLost
from impasto.job import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tests use POSIX signals")

EXAMPLE = Path(__file__).parents[1] / "examples" / "roman-colosseum.jpg"


def ignore(fraction: float, text: str) -> None:
    pass


@pytest.fixture
def worker() -> Iterator[WorkerBackend]:
    with directories():
        backend = WorkerBackend("daemons")
        yield backend
        backend.close()


def echo(worker: WorkerBackend) -> None:
    """Make sure that the worker works."""
    data = os.urandom(100_000)
    result = worker.run(Job(), Parcel(data, picture()), ignore)
    assert bytes(result.data) == data


def worker_pid(worker: WorkerBackend) -> int:
    """The worker's pid, once it is ready."""
    worker.warm()
    until(lambda: worker.state["state"] == "ready")
    return worker.state["pid"]


def test_pixels_come_back_and_progress_rises(worker: WorkerBackend) -> None:
    heard: list[float] = []
    worker.run(Job(), Parcel(b"x", picture("work", 0.3)), lambda fraction, text: heard.append(fraction))
    assert heard == sorted(heard)
    assert len(set(heard)) > 5
    assert worker.state["engine"] == "obedient"
    echo(worker)


def test_nothing_is_left_behind(worker: WorkerBackend) -> None:
    echo(worker)
    with pytest.raises(WorkerLost):
        worker.run(Job(), Parcel(b"x", picture("die")), ignore)
    assert worker._segments.size() == 0
    directory = worker._segments.directories[0]
    worker.close()
    assert not directory.exists()


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        ("eat", OutOfMemory, "not enough memory"),
        ("stumble", ImpastoError, "ZeroDivisionError: a fault"),
        ("die", WorkerLost, "stopped unexpectedly .*try again or use a smaller picture"),
    ],
)
def test_failures_are_told_and_the_next_job_works(
    worker: WorkerBackend, act: str, error: type[ImpastoError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        worker.run(Job(), Parcel(b"x", picture(act)), ignore)
    assert type(caught.value) is error
    echo(worker)


def test_an_obedient_job_stops_and_its_worker_stays(worker: WorkerBackend) -> None:
    pid = worker_pid(worker)
    assert stop_after_a_while(worker, picture("work", 30.0)) < 0.5
    assert worker.state["pid"] == pid
    echo(worker)


def test_a_deaf_job_costs_its_worker_after_a_second(worker: WorkerBackend) -> None:
    pid = worker_pid(worker)
    assert 0.9 < stop_after_a_while(worker, picture("deaf", 30.0)) < 2.0
    assert not alive(pid)
    assert worker.state["pid"] != pid
    echo(worker)


def stop_after_a_while(worker: WorkerBackend, meta: dict[str, object]) -> float:
    """Cancel a job after 0.3 s; returns the seconds until it ended."""
    asked = time.monotonic() + 0.3

    def progress(fraction: float, text: str) -> None:
        if time.monotonic() > asked:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        worker.run(Job(), Parcel(b"x", meta), progress)
    return time.monotonic() - asked


def test_a_worker_killed_between_jobs_is_replaced(worker: WorkerBackend) -> None:
    pid = worker_pid(worker)
    os.kill(pid, signal.SIGKILL)
    until(lambda: worker.state["pid"] != pid)
    echo(worker)


def test_an_entry_that_cannot_be_imported_says_why() -> None:
    worker = WorkerBackend("no_such_module")
    with pytest.raises(WorkerLost, match=r"cannot start .*No module named 'no_such_module'"):
        worker.run(Job(), Parcel(b"x", picture()), ignore)
    worker.close()


def test_a_closed_worker_stays_closed(worker: WorkerBackend) -> None:
    pid = worker_pid(worker)
    worker.close()
    assert not alive(pid)
    with pytest.raises(WorkerLost, match="was stopped"):
        worker.run(Job(), Parcel(b"x", picture()), ignore)


@pytest.mark.parametrize("act", ["work", "deaf"])
def test_the_worker_dies_with_a_parent_that_is_killed(act: str) -> None:
    program = (
        "import sys, daemons\n"
        "from impasto.backends import Parcel\n"
        "from impasto.backends.worker import WorkerBackend\n"
        "from impasto.job import Job\n"
        "worker = WorkerBackend('daemons')\n"
        "def progress(fraction, text):\n"
        "    print(worker.state['pid'], worker._segments.directories[0], flush=True)\n"
        f"worker.run(Job(), Parcel(b'x', daemons.picture({act!r}, 60.0)), progress)\n"
    )
    with directories():
        parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert parent.stdout
        words = parent.stdout.readline().split()
        pid = int(words[0])
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert until(lambda: not alive(pid)) < 1.0
    directory = Path(words[1])
    os.utime(directory, (0, 0))
    WorkerBackend("daemons").close()  # the next one sweeps
    assert not directory.exists()


def test_the_worker_outlives_the_thread_that_asked_first(worker: WorkerBackend) -> None:
    thread = threading.Thread(target=worker_pid, args=(worker,))
    thread.start()
    thread.join()
    pid = worker.state["pid"]
    time.sleep(0.2)
    assert alive(pid)


def test_segments_take_the_directory_that_has_room(tmp_path: Path) -> None:
    directory = private_directory(tmp_path / "pixels")
    assert directory and directory.stat().st_mode & 0o777 == 0o700
    segments = Segments([directory])
    path = segments.write(b"abc")
    assert bytes(view(path)) == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutOfMemory, match="no room in memory"):
        segments.create(1 << 60)
    segments.sweep()
    assert segments.size() == 0


def test_a_process_that_the_worker_left_behind_holds_nobody_up() -> None:
    with directories():
        worker = WorkerBackend("daemons")
        worker.run(Job(), Parcel(b"x", picture("leave a child", 8.0)), ignore)
        began = time.monotonic()
        worker.close()
        assert time.monotonic() - began < 5


def test_openvino_calls_nobody() -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    code = (
        "import os, sys; os.environ['IMPASTO_DEVICE'] = 'openvino';"
        "from impasto.engines import engine; engine('auto');"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert private_directory(tmp_path / "open") is None
    (tmp_path / "link").symlink_to(tmp_path)
    assert private_directory(tmp_path / "link") is None


def test_a_photograph_is_painted_as_in_this_process() -> None:
    from impasto.backends.local import LocalBackend

    job = Job.from_dict({"look": {"style": "great-wave"}})
    parcel = Parcel(EXAMPLE.read_bytes(), {"kind": "file", "name": EXAMPLE.name})
    worker = WorkerBackend()
    try:
        painted = worker.run(job, parcel, ignore)
        assert worker.state["engine"] == painted.meta["report"]["engine"]
        assert bytes(painted.data) == bytes(LocalBackend().run(job, parcel, ignore).data)
    finally:
        worker.close()
