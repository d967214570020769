"""Whose turn it is to paint, and that nobody at an editor waits for a batch."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemons import Running, daemon, until
from impasto.backends.turns import Turns
from impasto.errors import Cancelled

EXAMPLE = Path(__file__).parents[1] / "examples" / "roman-colosseum.jpg"
KIND = {"kind": "file", "name": "a.jpg"}
JOB = '{"look": {"style": "great-wave"}}'


def nothing() -> None:
    pass


class Workers:
    """Threads that take turns, and a diary of what they did."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.diary: list[str] = []
        self.threads: list[threading.Thread] = []

    def start(self, name: str, rank: int, work: Callable[[], None] = nothing) -> None:
        def run() -> None:
            with self.turns.rank(rank), self.turns.turn(nothing):
                self.diary.append(name)
                work()
                self.diary.append(f"{name} ends")

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)


def test_one_at_a_time_the_most_urgent_first() -> None:
    workers, go = Workers(), threading.Event()
    workers.start("first", 2, lambda: assert_true(go.wait(10)))
    until(lambda: workers.diary == ["first"])
    for number, (name, rank) in enumerate([("batch", 2), ("normal", 1), ("normal too", 1), ("urgent", 0)]):
        workers.start(name, rank)
        until(lambda number=number: len(workers.turns._waiting) == number + 1)
    go.set()
    workers.join()
    order = [name for name in workers.diary if not name.endswith("ends")]
    assert order == ["first", "urgent", "normal", "normal too", "batch"]
    assert workers.diary[1::2] == [f"{name} ends" for name in order]


def assert_true(value: object) -> None:
    assert value


def test_who_has_begun_steps_aside_for_the_more_urgent_only() -> None:
    workers, come = Workers(), threading.Event()

    def patient() -> None:
        come.set()
        until(lambda: len(workers.turns._waiting) == 2)
        workers.turns.give_way(nothing)
        workers.diary.append("goes on")

    workers.start("batch", 2, patient)
    come.wait(10)
    workers.start("another", 2)
    until(lambda: len(workers.turns._waiting) == 1)
    workers.start("urgent", 0)
    workers.join()
    assert workers.diary == [
        "batch", "urgent", "urgent ends", "goes on", "batch ends", "another", "another ends",
    ]  # fmt: skip


def test_who_waits_can_be_stopped() -> None:
    turns = Turns()

    def stop() -> None:
        raise Cancelled("stop")

    ended: list[str] = []

    def wait() -> None:
        try:
            with turns.turn(stop):
                ended.append("painted")
        except Cancelled:
            ended.append("cancelled")

    with turns.turn(nothing):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(10)
        assert ended == ["cancelled"]
        assert turns._waiting == []
    with turns.turn(nothing):
        pass


@pytest.fixture(scope="module")
def painting() -> Iterator[Running]:
    with daemon("--entry", "impasto.backends.work") as running:
        with running.connect() as client:
            until(lambda: client.status()["worker"]["state"] == "ready", 120)
        yield running


@pytest.mark.skipif(os.name != "posix", reason="the daemon's tests use POSIX")
def test_an_interactive_job_is_painted_before_the_batch_that_had_begun(painting: Running) -> None:
    """The batch paints the whole picture at a fine scale, which takes seconds."""
    data = EXAMPLE.read_bytes()
    fine = '{"look": {"style": "kiss", "scale": 0.35}}'
    with painting.connect() as batch, painting.connect() as editor:
        alone = time.monotonic()
        expected = bytes(editor.run(JOB, KIND, data, priority="interactive")[1])
        alone = time.monotonic() - alone
        jobs = [batch.submit(fine, KIND, data, "batch") for _ in range(2)]
        until(lambda: any(batch.wait(job, 0.02)[2] == "painting" for job in jobs))
        asked, begun = time.monotonic(), []

        def progress(fraction: float, text: str) -> None:
            if text == "painting":
                begun.append(time.monotonic() - asked)

        result = bytes(editor.run(JOB, KIND, data, progress, priority="interactive")[1])
        unfinished = [job for job in jobs if batch.wait(job)[0] != "done"]
        assert result == expected
        assert len(unfinished) == 2
        assert begun[0] < max(0.5, 2 * alone)  # on a busy machine, all takes longer
        pictures = []
        for job in jobs:
            until(lambda job=job: batch.wait(job, 0.2)[0] == "done", 60)
            pictures.append(bytes(batch.result(job)[1]))
        assert pictures[0] == pictures[1] == bytes(batch.run(fine, KIND, data)[1])
