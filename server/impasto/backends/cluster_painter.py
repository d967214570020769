"""The side of `impasto.backends.cluster` that runs on the cluster's machines, as a Ray actor."""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from impasto import __version__
from impasto.backends import Parcel
from impasto.backends.faults import told
from impasto.backends.worker_process import volunteer_for_oom
from impasto.errors import Cancelled
from impasto.job import Job

Answer = tuple[bytes, dict[str, Any]] | tuple[None, tuple[str, str]]
"""The painting's data and meta, or nothing and an error's name and sentence."""


class Painter:
    """Keeps the networks warm and paints one picture at a time; the other methods answer meanwhile."""

    def __init__(self, entry: str) -> None:
        """
        Args:
            entry: module whose `perform` does the work and whose `warm_up`, if any, runs first.
        """
        volunteer_for_oom()
        self._entry = importlib.import_module(entry)
        self._heard = (0.0, "starting")
        self._stopped = threading.Event()
        if hasattr(self._entry, "warm_up"):
            self._entry.warm_up()

    def hello(self) -> tuple[str, int]:
        """Version of Impasto, and the process, once it is warm."""
        return __version__, os.getpid()

    def heard(self) -> tuple[float, str]:
        """Fraction done of the picture, and what is happening."""
        return self._heard

    def stop(self) -> None:
        """Have `paint` end soon."""
        self._stopped.set()

    def paint(self, job_json: str, data: bytes, meta: dict[str, Any]) -> Answer:
        """Paint a packed parcel (see `Parcel.packed`)."""
        self._stopped.clear()
        self._heard = (0.0, "starting")

        def progress(fraction: float, text: str) -> None:
            if self._stopped.is_set():
                raise Cancelled("The painting was cancelled.")
            self._heard = (float(fraction), str(text))

        try:
            result = self._entry.perform(Job.from_json(job_json), Parcel.unpacked(data, meta), progress)
            return bytes(result.data), dict(result.meta)
        except Exception as error:
            return None, told(error)
