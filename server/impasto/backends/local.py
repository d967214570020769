"""Painting in this process: for one quick command when no daemon runs."""

from __future__ import annotations

from impasto.backends import Parcel, Progress, Sketch
from impasto.job import Job


class LocalBackend:
    def run(self, job: Job, parcel: Parcel, progress: Progress, sketch: Sketch | None = None) -> Parcel:
        """See `impasto.backends.Backend.run`."""
        from impasto.backends.work import perform

        return perform(job, parcel, progress, sketch)

    def close(self) -> None:
        """Nothing is held."""
