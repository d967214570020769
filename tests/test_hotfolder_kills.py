"""The hot folder with real daemons and workers: kills at any moment, poison, and the command line."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons import alive, directories, until
from hotfolders import (
    Inverter,
    Publications,
    Watch,
    encoded,
    is_painting_of,
    many,
    names,
    once,
    perform,
    python,
    watching,
)
from impasto.backends import Parcel, Progress
from impasto.client import ClientError, connect
from impasto.errors import DaemonError, OutOfMemory, WorkerLost
from impasto.hotfolder.journal import Journal
from impasto.hotfolder.tree import State
from impasto.job import Job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc and counts by inotify")

PROGRAM = Path(__file__).with_name("hotfolders.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos"
    path.mkdir()
    return path


@pytest.fixture
def own_daemon() -> Iterator[None]:
    """Directories of our own; the daemon that is started in them is stopped at last."""
    with directories():
        yield
        with contextlib.suppress(ClientError), connect(start=False) as client:
            client.stop()


def command(*arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, str(PROGRAM), "watch", *map(str, arguments), "--style", "kiss"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pids() -> dict[str, int]:
    """Of the daemon and its worker, where there are some."""
    try:
        with connect(start=False) as client:
            status = client.status()
    except ClientError:
        return {}
    found = {"daemon": status["pid"], "worker": status["worker"]["pid"]}
    return {name: pid for name, pid in found.items() if pid}


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("own_daemon")
@pytest.mark.timeout(3600)
def test_killed_at_any_moment_each_picture_is_published_once(folder: Path) -> None:
    number, kills = many(60), many(20)
    photos = {f"{n:05}.png": encoded(n) for n in range(number)}
    chance = random.Random(7)
    done: Counter[str] = Counter()
    (folder / "impasto").mkdir()
    stop = threading.Event()

    def feed() -> None:
        for name, data in photos.items():
            (folder / name).write_bytes(data)
            stop.wait(kills / number)

    publications = Publications(folder / "impasto")
    feeder = threading.Thread(target=feed)
    feeder.start()
    watcher = command(folder, "--settle", 0.1, "--interval", 0.5)
    for victim in chance.sample(["watcher", "daemon", "worker"] * kills, kills):
        if victim != "watcher":
            until(lambda victim=victim: victim in pids(), 60)
        time.sleep(chance.uniform(0.0, 1.0))
        if victim == "watcher":
            watcher.kill()
        elif pid := pids().get(victim):
            kill(pid)
        done[victim] += 1
        if victim == "watcher" or watcher.poll() is not None:
            out, err = watcher.communicate()
            assert watcher.returncode == -signal.SIGKILL, err
            assert "failed" not in out
            watcher = command(folder, "--settle", 0.1, "--interval", 0.5)
    stop.set()
    feeder.join()
    states = {name: State.of((folder / name).stat()) for name in photos}
    until(lambda: len(names(folder / "impasto")) >= number, 60 + number / 5)
    time.sleep(0.5)
    watcher.send_signal(signal.SIGINT)
    out, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 130, err
    counted = publications.counted()
    assert counted == {name.replace(".", "-kiss."): 1 for name in photos}
    assert names(folder / "impasto") == sorted(counted)
    assert not list(folder.rglob("*.part"))
    for name, data in photos.items():
        assert is_painting_of(folder / "impasto" / name.replace(".", "-kiss."), data)
        assert (folder / name).read_bytes() == data
        assert State.of((folder / name).stat()) == states[name]
    journal = Journal(folder / ".impasto/journal.sqlite", folder)
    assert journal.counts() == {"painted": number}
    assert journal._one("PRAGMA integrity_check") == ("ok",)
    journal.close()
    assert len(done) == 3


STEPS = [
    "journal.Journal.begin",
    "publication.make_draft",
    "journal.Journal.publishing",
    "publication.put",
    "journal.Journal.painted",
]


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_the_last(folder: Path, step: str) -> None:
    """The process dies just after a step of a picture's life, which is just before the next."""
    (folder / "a.png").write_bytes(encoded(1))
    code = f"""
import os, sys
from pathlib import Path
from hotfolders import once
from impasto.hotfolder import journal, publication
owner = eval({step.rpartition(".")[0]!r})
name = {step.rpartition(".")[2]!r}
real = getattr(owner, name)
def deadly(*args, **options):
    if name == "make_draft" and args[-1] == b"is it writable?":
        return real(*args, **options)
    real(*args, **options)
    os._exit(9)
setattr(owner, name, deadly)
once(Path({str(folder)!r}))
"""
    assert python(code) == 9
    published = (folder / "impasto/a-kiss.png").exists()
    before = (folder / "impasto/a-kiss.png").stat().st_ino if published else None
    once(folder)
    assert names(folder) == ["a.png", "impasto/a-kiss.png"]
    assert is_painting_of(folder / "impasto/a-kiss.png", encoded(1))
    if before:
        assert (folder / "impasto/a-kiss.png").stat().st_ino == before
    assert once(folder).events == []


@pytest.mark.usefixtures("own_daemon")
def test_poison_fails_after_three_attempts_and_the_others_are_painted(folder: Path) -> None:
    (folder / "a poison.png").write_bytes(encoded(0))
    for n in range(6):
        (folder / f"{n}.png").write_bytes(encoded(n))
    watcher = command(folder, "--once", "--settle", 0.1, "--json")
    out, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 3, err
    events = [json.loads(line) for line in out.splitlines()]
    assert Counter(event["event"] for event in events) == {"painted": 6, "failed": 1}
    (failed,) = (event for event in events if event["event"] == "failed")
    assert failed["error_name"] == "WorkerLost"
    assert "attempt 3 of 3" in failed["error"]
    assert (folder / "impasto/failed/a poison.png.error.txt").exists()


