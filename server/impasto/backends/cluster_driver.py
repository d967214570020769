"""The side of `impasto.backends.cluster` that speaks to Ray, in a process of its own: Ray ends the
process that holds it when the cluster's head has been away for a minute.

Ray starts the painters and carries the pictures; who gets how many is decided here, from the list of
machines, so that a machine that goes takes its painters out of the count and one that comes adds its
own. Nothing but this module knows of Ray, and only `--backend ray` starts it.

It is the entry of a worker, see `impasto.backends.worker_process`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from impasto import __version__
from impasto.backends import Parcel, Progress, Sketch
from impasto.backends.cluster_painter import Painter
from impasto.errors import ConnectionLost, WorkerLost, by_name
from impasto.job import Job

SETTINGS = "IMPASTO_CLUSTER"
"""Name of the environment's variable with the arguments of `Driver`, as a JSON object."""

TICK = 0.2
"""Seconds between two questions how far a picture is."""

LOOK = 1.0
"""Seconds between two looks at the list of machines."""

LATER = 30.0
"""Seconds after which a machine is tried again whose painter could not start."""

PATIENCE = 60.0
"""Seconds without any painter after which the cluster is out of reach; the first has to warm up."""

GRACE = 0.5
"""Seconds that a painter has to stop a picture before it is killed."""

Place = tuple[str, int]
"""Id of a machine, and the painter's number on it."""


@dataclass(eq=False)
class Seat:
    """A painter and its place. `ready` is an answer to come, as long as it warms up."""

    place: Place
    actor: Any
    ready: Any


