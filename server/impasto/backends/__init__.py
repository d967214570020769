"""Where painting runs: this process, a worker process, a cluster. One interface for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from impasto.errors import ImpastoError
from impasto.files import read
from impasto.job import Job
from impasto.styles.references import ATTACHMENT, renamed

Progress = Callable[[float, str], None]
"""Called with the fraction done (0..1, rising) and what is happening, at least every half second.
It raises `Cancelled` to stop the work."""

Sketch = Callable[[bytes], None]
"""Called about once a second, by engines that take their time, with a small JPEG picture of what comes
about: at full strength, without detail and kept colour."""


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
        attachments: pictures that the job refers to as `attachment:0` and so on: a style, a mask.
    """

    data: bytes | memoryview
    meta: dict[str, Any] = field(default_factory=dict)
    attachments: tuple[Parcel, ...] = ()

    def packed(self) -> tuple[bytes | memoryview, dict[str, Any]]:
        """All data in one piece, and meta that tells the parts: `attachments`, each with its `size`."""
        if not self.attachments:
            return self.data, self.meta
        sizes = [{**attached.meta, "size": len(attached.data)} for attached in self.attachments]
        parts = (self.data, *(attached.data for attached in self.attachments))
        return b"".join(parts), self.meta | {"attachments": sizes}

    @classmethod
    def unpacked(cls, data: bytes | memoryview, meta: dict[str, Any]) -> Parcel:
        """The parcel that `packed` made `data` and `meta` of; its parts are views of `data`."""
        attached: list[dict[str, Any]] = meta.get("attachments", [])
        view = memoryview(data)
        offset = len(view) - sum(part["size"] for part in attached)
        own = view[:offset]
        parts: list[Parcel] = []
        for part in attached:
            parts.append(cls(view[offset : offset + part["size"]], part))
            offset += part["size"]
        return cls(own, {key: value for key, value in meta.items() if key != "attachments"}, tuple(parts))


def enclose(job: Job, parcel: Parcel, folder: Path | None = None) -> tuple[Job, Parcel]:
    """Send the files that a job names along with it, for whoever paints may not see them.

    Args:
        folder: what relative paths are relative to; by default the working directory.

    Returns:
        The job, with `attachment:N` for each style that is a picture or a `.style` file and for each
        painted mask, and the parcel with those files.

    Raises:
        UnreadablePicture: a file that cannot be read.
    """
    attachments = list(parcel.attachments)
    places: dict[Path, str] = {}

    def enclosed(ref: str) -> str:
        path = (folder or Path()) / Path(ref).expanduser()
        if path not in places:
            places[path] = f"{ATTACHMENT}{len(attachments)}"
            attachments.append(Parcel(read(path), {"kind": "file", "name": path.name}))
        return places[path]

    job = renamed(job, enclosed)
    return job, replace(parcel, attachments=tuple(attachments))


class Unreachable(Exception):
    """There is nobody to paint at the moment; the picture has nothing to do with it."""

    def __init__(self, error: ImpastoError) -> None:
        super().__init__(str(error))
        self.error = error


class Backend(Protocol):
    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        """Paint one picture; blocks. Raises any `ImpastoError`, and `Unreachable`."""
        ...

    def close(self) -> None: ...


class SketchingBackend(Backend, Protocol):
    """A backend that shows a painting while it comes about."""

    def run(self, job: Job, parcel: Parcel, progress: Progress, sketch: Sketch | None = None) -> Parcel: ...