def test_poison_in_our_own_process_fails_after_three_deaths(folder: Path) -> None:
    (folder / "poison.png").write_bytes(encoded(0))
    code = f"""
from pathlib import Path
from hotfolders import once
once(Path({str(folder)!r}), own_process=True, settle=0.0)
"""
    for _ in range(3):
        assert python(code) == -signal.SIGKILL
    assert "3 times" in once(folder, own_process=True).of("failed")[0].text


def test_when_every_picture_fails_the_pictures_are_not_to_blame(folder: Path) -> None:
    ill = threading.Event()
    ill.set()

    class Sickly(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            if ill.is_set():
                raise WorkerLost("The painting process cannot start.")
            return perform(job, parcel, progress)

    for n in range(5):
        (folder / f"{n}.png").write_bytes(encoded(n))
    with pytest.raises(WorkerLost):
        once(folder, connect=Sickly)
    with watching(folder, connect=Sickly) as watch:
        until(lambda: "cannot start" in watch.texts())
        ill.clear()
        until(lambda: len(watch.of("painted")) == 5)
    assert watch.of("failed") == []


def test_a_shortage_of_memory_passes_and_a_picture_too_large_fails(folder: Path) -> None:
    short = threading.Event()
    short.set()

    class Short(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            if short.is_set() or "large" in parcel.meta["name"]:
                raise OutOfMemory("There is not enough memory.")
            return perform(job, parcel, progress)

    for n in range(5):
        (folder / f"{n}.png").write_bytes(encoded(n))
    with watching(folder, connect=Short) as watch:
        until(lambda: "not enough memory" in watch.texts())
        short.clear()
        until(lambda: len(watch.of("painted")) == 5)
        assert watch.of("failed") == []
        (folder / "large.png").write_bytes(encoded(5))
        until(lambda: watch.of("failed"))
    assert "attempt 3 of 3" in watch.of("failed")[0].text


def test_what_is_tried_again_is_not_given_up_as_still_being_written(folder: Path) -> None:
    lost: list[str] = []

    class Stumbling(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            if not lost:
                lost.append(parcel.meta["name"])
                raise WorkerLost("The painting process died.")
            return perform(job, parcel, progress)

    for n in range(3):
        (folder / f"{n}.png").write_bytes(encoded(n))
    watch = once(folder, connect=Stumbling, settle=0.0)
    assert len(watch.of("painted")) == 3
    assert watch.of("skipped") == []


def test_without_a_daemon_nothing_is_lost(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded(0))
    there = threading.Event()

    def connect() -> Any:
        if not there.is_set():
            raise DaemonError("The daemon did not start.")
        return Inverter()

    with pytest.raises(DaemonError):
        once(folder, connect=connect)
    with watching(folder, connect=connect) as watch:
        until(lambda: "did not start" in watch.texts())
        there.set()
        until(lambda: len(watch.of("painted")) == 1)


def test_a_fault_of_ours_fails_one_picture(folder: Path) -> None:
    class Faulty(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            if parcel.meta["name"] == "0.png":
                raise ZeroDivisionError("a fault")
            return perform(job, parcel, progress)

    for n in range(3):
        (folder / f"{n}.png").write_bytes(encoded(n))
    watch = once(folder, connect=Faulty)
    assert len(watch.of("painted")) == 2
    assert "a fault" in watch.of("failed")[0].text


def test_no_more_than_a_few_pictures_are_held(folder: Path) -> None:
    held: list[int] = []

    class Counting(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            journal = watch.watcher.folders[0].journal
            held.append(journal.counts().get("running", 0))
            return perform(job, parcel, progress)

    for n in range(20):
        (folder / f"{n}.png").write_bytes(encoded(n))
    watch = Watch(folder, once=True, connect=Counting)
    watch.run()
    assert len(watch.of("painted")) == 20
    assert max(held) <= 5


@pytest.mark.usefixtures("own_daemon")
def test_the_command_watches_until_ctrl_c(folder: Path) -> None:
    watcher = command(folder, "--settle", 0.1, "--json")
    (folder / "a.png").write_bytes(encoded(0))
    assert watcher.stdout
    event = json.loads(watcher.stdout.readline())
    assert event["event"] == "painted"
    assert Path(event["output"]) == folder / "impasto/a-kiss.png"
    assert event["seconds"] > 0
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert err == "impasto: stopped.\n"
    assert not alive(watcher.pid)
    assert names(folder) == ["a.png", "impasto/a-kiss.png"]
    status = subprocess.run(
        [sys.executable, str(PROGRAM), "watch", "--status", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "painted    1" in status.stdout


def test_the_real_painter_without_a_daemon(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from impasto.cli import main

    (folder / "a.png").write_bytes(encoded(0, size=(60, 80)))
    arguments = ["watch", str(folder), "--once", "--no-daemon", "--settle", "0", "--style", "great-wave"]
    assert main(arguments) == 0
    assert b"Hokusai" in (folder / "impasto/a-great-wave.png").read_bytes()
    assert "1 picture painted" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "Nothing to paint" in capsys.readouterr().err
