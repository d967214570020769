"""Hot folders for tests: pictures, watchers in a thread or a process, and a painter that inverts.

As a module it is the worker's entry; as a program it is `impasto` with that worker in its daemon.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from daemons import until
from impasto import raster
from impasto.backends import Parcel, Progress
from impasto.hotfolder import Event, Settings, Watcher
from impasto.job import Job

SCALE = float(os.environ.get("IMPASTO_TEST_SCALE", "1"))
"""Counts of files and kills grow by it."""

LOOK = {"look": {"style": ["kiss"]}, "output": {}}


def many(number: int) -> int:
    return max(1, round(number * SCALE))


def perform(job: Job, parcel: Parcel, progress: Progress, sketch: object = None) -> Parcel:
    """Decode, invert, encode; a picture called “poison” kills the process, a “slow” one takes its time."""
    name = parcel.meta["name"]
    progress(0.0, "reading")
    source = raster.decode(parcel.data, name)
    if "poison" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(os.environ.get("IMPASTO_TEST_PAINTING", "0.01")))
    progress(0.5, "painting")
    for step in range(1000 if "slow" in name else 0):
        time.sleep(0.01)
        progress(step / 1000, "taking its time")
    painted = source.replace(pixels=255 - source.pixels)
    output = job.output
    encodable, _ = raster.encodable(painted, output.format, output.depth)
    data = raster.encode(encodable, output.format, output.depth, output.quality, None)
    return Parcel(data, {"kind": "file", "format": output.format or source.format, "report": {}})


class Inverter:
    """The same painter in this process, as a `Backend`."""

    def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
        return perform(job, parcel, progress)

    def close(self) -> None:
        pass


def encoded(number: int = 0, format: str = "png", size: tuple[int, int] = (6, 8)) -> bytes:
    """A small picture, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 255, (*size, 3), "uint8")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def is_painting_of(painting: Path, photo: bytes) -> bool:
    """Whether a file is the whole inverse of a picture."""
    with Image.open(painting) as after, Image.open(io.BytesIO(photo)) as before:
        return bool((np.asarray(after) == 255 - np.asarray(before)).all())


class Publications:
    """Counts from outside what is renamed to a final name in a folder, by bare inotify: the system's
    queue has room for all of it, and watchdog now and then makes something else of a rename."""

    MOVED_TO = 0x80

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self.MOVED_TO) > 0

    def counted(self) -> Counter[str]:
        """All that were published, by name; to be called once."""
        names: Counter[str] = Counter()
        with os.fdopen(self._descriptor, "rb", buffering=0) as file:
            while data := file.read(1 << 20):
                while data:
                    watch, _, _, size = struct.unpack_from("iIII", data)
                    assert watch > 0, "the system's queue was too short"
                    names[data[16 : 16 + size].rstrip(b"\0").decode()] += 1
                    data = data[16 + size :]
        return names


class Watch:
    """A watcher in a thread.

    Attributes:
        events: all that it told.
        error: that ended it.
    """

    def __init__(self, *roots: Path, **options: Any) -> None:
        names = ("connect", "lanes", "poll", "interval", "own_process")
        own = {name: options.pop(name) for name in names if name in options}
        settings = Settings(**{"options": LOOK, "settle": 0.1, **options})
        self.events: list[Event] = []
        self.error: BaseException | None = None
        connect = own.pop("connect", Inverter)
        self.watcher = Watcher(list(roots), settings, connect, self.events.append, **own)

    def run(self) -> None:
        try:
            self.watcher.run()
        except BaseException as error:
            self.error = error

    def of(self, kind: str) -> list[Event]:
        return [event for event in list(self.events) if event.kind == kind]

    def texts(self) -> str:
        return "\n".join(event.text for event in list(self.events))


@contextlib.contextmanager
def watching(*roots: Path, **options: Any) -> Iterator[Watch]:
    """Watch folders until the block ends."""
    watch = Watch(*roots, **options)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        until(lambda: watch.error or all(not f.trouble for f in watch.watcher.folders) or watch.events)
        yield watch
    finally:
        watch.watcher.stop()
        thread.join(30)
        assert not thread.is_alive()


def once(*roots: Path, **options: Any) -> Watch:
    """Paint what is there; an error that ends it is raised."""
    watch = Watch(*roots, once=True, **options)
    watch.run()
    if watch.error:
        raise watch.error
    return watch


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A disk of half a megabyte, mounted at a folder that is made; skips where that cannot be."""
    import pytest  # not above: workers import this module

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let root mount a small disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False)


def python(code: str, *within: str) -> int:
    """How a fresh Python ends that runs `code`, started by the command `within`, if any."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([*within, sys.executable, "-c", code], env=environment, check=False).returncode


def names(folder: Path) -> list[str]:
    """All files below a folder, relative to it, without the journal."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(".impasto/"))


if __name__ == "__main__":
    from impasto.cli import main
    from impasto.client import launch

    daemons = Path(__file__).with_name("daemons.py")
    launch.daemon_command = lambda: [sys.executable, str(daemons), "--entry", "hotfolders"]
    sys.exit(main())
