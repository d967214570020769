"""The contract of the hot folder once more, with the real daemon and the real painter at a small scale."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import directories, until
from hotfolders import Publications, Watch, encoded, many, names, small_disk, watching
from impasto.backends import Parcel
from impasto.cli.watch import LANES, connected
from impasto.client import connect
from impasto.job import Job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts by inotify, mounts disks")

FAST = {"look": {"style": ["kiss"], "scale": 4.0}, "output": {}}


@pytest.fixture(scope="module", autouse=True)
def daemon() -> Iterator[None]:
    with directories(), connect() as client:
        yield
        client.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos"
    (path / "impasto").mkdir(parents=True)
    return path


def watched(*roots: Path, **options: object) -> contextlib.AbstractContextManager[Watch]:
    return watching(*roots, options=FAST, connect=connected, lanes=lambda: LANES, **options)


def painting_of(photo: bytes) -> bytes:
    """What the daemon makes of a picture by itself; it does so always alike."""
    with contextlib.closing(connected()) as backend:
        parcel = Parcel(photo, {"kind": "file", "name": "a.png"})
        return bytes(backend.run(Job.from_dict(FAST), parcel, lambda fraction, text: None).data)


def painted(watch: Watch, number: int, seconds: float = 60) -> None:
    """Wait for so many paintings, and make sure that no more come and none fails."""
    until(lambda: len(watch.of("painted")) >= number or watch.of("failed"), seconds)
    time.sleep(0.4)
    assert (len(watch.of("painted")), watch.of("failed")) == (number, [])


def test_a_burst_of_files(folder: Path) -> None:
    """As many at once as a camera's card holds: 2,000 with IMPASTO_TEST_SCALE=10."""
    photos = {f"{n}.png": encoded(n) for n in range(many(200))}
    publications = Publications(folder / "impasto")
    with watched(folder) as watch:
        for name, data in photos.items():
            (folder / name).write_bytes(data)
        painted(watch, len(photos), 60 + len(photos) / 5)
    counted = publications.counted()
    assert counted == {name.replace(".", "-kiss."): 1 for name in photos}
    assert names(folder / "impasto") == sorted(counted)
    for name, data in list(photos.items())[::10]:
        assert (folder / "impasto" / name.replace(".", "-kiss.")).read_bytes() == painting_of(data)
        assert (folder / name).read_bytes() == data


def test_a_slow_writer_and_one_name_written_again_and_again(folder: Path) -> None:
    data = encoded(1)
    with watched(folder, settle=0.3) as watch:
        with (folder / "slow.png").open("wb", buffering=0) as slow:
            for byte in data[:12]:
                slow.write(bytes([byte]))
                time.sleep(0.1)
            slow.write(data[12:])
        painted(watch, 1)
        for number in range(10):
            (folder / "again.png").write_bytes(encoded(number))
            until(lambda number=number: len(watch.of("painted")) == 2 + number)
        painted(watch, 11)
    assert names(folder / "impasto") == ["again-kiss.png", "slow-kiss.png"]
    assert (folder / "impasto/slow-kiss.png").read_bytes() == painting_of(data)
    assert (folder / "impasto/again-kiss.png").read_bytes() == painting_of(encoded(9))


def test_a_second_watcher_is_refused_and_a_folder_may_go_and_come_back(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded(1))
    command = [sys.executable, "-m", "impasto", "watch", str(folder), "--style", "kiss", "--once"]
    with watched(folder) as watch:
        painted(watch, 1)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == f"impasto: {folder} is watched already by another program; stop that first.\n"
        away = folder.rename(folder.with_name("away"))
        (away / "b.png").write_bytes(encoded(2))
        until(lambda: "has gone" in watch.texts())
        away.rename(folder)
        painted(watch, 2)
    assert names(folder / "impasto") == ["a-kiss.png", "b-kiss.png"]


def test_an_output_that_is_full_and_then_read_only(folder: Path, tmp_path: Path) -> None:
    photos = {f"{n}.png": encoded(n, size=(120, 160)) for n in range(3)}
    with small_disk(tmp_path / "disk") as disk:
        (disk / "ballast").write_bytes(bytes(500_000))
        with watched(folder, output=disk) as watch:
            for name, data in photos.items():
                (folder / name).write_bytes(data)
            until(lambda: "No space left" in watch.texts())
            assert names(disk) == ["ballast"]
            (disk / "ballast").unlink()
            painted(watch, 3)
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            (folder / "3.png").write_bytes(encoded(3))
            until(lambda: "Read-only" in watch.texts())
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            painted(watch, 4)
        assert names(disk) == [f"{n}-kiss.png" for n in range(4)]
        for name, data in photos.items():
            assert (disk / name.replace(".", "-kiss.")).read_bytes() == painting_of(data)
            assert (folder / name).read_bytes() == data


def test_names_of_all_kinds_and_what_is_no_picture(folder: Path, tmp_path: Path) -> None:
    wanted = [b"a b.png", "Gänse 🦆.png".encode(), b"\xff\xfe.png", b"{stem}.png", b"new\nline.png"]
    (tmp_path / "outside.png").write_bytes(encoded(0))
    (folder / "root").symlink_to("/")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    with watched(folder) as watch:
        for number, name in enumerate(wanted):
            (folder / os.fsdecode(name)).write_bytes(encoded(number))
        os.link(tmp_path / "outside.png", folder / "linked.png")
        painted(watch, len(wanted) + 1)
    found = {os.fsencode(path.name) for path in (folder / "impasto").iterdir()}
    assert found == {name.replace(b".png", b"-kiss.png") for name in [*wanted, b"linked.png"]}
    for number, name in enumerate(wanted):
        painting = folder / "impasto" / os.fsdecode(name.replace(b".png", b"-kiss.png"))
        assert painting.read_bytes() == painting_of(encoded(number))


def test_broken_pictures_and_two_of_one_stem(folder: Path) -> None:
    broken = {"empty.png": b"", "half.jpg": encoded(1, "jpeg")[:200], "text.tif": b"no picture"}
    for name, data in broken.items():
        (folder / name).write_bytes(data)
        os.utime(folder / name, (1e9, 1e9))
    (folder / "a.jpg").write_bytes(encoded(2, "jpeg"))
    (folder / "a.tif").write_bytes(encoded(3, "tiff"))
    fast = {**FAST, "output": {"format": "png"}}
    with watching(folder, options=fast, connect=connected, lanes=lambda: LANES) as watch:
        until(lambda: len(watch.of("painted")) == 2 and len(watch.of("failed")) == 3, 60)
    notes = [f"failed/{name}.error.txt" for name in broken]
    found = names(folder / "impasto")
    # Which of the two comes first, is told by which was painted first.
    assert sorted(found) in (
        sorted([*notes, "a-kiss.png", second]) for second in ("a-kiss-tif.png", "a-kiss-jpg.png")
    )
    assert "empty" in (folder / "impasto/failed/empty.png.error.txt").read_text()
    assert all((folder / name).read_bytes() == data for name, data in broken.items())
