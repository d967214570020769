"""Painting on a Ray cluster: one warm painter for each graphics card, or for some cores of a machine.

Ray starts the painters and carries the pictures; who gets how many is decided here, from the list of
machines, so that a machine that goes takes its painters out of the count and one that comes adds its
own. Nothing but this module knows of Ray, and only `--backend ray` imports it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from impasto import __version__
from impasto.backends import Parcel, Progress, Unreachable
from impasto.backends.cluster_painter import Painter
from impasto.errors import ConnectionLost, DaemonError, ModelMissing, WorkerLost, by_name
from impasto.job import Job

log = logging.getLogger(__name__)

CORES = 4
"""Cores that a painter without a graphics card takes."""

TICK = 0.2
"""Seconds between two questions how far a picture is."""

LOOK = 1.0
"""Seconds between two looks at the list of machines."""

LATER = 30.0
"""Seconds after which a machine is tried again whose painter could not start."""

PATIENCE = 60.0
"""Seconds without any painter after which the cluster is out of reach; the first has to warm up."""

GRACE = 1.0
"""Seconds that a painter has to stop a picture before it is killed."""

Place = tuple[str, int]
"""Id of a machine, and the painter's number on it."""


@dataclass(eq=False)
class Seat:
    """A painter and its place. `ready` is an answer to come, as long as it warms up."""

    place: Place
    actor: Any
    ready: Any


class Cluster:
    """The painters of a cluster. All methods can be called from any thread."""

    def __init__(
        self, address: str = "auto", entry: str = "impasto.backends.work", cores: int = CORES
    ) -> None:
        """Join a cluster and start its painters, without waiting for them.

        Args:
            address: of the head, "HOST:PORT"; "auto" is the one that this machine belongs to.
            entry: see `Painter`.
            cores: that a painter takes on a machine without a graphics card.

        Raises:
            ModelMissing: Ray is not installed.
            DaemonError: there is no cluster, or it does not take our token.
        """
        # Without a token, whoever reaches a cluster's ports runs what he likes; and nobody is told.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_gcs_rpc_server_connect_timeout_s", "30")  # the head may be busy
        try:
            import ray
            from ray.exceptions import RayError
        except ImportError:
            raise ModelMissing("A cluster needs Ray: pip install 'impasto[cluster]'.") from None
        self._ray: Any = ray
        self._error = RayError
        self._entry = entry
        self._cores = cores
        try:
            ray.init(address, namespace="impasto", log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise DaemonError(
                f"The Ray cluster “{address}” cannot be joined ({reason}); see docs/cluster.md."
            ) from None
        self._lock = threading.Lock()
        self._seats: dict[Place, Seat] = {}
        self._idle: queue.LifoQueue[Seat] = queue.LifoQueue()  # who has just painted is warmest
        self._closed = threading.Event()
        self._strangers: dict[str, float] = {}  # machines that cannot paint, and when to try them again
        self._look()
        threading.Thread(target=self._keep, name="cluster", daemon=True).start()

    @property
    def size(self) -> int:
        """How many painters there are, or will be when they are warm; at least 1."""
        return max(1, len(self._seats))

    @property
    def warm(self) -> int:
        """How many painters are warm."""
        return sum(seat.ready is None for seat in list(self._seats.values()))

    def connect(self) -> ClusterBackend:
        """A backend for one thread that paints."""
        return ClusterBackend(self)

    def close(self) -> None:
        """End the painters and leave the cluster."""
        self._closed.set()
        with self._lock:
            for seat in self._seats.values():
                self._kill(seat)
            self._seats.clear()
        self._ray.shutdown()

    def take(self, progress: Progress) -> Seat:
        """A warm painter that lives; waits for one.

        Raises:
            Unreachable: there is none for `PATIENCE`.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            progress(0.0, "waiting")
            try:
                seat = self._idle.get(timeout=TICK)
            except queue.Empty:
                if self.warm:
                    deadline = time.monotonic() + PATIENCE  # they are at work
                if time.monotonic() > deadline or self._closed.is_set():
                    words = "No machine of the Ray cluster can paint; “ray status” shows them."
                    raise Unreachable(ConnectionLost(words)) from None
                continue
            try:
                self._ray.get(seat.actor.hello.remote(), timeout=5.0)
                return seat
            except self._error:
                self.drop(seat)

    def give_back(self, seat: Seat) -> None:
        """A painter has nothing to do."""
        self._idle.put(seat)

    def drop(self, seat: Seat) -> None:
        """A painter has died, or is to; another takes its place."""
        self._kill(seat)
        with self._lock:
            if self._seats.get(seat.place) is seat:
                del self._seats[seat.place]

    def paint(self, seat: Seat, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
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
                self.drop(seat)

    def _kill(self, seat: Seat) -> None:
        with contextlib.suppress(Exception):  # it may be dead, or Ray itself
            self._ray.kill(seat.actor)

    def _keep(self) -> None:
        while not self._closed.wait(LOOK):
            try:
                self._look()
            except Exception as error:  # Ray's head may be out of reach for a while
                log.warning("The list of machines cannot be had: %s", error)

    def _look(self) -> None:
        """Have a painter in each place that there is, and see which are warm by now."""
        wanted = self._places()
        with self._lock:
            if self._closed.is_set():
                return
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
        log.warning("Machine %s of the cluster cannot paint: %s.", seat.place[0][:8], why.rstrip("."))
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


class ClusterBackend:
    """A `Backend` on the painters of a cluster, for one thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """See `impasto.backends.Backend.run`.

        Raises:
            WorkerLost: the painter or its machine died; another one can try.
            Unreachable: there is no painter.
        """
        seat = self._cluster.take(progress)
        try:
            painted = self._cluster.paint(seat, job, parcel, progress)
        except WorkerLost:
            self._cluster.drop(seat)
            raise
        except BaseException:
            self._cluster.give_back(seat)
            raise
        self._cluster.give_back(seat)
        return painted

    def close(self) -> None:
        """The painters stay for others."""
