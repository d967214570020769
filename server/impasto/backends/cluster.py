"""Painting on a Ray cluster: one warm painter for each graphics card, or for some cores of a machine.

The process that speaks to Ray is a worker (`impasto.backends.cluster_driver`), so that what Ray does
to it when the cluster is lost does not take us along: another one joins again.
"""

from __future__ import annotations

import importlib.util
import json

from impasto.backends import Parcel, Progress, Unreachable
from impasto.backends.cluster_driver import SETTINGS, refusal
from impasto.backends.worker import WorkerBackend
from impasto.errors import ConnectionLost, DaemonError, ModelMissing, WorkerLost
from impasto.job import Job

CORES = 4
"""Cores that a painter without a graphics card takes."""

DRIVER = "impasto.backends.cluster_driver"


class Cluster:
    """The painters of a cluster. All methods can be called from any thread."""

    def __init__(
        self, address: str = "auto", entry: str = "impasto.backends.work", cores: int = CORES
    ) -> None:
        """Join a cluster and start its painters, without waiting for them.

        Args:
            address: of the head, "HOST:PORT"; "auto" is the one that this machine belongs to.
            entry: see `impasto.backends.cluster_painter.Painter`.
            cores: that a painter takes on a machine without a graphics card.

        Raises:
            ModelMissing: Ray is not installed.
            DaemonError: there is no cluster, or it does not take our token.
        """
        if importlib.util.find_spec("ray") is None:
            raise ModelMissing("A cluster needs Ray: pip install 'impasto[cluster]'.")
        self._address = address
        self._size = 1
        settings = {"address": address, "entry": entry, "cores": cores}
        self._worker = WorkerBackend(DRIVER, environment={SETTINGS: json.dumps(settings)})
        try:
            self._worker.wait_until_ready()
        except WorkerLost:
            error = self._loss()
            self.close()
            raise error from None
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """How many painters there are, or will be when they are warm; at least 1."""
        self._size = max(1, self._worker.state.get("size", self._size))
        return self._size

    @property
    def warm(self) -> int:
        """How many painters are warm."""
        return self._worker.state.get("warm", 0)

    def connect(self) -> ClusterBackend:
        """A backend for one thread that paints."""
        return ClusterBackend(self)

    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """See `impasto.backends.Backend.run`.

        Raises:
            WorkerLost: the painter or its machine died; another one can try.
            Unreachable: there is no painter, or the cluster was lost.
        """
        try:
            painted = self._worker.run(job, parcel, progress)
        except WorkerLost:
            raise Unreachable(self._loss()) from None
        except ConnectionLost as error:
            raise Unreachable(error) from None
        if "lost" in painted.meta:
            raise WorkerLost(painted.meta["lost"])
        return painted

    def close(self) -> None:
        """Leave the cluster, which ends the painters."""
        self._worker.close()

    def _loss(self) -> DaemonError:
        told = self._worker.last_words
        lost = f"The connection to the Ray cluster “{self._address}” was lost; see docs/cluster.md."
        return DaemonError(told if told.startswith(refusal(self._address)) else lost)


class ClusterBackend:
    """A `Backend` on the painters of a cluster, for one thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """See `Cluster.run`."""
        return self._cluster.run(job, parcel, progress)

    def close(self) -> None:
        """The painters stay for others."""
