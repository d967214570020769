"""Where painting runs: this process, a worker process, later a cluster. One interface for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from impasto.job import Job

Progress = Callable[[float, str], None]
"""Called with the fraction done (0..1, rising) and what is happening, at least every half second.
It raises `Cancelled` to stop the work."""


@dataclass(frozen=True)
class Parcel:
    """A picture on its way, in or out: an encoded file or bare pixels.

    Attributes:
        data: the bytes of the file, or pixels in rows from the top, interleaved, native byte order.
        meta: JSON values only. `kind` is "file" (with `name`, the file's name for messages and its
            format) or "pixels" (with `width`, `height`, `channels` 1-4: gray, gray+alpha, RGB, RGBA,
            `dtype` "uint8", "uint16", "float16" or "float32", and optionally `icc`, the profile in
            base64). A result also carries `report`: `style`, `engine`, `device`, `paint_seconds` and
            `notes`, a list of sentences for the user.
    """

    data: bytes | memoryview
    meta: dict[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """Paint one picture; blocks. Raises any `ImpastoError`."""
        ...

    def close(self) -> None: ...
