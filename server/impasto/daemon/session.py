"""What one client may ask: the methods behind the wire, and the jobs that are its own."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

from impasto.backends.segments import Segments, put
from impasto.client.planes import MAX_PIXELS
from impasto.client.wire import PIECE, Method
from impasto.daemon.queue import PRIORITIES, Queue, Task
from impasto.errors import DaemonError, ImpastoError, JobError, UnreadablePicture, UsageError
from impasto.job import Job

log = logging.getLogger(__name__)

MAX_BYTES = 16 * MAX_PIXELS
"""Bytes of the largest picture: four channels of 32 bits."""

MAX_JOBS = 32
"""Jobs that a client may hold at a time."""

MAX_ATTACHMENTS = 64

MAX_WAIT = 0.2
"""Seconds that `wait` may last: as long, a client that died goes unnoticed."""

DEPTHS = {"uint8": 1, "uint16": 2, "float16": 2, "float32": 4}

_ids = itertools.count(1)


class Session:
    """The methods of one connection, for the thread that serves it. Each returns a tuple of plain values."""

    def __init__(
        self,
        queue: Queue,
        segments: Segments,
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        touch: Callable[[], None],
    ) -> None:
        """
        Args:
            status, stop: of the daemon.
            touch: called when a client does something, as against idling.
        """
        self._queue = queue
        self._segments = segments
        self._status = status
        self._stop = stop
        self._touch = touch
        self._tasks: dict[int, Task] = {}

    def methods(self) -> dict[str, Method]:
        """All that a client can reach, with the exact types of the arguments."""
        return {
            "begin": (self._answering(self.begin), (str, str, int, str)),
            "push": (self._answering(self.push), (int, int, bytes)),
            "start": (self._answering(self.start), (int,)),
            "wait": (self._answering(self.wait), (int, float)),
            "sketch": (self._answering(self.sketch), (int,)),
            "outcome": (self._answering(self.outcome), (int,)),
            "pull": (self._answering(self.pull), (int, int, int)),
            "cancel": (self._answering(self.cancel), (int,)),
            "release": (self._answering(self.release), (int,)),
            "catalogue": (self._answering(self.catalogue), ()),
            "thumbnail": (self._answering(self.thumbnail), (str,)),
            "status": (self._answering(self.status), ()),
            "stop": (self._answering(self.stop), ()),
        }

    def hang_up(self) -> None:
        """The client has gone: so go its jobs."""
        for task in self._tasks.values():
            self._queue.release(task)

    def begin(self, recipe: str, meta_json: str, size: int, priority: str) -> tuple[int, str]:
        self._touch()
        if priority not in PRIORITIES:
            raise UsageError(f"The priority must be one of {', '.join(PRIORITIES)}, not {priority!r}.")
        if len(self._tasks) >= MAX_JOBS:
            raise DaemonError(f"A program may hold {MAX_JOBS} jobs at a time; release some.")
        meta = check_parcel(meta_json, size)
        Job.from_json(recipe)
        source = self._segments.create(size)
        task = Task(next(_ids), priority, recipe, meta, source, size)
        self._tasks[task.id] = task
        log.info("Job %d begins: %s, %d bytes, %s", task.id, meta["kind"], size, priority)
        return task.id, str(source)

    def push(self, number: int, offset: int, piece: bytes) -> tuple[()]:
        task = self._task(number)
        if task.state != "filling":
            raise DaemonError(f"Job {number} takes no more data; it is {task.state}.")
        _check_range(offset, len(piece), task.size)
        put(task.source, offset, piece)
        return ()

    def start(self, number: int) -> tuple[()]:
        self._queue.start(self._task(number))
        return ()

    def wait(self, number: int, seconds: float) -> tuple[str, float, str]:
        return self._queue.wait(self._task(number), min(max(seconds, 0.0), MAX_WAIT))

    def sketch(self, number: int) -> tuple[bytes]:
        return (self._queue.sketch(self._task(number)),)

    def outcome(self, number: int) -> tuple[str, int, str]:
        task = self._task(number)
        if task.error:
            raise task.error
        if task.result is None:
            raise DaemonError(f"Job {number} has no result yet; it is {task.state}.")
        meta, path = task.result
        return json.dumps(meta), path.stat().st_size, str(path)

    def pull(self, number: int, offset: int, size: int) -> tuple[bytes]:
        task = self._task(number)
        if task.result is None:
            raise DaemonError(f"Job {number} has no result; it is {task.state}.")
        _, path = task.result
        _check_range(offset, size, path.stat().st_size)
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return (file.read(size),)

    def cancel(self, number: int) -> tuple[()]:
        self._queue.cancel(self._task(number))
        return ()

    def release(self, number: int) -> tuple[()]:
        self._queue.release(self._task(number))
        del self._tasks[number]
        return ()

    def catalogue(self) -> tuple[str]:
        from impasto.daemon.catalogue import catalogue  # numpy: only for those who ask

        return (json.dumps(catalogue()),)

    def thumbnail(self, style: str) -> tuple[bytes]:
        from impasto.daemon.catalogue import thumbnail

        return (thumbnail(style),)

    def status(self) -> tuple[str]:
        return (json.dumps(self._status()),)

    def stop(self) -> tuple[()]:
        self._stop()
        return ()

    def _task(self, number: int) -> Task:
        self._touch()
        if number not in self._tasks:
            raise DaemonError(f"This program has no job {number}.")
        return self._tasks[number]

    def _answering(self, method: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        """`method`, with its errors as answers: no exception crosses the wire."""

        def answer(*args: Any) -> tuple[Any, ...]:
            try:
                return ("ok", *method(*args))
            except ImpastoError as error:
                return ("error", error.name, str(error), error.code, error.retry)
            except Exception:  # the client shall hear of a fault of ours, the log its details
                log.exception("“%s” met a fault", method.__name__)
                return ("error", "DaemonError", "The daemon failed by a fault in Impasto.", 5, False)

        return answer


def _check_range(offset: int, size: int, whole: int) -> None:
    if not 0 < size <= PIECE:
        raise DaemonError(f"A piece has 1 to {PIECE} bytes, not {size}.")
    if offset < 0 or offset + size > whole:
        raise DaemonError(f"Bytes {offset} to {offset + size} lie outside the {whole} that were announced.")


def check_parcel(meta_json: str, size: int) -> dict[str, Any]:
    """What a client says of its picture, decoded.

    Raises:
        JobError: it is not understood.
        UnreadablePicture: it is empty, too large, or `size` is not that of its pixels.
    """
    try:
        meta = json.loads(meta_json)
    except (ValueError, RecursionError):
        raise JobError("The description of the picture is not valid JSON.") from None
    if not isinstance(meta, dict):
        raise JobError("The description of the picture must have the kind “file” or “pixels”.")
    attachments = meta.get("attachments", [])
    if not isinstance(attachments, list) or len(attachments) > MAX_ATTACHMENTS:
        raise JobError(f"Attachments are a list of at most {MAX_ATTACHMENTS}.")
    for part in attachments:
        if not isinstance(part, dict) or type(part.get("size")) is not int:
            raise JobError("An attachment needs a size, a whole number.")
        _check_part(part, part["size"])
        size -= part["size"]
    _check_part(meta, size)
    return meta


def _check_part(meta: dict[str, Any], size: int) -> None:
    """Check that `size` bytes can be what `meta` says they are."""
    if meta.get("kind") not in ("file", "pixels"):
        raise JobError("The description of the picture must have the kind “file” or “pixels”.")
    if not 0 < size <= MAX_BYTES:
        raise UnreadablePicture(f"A picture has 1 to {MAX_BYTES} bytes, not {size}.")
    if meta["kind"] == "file":
        return
    width, height, channels = sides = [meta.get(key, 0) for key in ("width", "height", "channels")]
    if not all(type(n) is int and n > 0 for n in sides):
        raise JobError("Pixels need a width, a height and channels, whole numbers from 1.")
    if meta.get("dtype") not in DEPTHS:
        raise JobError(f"The dtype must be one of {', '.join(DEPTHS)}, not {meta.get('dtype')!r}.")
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(
            f"The picture has {width * height / 1e6:.0f} million pixels; "
            f"more than {MAX_PIXELS / 1e6:.0f} million are too many."
        )
    needed = width * height * channels * DEPTHS[meta["dtype"]]
    if size != needed:
        raise UnreadablePicture(
            f"{width} x {height} pixels of {channels} channels are {needed} bytes, not {size}."
        )
