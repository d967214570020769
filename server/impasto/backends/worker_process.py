"""The worker's side of `WorkerBackend`: `python -m impasto.backends.worker_process ENTRY PARENT DIR…`.

It reads messages from stdin and writes them to stdout, one JSON object a line, and ends with stdin.
Each job has a thread of its own; how many there are at a time is the parent's business.

ENTRY is a module whose `perform` does the work. It may have a `warm_up`, which runs first and returns
facts of the worker, and a `watch`, which runs in a thread after that and may say more of them, or notes.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from impasto.backends import Parcel
from impasto.backends.faults import told
from impasto.backends.segments import Segments, result_name, view
from impasto.backends.turns import TURNS
from impasto.errors import Cancelled
from impasto.job import Job

PR_SET_PDEATHSIG = 1
SPACING = 0.02
"""Seconds between two progress messages of the same words."""

MOST_JOBS = 256
"""Threads at most; those that are free are used before another is made."""

Say = Callable[[dict[str, Any]], None]


class Inbox:
    """What the parent said: jobs in a queue, and the ids of those that are to stop."""

    def __init__(self, lines: TextIO) -> None:
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stopped: set[int] = set()
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()

    def _listen(self, lines: TextIO) -> None:
        for line in lines:
            message = json.loads(line)
            if message["do"] == "cancel":
                self.stopped.add(message["job"])
            else:
                self.jobs.put(message)
        os._exit(0)  # the parent has gone; whatever the main thread is at, nobody waits for it


def die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, even while it cannot read its input."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def volunteer_for_oom() -> None:
    """When memory runs out, the kernel shall take this process, not the daemon or the editor."""
    with contextlib.suppress(OSError):  # not Linux, or not allowed: then the kernel chooses
        Path("/proc/self/oom_score_adj").write_text("600")


def perform(
    entry: ModuleType, order: dict[str, Any], inbox: Inbox, segments: Segments, say: Say
) -> dict[str, Any]:
    """Do one job; returns the message that ends it."""
    number = order["job"]
    last, heard = 0.0, ""

    def check() -> None:
        if number in inbox.stopped:
            raise Cancelled("The painting was cancelled.")

    def progress(fraction: float, text: str) -> None:
        nonlocal last, heard
        check()
        TURNS.give_way(check)
        now = time.monotonic()
        if now - last >= SPACING or text != heard:
            last, heard = now, text
            say(
                {
                    "say": "progress",
                    "job": number,
                    "fraction": float(min(max(fraction, 0.0), 1.0)),
                    "text": str(text),
                }
            )

    def sketch(jpeg: bytes) -> None:
        say({"say": "sketch", "job": number, "jpeg": base64.b64encode(jpeg).decode()})

    failed = {"say": "failed", "job": number}
    try:
        parcel = Parcel.unpacked(view(Path(order["source"])), order["meta"])
        with TURNS.rank(order["rank"]):
            result = entry.perform(Job.from_json(order["recipe"]), parcel, progress, sketch)
        path = segments.write(result.data, result_name(order["source"]))
        return {"say": "done", "job": number, "meta": dict(result.meta), "path": str(path)}
    except Exception as error:
        name, sentence = told(error)
        return failed | {"name": name, "sentence": sentence}


def main(entry_name: str, parent: str, *directories: str) -> None:
    die_with(int(parent))
    volunteer_for_oom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends us
    # Libraries print to stdout; that goes to stderr, and the real one stays ours.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    mouth = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with mouth:
            out.write(json.dumps(message) + "\n")

    inbox = Inbox(sys.stdin)
    segments = Segments(list(map(Path, directories)))
    entry = importlib.import_module(entry_name)
    facts: dict[str, Any] = {}
    try:
        facts = dict(entry.warm_up()) if hasattr(entry, "warm_up") else {}
    except Exception:  # the job that meets the same trouble tells it to somebody
        traceback.print_exc()
    say({"say": "ready", "facts": facts})
    if hasattr(entry, "watch"):
        threading.Thread(target=entry.watch, args=(say,), daemon=True).start()
    threads = ThreadPoolExecutor(MOST_JOBS)
    while True:
        order = inbox.jobs.get()
        threads.submit(lambda order: say(perform(entry, order, inbox, segments, say)), order)


if __name__ == "__main__":
    main(*sys.argv[1:])
