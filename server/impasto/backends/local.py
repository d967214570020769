"""Painting in this process: for one quick command when no daemon runs."""

from __future__ import annotations

from impasto.backends import Parcel, Progress
from impasto.job import Job


class LocalBackend:
    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """See `impasto.backends.Backend.run`."""
        from impasto.backends.work import perform

        return perform(job, parcel, progress)

    def close(self) -> None:
        """Nothing is held."""