class Driver:
    """The painters of a cluster. All methods can be called from any thread.

    Attributes:
        notes: what a person should know, the oldest first.
    """

    def __init__(self, address: str, entry: str, cores: int) -> None:
        """Join a cluster and start its painters, without waiting for them.

        Args:
            address, entry, cores: see `impasto.backends.cluster.Cluster`.

        Raises:
            ConnectionLost: there is no cluster, or it does not take our token.
        """
        # Without a token, whoever reaches a cluster's ports runs what he likes; and nobody is told.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_gcs_rpc_server_connect_timeout_s", "30")  # the head may be busy
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")  # of as many seconds each
        import ray
        from ray.exceptions import RayError

        self._ray: Any = ray
        self._error = RayError
        self._entry = entry
        self._cores = cores
        self.notes: list[str] = []
        try:
            if address != "auto":  # Ray would try for minutes
                host, _, port = address.rpartition(":")
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(address, namespace="impasto", log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            raise ConnectionLost(f"{refusal(address)} ({reason(error)}); see docs/cluster.md.") from None
        self._lock = threading.Lock()
        self._seats: dict[Place, Seat] = {}
        self._idle: queue.LifoQueue[Seat] = queue.LifoQueue()  # who has just painted is warmest
        self._strangers: dict[str, float] = {}  # machines that cannot paint, and when to try them again
        self._look()
        threading.Thread(target=self._keep, name="cluster", daemon=True).start()

    @property
    def facts(self) -> dict[str, int]:
        """How many painters there are (`size`), and are `warm`."""
        seats = list(self._seats.values())
        return {"size": len(seats), "warm": sum(seat.ready is None for seat in seats)}

    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """See `impasto.backends.Backend.run`.

        Raises:
            WorkerLost: the painter or its machine died; another one can try.
            ConnectionLost: there is no painter.
        """
        seat = self._take(progress)
        try:
            painted = self._paint(seat, job, parcel, progress)
        except WorkerLost:
            self._drop(seat)
            raise
        except BaseException:
            self._idle.put(seat)
            raise
        self._idle.put(seat)
        return painted

    def _take(self, progress: Progress) -> Seat:
        """A warm painter that lives; waits for one.

        Raises:
            ConnectionLost: there is none for `PATIENCE`.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            progress(0.0, "waiting")
            try:
                seat = self._idle.get(timeout=TICK)
            except queue.Empty:
                if self.facts["warm"]:
                    deadline = time.monotonic() + PATIENCE  # they are at work
                if time.monotonic() > deadline:
                    words = "No machine of the Ray cluster can paint; “ray status” shows them."
                    raise ConnectionLost(words) from None
                continue
            try:
                self._ray.get(seat.actor.hello.remote(), timeout=5.0)
                return seat
            except self._error:
                self._drop(seat)

    def _drop(self, seat: Seat) -> None:
        """A painter has died, or is to; another takes its place."""
        self._kill(seat)
        with self._lock:
            if self._seats.get(seat.place) is seat:
                del self._seats[seat.place]

    def _paint(self, seat: Seat, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """Have a painter paint.

        Raises:
            WorkerLost: it died; it is to be dropped.
            ImpastoError: any that painting raises.
        """
        data, meta = parcel.packed()
        progress(0.0, f"painting on {seat.place[0][:8]}")
        try:
            answer = seat.actor.paint.remote(job.to_json(), bytes(data), meta)
            while not self._ray.wait([answer], timeout=TICK)[0]:
                fraction, text = self._ray.get(seat.actor.heard.remote(), timeout=10.0)
                try:
                    progress(fraction, text)
                except BaseException:
                    self._halt(seat, answer)
                    raise
            result, told = self._ray.get(answer)
        except self._error as error:
            reason = type(error).__name__
            raise WorkerLost(f"The painter on a machine of the cluster was lost ({reason}).") from None
        if result is None:
            name, sentence = told
            raise by_name(name)(sentence)
        return Parcel(result, told)

    def _halt(self, seat: Seat, answer: Any) -> None:
        with contextlib.suppress(self._error):
            seat.actor.stop.remote()
            if not self._ray.wait([answer], timeout=GRACE)[0]:
                self._drop(seat)

    def _kill(self, seat: Seat) -> None:
        with contextlib.suppress(Exception):  # it may be dead, or Ray itself
            self._ray.kill(seat.actor)

    def _keep(self) -> None:
        while True:
            time.sleep(LOOK)
            with contextlib.suppress(Exception):  # Ray's head may be out of reach for a while
                self._look()

    def _look(self) -> None:
        """Have a painter in each place that there is, and see which are warm by now."""
        wanted = self._places()
        with self._lock:
            for place in self._seats.keys() - wanted.keys():
                self._kill(self._seats.pop(place))
            now = time.monotonic()
            for place in wanted.keys() - self._seats.keys():
                if self._strangers.get(place[0], now) > now:
                    continue
                self._seats[place] = self._seated(place, wanted[place])
            for seat in list(self._seats.values()):
                if seat.ready is not None and self._ray.wait([seat.ready], timeout=0)[0]:
                    self._greet(seat)

    def _greet(self, seat: Seat) -> None:
        try:
            version, _ = self._ray.get(seat.ready)
        except self._error as error:
            return self._turn_away(seat, str(error).strip().splitlines()[-1])
        if version != __version__:
            return self._turn_away(seat, f"it has Impasto {version}, not {__version__}")
        seat.ready = None
        self._idle.put(seat)
        return None

    def _turn_away(self, seat: Seat, why: str) -> None:
        self.notes.append(f"Machine {seat.place[0][:8]} of the cluster cannot paint: {why.rstrip('.')}.")
        self._strangers[seat.place[0]] = time.monotonic() + LATER
        self._kill(self._seats.pop(seat.place))

    def _places(self) -> dict[Place, tuple[float, float]]:
        """Every place that the machines have, with the cores and graphics cards that it takes."""
        places: dict[Place, tuple[float, float]] = {}
        for node in self._ray.nodes():
            if not node["Alive"]:
                continue
            resources = node["Resources"]
            cards, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
            each = (min(1.0, cores / cards), 1.0) if cards else (float(min(cores, self._cores)), 0.0)
            for number in range(cards or (cores // self._cores or min(cores, 1))):
                places[node["NodeID"], number] = each
        return places

    def _seated(self, place: Place, takes: tuple[float, float]) -> Seat:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        cores, cards = takes
        threads = {"IMPASTO_THREADS": str(int(cores))} if not cards else {}
        options = {
            "num_cpus": cores,
            "num_gpus": cards,
            "max_concurrency": 4,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(place[0], soft=False),
            "runtime_env": {"env_vars": threads},
        }
        actor = self._ray.remote(Painter).options(**options).remote(self._entry)
        return Seat(place, actor, actor.hello.remote())


_joined: list[Driver] = []
"""The one of this process, once it has joined."""


def refusal(address: str) -> str:
    return f"The Ray cluster “{address}” cannot be joined"


def reason(error: BaseException) -> str:
    """Why Ray failed, for a sentence."""
    cause: BaseException | None = error
    while cause:
        if "InvalidAuthToken" in str(cause):
            return "it does not take our token"
        cause = cause.__cause__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().partition("\n")[0].rstrip(".")


def warm_up() -> dict[str, int]:
    """Join; where that cannot be, end with a last word on stderr, as another try wants a fresh process."""
    try:
        _joined.append(Driver(**json.loads(os.environ[SETTINGS])))
    except ConnectionLost as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)  # at once: what Ray still has to say would come after it
    return _joined[0].facts


def watch(say: Callable[[dict[str, Any]], None]) -> None:
    """Tell of painters that come and go, for ever."""
    driver, facts = _joined[0], {}
    while True:
        if driver.facts != facts:
            facts = driver.facts
            say({"say": "ready", "facts": facts})
        while driver.notes:
            say({"say": "note", "text": driver.notes.pop(0)})
        time.sleep(TICK)


def perform(job: Job, parcel: Parcel, progress: Progress, sketch: Sketch) -> Parcel:
    """Have a picture painted somewhere. Where its painter was lost, the result has no data, and why in
    the meta `lost`: an error of that name would say that this process is lost. Sketches are not shown."""
    try:
        return _joined[0].run(job, parcel, progress)
    except WorkerLost as error:
        return Parcel(b"", {"lost": str(error)})
