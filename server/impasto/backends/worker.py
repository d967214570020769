"""Painting in a process of its own: it keeps the networks warm, it can be stopped at any moment,
and what it dies of does not take us along. Pixels go through segments, words through pipes.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from impasto.backends import Parcel, Progress, Sketch
from impasto.backends.segments import OwnDirectory, Segments, remove, result_name, view
from impasto.errors import WorkerLost, by_name
from impasto.job import Job

log = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two calls of a job's `progress` when the worker is silent."""

GRACE = 1.0
"""Seconds that a worker has to stop a job before it is killed."""

Message = dict[str, Any]

Mailbox = queue.Queue[Message | None]
"""What the worker says of one job; None is the worker's end."""


class WorkerBackend:
    """A `Backend` that runs jobs in a worker, and replaces a worker that dies.

    Several threads may run a job each, at the same time, in the one worker."""

    def __init__(
        self,
        entry: str = "impasto.backends.work",
        segments: Segments | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        """
        Args:
            entry: module that does the work, see `impasto.backends.worker_process`.
            segments: where pixels are shared; by default in a directory of this backend's own.
            environment: variables for the worker beside those of this process.
        """
        self._entry = entry
        self._environment = environment or {}
        self._own: OwnDirectory | None = None
        if segments is None:
            self._own = OwnDirectory()
            segments = Segments([self._own.path])
        self._segments = segments
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._process: _Process | None = None
        self._closed = False

    def warm(self) -> None:
        """Start the worker now, so that the first job finds it warm; does not wait for it."""
        with self._lock:
            self._living()

    def wait_until_ready(self) -> None:
        """Start the worker, and wait for it.

        Raises:
            WorkerLost: it cannot start.
        """
        with self._lock:
            process = self._living()
        self._await_ready(process, lambda fraction, text: None)

    def run(self, job: Job, parcel: Parcel, progress: Progress, sketch: Sketch | None = None) -> Parcel:
        """See `impasto.backends.Backend.run`. The result's data is a view of shared memory.

        Raises:
            WorkerLost: the worker died; the next job gets a new one.
        """
        self._check_open()
        packed, description = parcel.packed()
        source = self._segments.write(packed)
        try:
            meta, path = self.paint(job.to_json(), description, source, progress, sketch=sketch)
        finally:
            remove(source)
        data = view(path)
        remove(path)
        return Parcel(data, meta)

    def paint(
        self,
        job_json: str,
        meta: dict[str, Any],
        source: Path,
        progress: Progress,
        rank: int = 0,
        sketch: Sketch | None = None,
    ) -> tuple[dict[str, Any], Path]:
        """As `run`, with the picture in the segment `source`; the caller owns both segments.

        Args:
            rank: how urgent it is among the jobs that run, from 0.
        """
        with self._lock:
            process = self._living()
        self._await_ready(process, progress)
        job = next(self._ids)
        order = {"recipe": job_json, "meta": meta, "source": str(source), "rank": rank}
        said = process.hear(job)
        process.tell({"do": "paint", "job": job, **order})
        try:
            return self._follow(process, job, said, progress, sketch)
        except BaseException:
            self._segments.sweep(result_name(source))
            raise
        finally:
            process.forget(job)

    def close(self) -> None:
        """End the worker and remove what it left."""
        self._closed = True
        if self._process is not None:
            self._process.end()
        own, self._own = self._own, None
        if own is not None:
            own.remove()

    @property
    def state(self) -> dict[str, Any]:
        """`pid` (or None), `state` ("warming", "ready", "stopped"), and when it is ready what
        `warm_up` said of `device` and `engine`, or whatever the entry says of itself."""
        process = self._process
        if process is None or process.lost.is_set():
            return {"pid": None, "state": "stopped"}
        return {"pid": process.pid, "state": "ready" if process.warm else "warming", **process.facts}

    @property
    def last_words(self) -> str:
        """The last line that the worker wrote to stderr."""
        return self._process.last_words if self._process else ""

    def _check_open(self) -> None:
        if self._closed:
            raise WorkerLost("The painting process was stopped.")

    def _living(self) -> _Process:
        self._check_open()
        if self._process is None or self._process.lost.is_set():
            self._process = _Process(self._entry, self._segments, self._environment)
        return self._process

    def _await_ready(self, process: _Process, progress: Progress) -> None:
        while not process.ready.wait(TICK):
            progress(0.0, "warming up")
        if process.lost.is_set():
            raise self._loss(process)

    def _follow(
        self,
        process: _Process,
        job: int,
        said: Mailbox,
        progress: Progress,
        sketch: Sketch | None,
    ) -> tuple[dict[str, Any], Path]:
        fraction, text = 0.0, "starting"
        while True:
            try:
                message = said.get(timeout=TICK)
            except queue.Empty:
                message = {"say": "progress", "job": job, "fraction": fraction, "text": text}
            if message is None:
                raise self._loss(process)
            if message["say"] == "done":
                return message["meta"], Path(message["path"])
            if message["say"] == "failed":
                raise by_name(message["name"])(message["sentence"])
            if message["say"] == "sketch":
                if sketch:
                    sketch(base64.b64decode(message["jpeg"]))
                continue
            fraction, text = message["fraction"], message["text"]
            try:
                progress(fraction, text)
            except BaseException:
                self._halt(process, job, said)
                raise

    def _halt(self, process: _Process, job: int, said: Mailbox) -> None:
        """Ask the worker to stop `job`; kill it when it does not."""
        process.tell({"do": "cancel", "job": job})
        deadline = time.monotonic() + GRACE
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                message = said.get(timeout=remaining)
            except queue.Empty:
                break
            if message is None:
                break
            if message["say"] in ("done", "failed"):
                return
        log.warning("The worker did not stop within %g s and is replaced.", GRACE)
        process.kill()
        if not self._closed:
            self.warm()

    def _loss(self, process: _Process) -> WorkerLost:
        if self._closed:
            return WorkerLost("The painting process was stopped.")
        log.info("The worker ended unexpectedly: %s.", process.cause)
        if not process.warm:  # another would fare no better: none until somebody asks for one
            words = f": {process.last_words}" if process.last_words else ""
            return WorkerLost(f"The painting process cannot start ({process.cause}{words}).")
        self.warm()
        return WorkerLost(
            f"The painting process stopped unexpectedly ({process.cause}); "
            "try again or use a smaller picture."
        )


class _Process:
    """One worker's life.

    Attributes:
        warm: whether it has said that it is ready.
        facts: what it says of itself since then.
        ready: set when it is ready, or lost.
        lost: set when it has ended.
        last_words: the last line it wrote to stderr.
    """

    def __init__(self, entry: str, segments: Segments, environment: dict[str, str]) -> None:
        self._said: dict[int, Mailbox] = {}
        self._saying = threading.Lock()
        self._telling = threading.Lock()
        self.warm = False
        self.facts: dict[str, Any] = {}
        self.ready = threading.Event()
        self.lost = threading.Event()
        self.last_words = ""
        self._command = [sys.executable, "-P", "-m", "impasto.backends.worker_process", entry]
        self._command += [str(os.getpid()), *map(str, segments.directories)]
        self._environment = {**os.environ, **environment}
        self._popen: subprocess.Popen[str] | None = None
        self._spawned = threading.Event()
        # The worker asks the kernel to die with its parent, which to Linux is the thread that
        # started it: this one, which lives as long as the worker does.
        threading.Thread(target=self._keep, name="worker-keeper", daemon=True).start()
        self._spawned.wait()

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def cause(self) -> str:
        """Why it ended, for a message."""
        status = self._popen.returncode if self._popen else None
        if status is None:
            return "it could not be started"
        if status == -9:
            return "killed, perhaps for lack of memory"
        if status < 0:
            return signal.Signals(-status).name
        return f"exit status {status}"

    def tell(self, message: Message) -> None:
        """Send a message; one that finds the worker dead is lost, and its end says so."""
        assert self._popen and self._popen.stdin
        with self._telling, contextlib.suppress(OSError, ValueError):  # it has gone, or is made to go
            self._popen.stdin.write(json.dumps(message) + "\n")
            self._popen.stdin.flush()

    def hear(self, job: int) -> Mailbox:
        """Begin to collect what the worker says of a job."""
        said: Mailbox = queue.Queue()
        with self._saying:
            self._said[job] = said
            if self.lost.is_set():
                said.put(None)
        return said

    def forget(self, job: int) -> None:
        with self._saying:
            del self._said[job]

    def kill(self) -> None:
        """End it now, and wait for that."""
        if self._popen:
            self._popen.kill()
            self._popen.wait()
            # Not for ever: a process that it left behind may hold the pipes open.
            if not self.lost.wait(GRACE):
                self._lose()

    def end(self) -> None:
        """Let it end, which it does when its input ends; kill it when it does not."""
        if self._popen and self._popen.stdin:
            with contextlib.suppress(OSError):  # it has ended before it read the last message
                self._popen.stdin.close()
        if not self.lost.wait(GRACE):
            self.kill()

    def _keep(self) -> None:
        pipe = subprocess.PIPE
        try:
            self._popen = subprocess.Popen(
                self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                text=True,
                encoding="utf-8",
                env=self._environment,
            )
        except OSError as error:
            log.error("The worker cannot be started: %s.", error)
        finally:
            self._spawned.set()
        if self._popen:
            self._listen(self._popen)
        self._lose()
        self.ready.set()

    def _lose(self) -> None:
        with self._saying:
            self.lost.set()
            for said in self._said.values():
                said.put(None)

    def _listen(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stdout
        stderr = threading.Thread(target=self._log, args=(popen,), name="worker-log", daemon=True)
        stderr.start()
        for line in popen.stdout:
            message = json.loads(line)
            if message["say"] == "ready":
                self.facts, self.warm = message["facts"], True
                log.info("The worker is ready: %s.", message["facts"])
                self.ready.set()
            elif message["say"] == "note":
                log.warning("%s", message["text"])
            else:
                with self._saying:
                    if said := self._said.get(message["job"]):
                        said.put(message)
        popen.wait()
        stderr.join(GRACE)

    def _log(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stderr
        for line in popen.stderr:
            log.info("worker: %s", line.rstrip())
            self.last_words = line.strip() or self.last_words
