"""The hot folder's contract, on real files: what is painted, what is left alone, what is told."""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemons import until
from hotfolders import Watch, encoded, is_painting_of, many, names, once, python, small_disk, watching
from impasto.backends.lock import Lock
from impasto.errors import JobError, UnwritablePicture, UsageError
from impasto.hotfolder import summary
from impasto.hotfolder.hints import Hints
from impasto.hotfolder.journal import Journal
from impasto.hotfolder.tree import State
from impasto.hotfolder.watcher import places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos"
    path.mkdir()
    return path


def drop(path: Path, number: int = 0, format: str = "png") -> bytes:
    data = encoded(number, format)
    path.write_bytes(data)
    return data


def painted(watch: Watch, number: int) -> None:
    """Wait for so many paintings, and make sure that no more come."""
    until(lambda: len(watch.of("painted")) >= number, 30)
    time.sleep(0.4)
    assert len(watch.of("painted")) == number


# What is found


def test_a_picture_is_painted_and_its_original_stays(folder: Path) -> None:
    data = drop(folder / "a.png")
    before = (folder / "a.png").stat()
    once(folder)
    assert names(folder) == ["a.png", "impasto/a-kiss.png"]
    assert is_painting_of(folder / "impasto/a-kiss.png", data)
    after = (folder / "a.png").stat()
    assert (folder / "a.png").read_bytes() == data
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_what_is_painted_is_not_painted_again(folder: Path) -> None:
    drop(folder / "a.png")
    once(folder)
    state = (folder / "impasto/a-kiss.png").stat()
    assert once(folder).events == []
    os.utime(folder / "a.png")
    assert [event.kind for event in once(folder).events] == ["skipped"]
    assert once(folder).events == []
    assert (folder / "impasto/a-kiss.png").stat() == state


def test_sub_folders_are_mirrored_and_endings_count_without_case(folder: Path) -> None:
    (folder / "x" / "y.png").mkdir(parents=True)
    drop(folder / "x" / "y.png" / "A.PNG")
    drop(folder / "B.JPeG", format="jpeg")
    once(folder)
    assert names(folder / "impasto") == ["B-kiss.JPeG", "x/y.png/A-kiss.PNG"]


def test_a_slow_writer_is_waited_for(folder: Path) -> None:
    data, slow = encoded(1), many(12)
    with watching(folder, settle=0.3) as watch:
        with (folder / "slow.png").open("wb", buffering=0) as file:
            for byte in data[:slow]:
                file.write(bytes([byte]))
                time.sleep(0.1)
            assert watch.of("painted") == watch.of("failed") == []
            file.write(data[slow:])
        painted(watch, 1)
    assert is_painting_of(folder / "impasto/slow-kiss.png", data)
    assert watch.of("failed") == []


def test_a_writer_that_pauses_is_forgiven(folder: Path) -> None:
    data = encoded(1)
    with watching(folder) as watch:
        (folder / "a.png").write_bytes(data[:60])
        time.sleep(0.8)
        with (folder / "a.png").open("ab") as file:
            file.write(data[60:])
        painted(watch, 1)
    assert watch.of("failed") == []


def test_a_burst_of_files(folder: Path) -> None:
    number = many(100)
    with watching(folder) as watch:
        data = {f"{n}.png": drop(folder / f"{n}.png", n) for n in range(number)}
        until(lambda: len(watch.of("painted")) == number, 30 + number / 20)
    for name, photo in data.items():
        assert is_painting_of(folder / "impasto" / name.replace(".", "-kiss."), photo)


def test_moved_in_renamed_in_and_linked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    drop(tmp_path / "a.png", 1)
    drop(tmp_path / "b.png", 2)
    drop(tmp_path / "album" / "c.png", 3)
    with watching(folder) as watch:
        (tmp_path / "a.png").rename(folder / "a.png")
        os.link(tmp_path / "b.png", folder / "b.png")
        os.link(tmp_path / "b.png", folder / "b2.png")
        (tmp_path / "album").rename(folder / "album")
        drop(folder / "d.png.part", 4)
        (folder / "d.png.part").rename(folder / "d.png")
        painted(watch, 5)
    expected = ["a-kiss.png", "album/c-kiss.png", "b-kiss.png", "b2-kiss.png", "d-kiss.png"]
    assert names(folder / "impasto") == expected


def test_an_editor_that_saves_by_renaming(folder: Path) -> None:
    drop(folder / "a.png", 1)
    with watching(folder) as watch:
        painted(watch, 1)
        drop(folder / ".a.png.tmp", 2)
        (folder / ".a.png.tmp").rename(folder / "a.png")
        painted(watch, 2)
    assert names(folder / "impasto") == ["a-kiss.png"]
    assert is_painting_of(folder / "impasto/a-kiss.png", encoded(2))


def test_one_name_written_again_and_again(folder: Path) -> None:
    with watching(folder) as watch:
        for number in range(10):
            drop(folder / "a.png", number)
            until(lambda number=number: len(watch.of("painted")) == number + 1)
    assert names(folder / "impasto") == ["a-kiss.png"]
    assert is_painting_of(folder / "impasto/a-kiss.png", encoded(9))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no UTF-8")
def test_names_of_all_kinds(folder: Path) -> None:
    wanted = [
        b"a b.png",
        "Gänse 🦆.png".encode(),
        b"\xff\xfe.png",
        b"-o.png",
        b"{stem}.png",
        b"new\nline.png",
    ]
    for name in wanted:
        drop(folder / os.fsdecode(name))
    watch = once(folder)
    assert len(watch.of("painted")) == len(wanted)
    found = {os.fsencode(path.name) for path in (folder / "impasto").iterdir()}
    assert found == {name.replace(b".png", b"-kiss.png") for name in wanted}
    assert once(folder).events == []
    assert all(event.to_dict() for event in watch.events)


def test_polling(folder: Path) -> None:
    with watching(folder, poll=True, interval=0.3) as watch:
        drop(folder / "a.png")
        painted(watch, 1)
        drop(folder / "b.png", 1)
        painted(watch, 2)


# What is left alone


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_links_pipes_and_the_whole_file_system(folder: Path, tmp_path: Path) -> None:
    drop(tmp_path / "outside.png")
    (folder / "root").symlink_to("/")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "round").symlink_to(folder)
    (folder / "dead.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    drop(folder / "a.png")
    watch = once(folder)
    assert [event.input for event in watch.of("painted")] == [folder / "a.png"]
    assert {event.input and event.input.name for event in watch.of("skipped")} == {
        "out.png",
        "dead.png",
        "pipe.png",
    }


def test_what_programs_write_on_the_way(folder: Path) -> None:
    for name in (".a.png", "~a.png", "a.png~", "a.png.part", "a.tmp", "a.crdownload", "a.mask.png", "a.xmp"):
        drop(folder / name)
    assert once(folder).events == []


@pytest.mark.parametrize("output", ["paintings", "a/b", "impasto"])
def test_paintings_within_the_folder_are_not_painted(folder: Path, output: str) -> None:
    drop(folder / "a.png")
    once(folder, output=folder / output)
    assert once(folder, output=folder / "elsewhere").events == []
    assert once(folder).events == []
    assert names(folder) == ["a.png", f"{output}/a-kiss.png"]


def test_output_that_would_feed_a_folder_is_refused(folder: Path) -> None:
    (folder / "in").mkdir()
    for output in (folder / "in", folder):
        with pytest.raises(UsageError, match="come back"):
            places([folder / "in"], output)
    with pytest.raises(UsageError, match="name only that"):
        places([folder, folder / "in"], None)
    with pytest.raises(UsageError, match="does not exist"):
        places([folder / "nowhere"], None)


def test_several_folders(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "two")]
    for root in roots:
        root.mkdir()
        drop(root / "a.png")
    once(*roots, output=tmp_path / "out")
    assert names(tmp_path / "out") == ["one/a-kiss.png", "two/a-kiss.png"]


# What fails


def bomb() -> bytes:
    """A PNG of 60000 x 60000 pixels, by its header."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_broken_pictures_fail_with_a_reason_beside_them(folder: Path) -> None:
    broken = {"empty": b"", "half": encoded(1)[:90], "text": b"no picture", "bomb": bomb()}
    for name, data in broken.items():
        (folder / f"{name}.png").write_bytes(data)
        os.utime(folder / f"{name}.png", (1e9, 1e9))
    drop(folder / "good.png")
    watch = once(folder)
    assert len(watch.of("painted")) == 1
    for name, word in {
        "empty": "empty",
        "half": "complete",
        "text": "not a picture",
        "bomb": "60,000",
    }.items():
        assert word in (folder / f"impasto/failed/{name}.png.error.txt").read_text()
        assert (folder / f"{name}.png").read_bytes() == broken[name]
    assert once(folder).events == []
    data = drop(folder / "half.png", 1)
    assert len(once(folder).of("painted")) == 1
    assert is_painting_of(folder / "impasto/half-kiss.png", data)
    assert not (folder / "impasto/failed/half.png.error.txt").exists()


def test_a_young_damaged_file_gets_time(folder: Path) -> None:
    (folder / "half.png").write_bytes(encoded(1)[:90])
    began = time.monotonic()
    watch = once(folder)
    assert time.monotonic() - began > 1.0
    assert len(watch.of("failed")) == 1


def test_move(folder: Path) -> None:
    (folder / "x").mkdir()
    drop(folder / "x" / "a.png", 1)
    (folder / "bad.png").write_bytes(b"bad")
    os.utime(folder / "bad.png", (1e9, 1e9))
    once(folder, move=True)
    drop(folder / "x" / "a.png", 2)
    once(folder, move=True)
    assert names(folder) == [
        "failed/bad.png",
        "failed/bad.png.error.txt",
        "impasto/x/a-kiss.png",
        "processed/x/a-2.png",
        "processed/x/a.png",
    ]
    assert (folder / "processed/x/a.png").read_bytes() == encoded(1)
    assert once(folder).events == []


# Where paintings go


def test_pictures_of_one_stem_do_not_collide(folder: Path) -> None:
    drop(folder / "a.jpg", 1, "jpeg")
    drop(folder / "a.tif", 2, "tiff")
    drop(folder / "a.png", 3)
    (folder / "recipe.toml").write_text('[output]\nformat = "png"\n')
    once(folder)
    assert names(folder / "impasto") == ["a-kiss-png.png", "a-kiss-tif.png", "a-kiss.png"]
    assert is_painting_of(folder / "impasto/a-kiss-png.png", encoded(3))
    drop(folder / "a.png", 4)
    once(folder)
    assert len(names(folder / "impasto")) == 3
    assert is_painting_of(folder / "impasto/a-kiss-png.png", encoded(4))


def test_files_of_others_are_not_overwritten(folder: Path) -> None:
    (folder / "impasto").mkdir()
    (folder / "impasto/a-kiss.png").write_text("mine")
    drop(folder / "a.png", 1)
    once(folder)
    assert (folder / "impasto/a-kiss.png").read_text() == "mine"
    (folder / "impasto/a-kiss-png.png").write_text("worked over")
    drop(folder / "a.png", 2)
    once(folder)
    assert names(folder / "impasto") == ["a-kiss-png-2.png", "a-kiss-png.png", "a-kiss.png"]


def test_read_only_output_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritablePicture, match="cannot be written"):
        once(folder, output=tmp_path / "file" / "out")
    with pytest.raises(UnwritablePicture, match="--state"):
        once(folder, state=tmp_path / "file" / "state")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as path:
        yield path


def test_a_full_disk_stops_the_folder_and_room_lets_it_go_on(folder: Path, disk: Path) -> None:
    (disk / "ballast").write_bytes(bytes(500_000))
    photos = {f"{n}.png": encoded(n, size=(120, 160)) for n in range(3)}
    for name, data in photos.items():
        (folder / name).write_bytes(data)
    watch = once(folder, output=disk)
    assert [str(error) for error in watch.watcher.troubles] == [watch.of("notice")[0].text]
    assert "No space left" in watch.texts()
    assert names(disk) == ["ballast"]
    with watching(folder, output=disk) as watch:
        until(lambda: "No space left" in watch.texts())
        (disk / "ballast").unlink()
        painted(watch, 3)
    for name, data in photos.items():
        assert is_painting_of(disk / name.replace(".", "-kiss."), data)


def test_output_that_turns_read_only(folder: Path, disk: Path) -> None:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

    with watching(folder, output=disk) as watch:
        drop(folder / "a.png", 1)
        painted(watch, 1)
        remount("ro")
        drop(folder / "b.png", 2)
        until(lambda: "Read-only" in watch.texts())
        remount("rw")
        painted(watch, 2)
    assert watch.of("failed") == []


# Folders that come and go


def test_two_watchers_on_one_folder(folder: Path) -> None:
    with watching(folder):
        with pytest.raises(UsageError, match="watched already"):
            once(folder)
        assert summary(folder, None)["running"]
    assert once(folder).events == []
    assert not summary(folder, None)["running"]


def test_a_folder_renamed_away_and_back(folder: Path) -> None:
    away = folder.with_name("away")
    with watching(folder) as watch:
        drop(folder / "a.png", 1)
        painted(watch, 1)
        folder.rename(away)
        drop(away / "b.png", 2)
        until(lambda: "has gone" in watch.texts())
        assert not folder.exists()
        away.rename(folder)
        painted(watch, 2)
        drop(folder / "c.png", 3)
        painted(watch, 3)
    assert names(folder / "impasto") == ["a-kiss.png", "b-kiss.png", "c-kiss.png"]


def test_another_folder_in_its_place(folder: Path) -> None:
    with watching(folder) as watch:
        drop(folder / "a.png", 1)
        painted(watch, 1)
        folder.rename(folder.with_name("away"))
        folder.mkdir()
        drop(folder / "b.png", 2)
        painted(watch, 2)
    assert names(folder / "impasto") == ["b-kiss.png"]


@pytest.mark.parametrize(
    "what", ["0 > /proc/sys/user/max_inotify_instances", "4 > /proc/sys/user/max_inotify_watches"]
)
def test_no_hints_left_in_the_system(folder: Path, what: str) -> None:
    """In a user namespace of its own, whose limit is its own too."""
    for number in range(6):
        (folder / f"{number}").mkdir()
    limit = f'echo {what} && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"]
    try:
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
            pytest.skip("this system does not let a program set a limit for itself")
    except FileNotFoundError:
        pytest.skip("there is no “unshare”")
    code = f"""
from pathlib import Path
from daemons import until
from hotfolders import encoded, watching
folder = Path({str(folder)!r})
with watching(folder, interval=0.3) as watch:
    until(lambda: "limit reached" in watch.texts())
    (folder / "3/a.png").write_bytes(encoded(1))
    until(lambda: len(watch.of("painted")) == 1)
"""
    assert python(code, *inside) == 0
    assert is_painting_of(folder / "impasto/3/a-kiss.png", encoded(1))


def test_dead_threads_of_the_observer_are_replaced(folder: Path) -> None:
    with watching(folder) as watch:
        hints: Hints = watch.watcher._hints
        until(hints._alive)
        observer = hints._observer
        assert observer
        observer.stop()
        until(lambda: hints._observer is not observer and hints._alive())
        drop(folder / "a.png")
        painted(watch, 1)


# Recipes


def recipe(folder: Path, text: str) -> None:
    (folder / "recipe.toml").write_text(text)


def test_a_changed_recipe_paints_what_is_new(folder: Path) -> None:
    recipe(folder, '[look]\nstyle = "kiss"\n')
    drop(folder / "a.png", 1)
    with watching(folder, options={}) as watch:
        painted(watch, 1)
        recipe(folder, '[look]\nstyle = "scream"\n[output]\nname = "new {stem}"\n')
        time.sleep(0.5)
        drop(folder / "b.png", 2)
        painted(watch, 2)
    assert names(folder / "impasto") == ["a-kiss.png", "new b.png"]
    assert once(folder, options={}).events == []
    assert len(once(folder, options={}, repaint=True).of("painted")) == 1
    assert names(folder / "impasto") == ["a-kiss.png", "new a.png", "new b.png"]
    assert once(folder, options={}, repaint=True).events == []
    (folder / "impasto" / "new b.png").unlink()
    assert once(folder, options={}).events == []
    assert len(once(folder, options={}, repaint=True).of("painted")) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[look]\nstyle = "kiss"\n\nstrenght = 1\n', ["line 4", "strenght", "strength"]),
        ('[look]\nstyle = "kis"\n', ["line 2", "style", "kiss"]),
        ('[output]\nformat = "png"\n[look]\nstyle = "kiss"\nscale = 9\n', ["line 5", "scale", "4"]),
        ("[lok]\nstyle = 1\n", ["line 1", "lok", "look"]),
        ("look = 3\n", ["line 1", "look"]),
        ('[look]\nstyle = "kiss\n', ["line 2"]),
        ("", ["No style"]),
    ],
)
def test_a_broken_recipe_names_file_line_and_key(folder: Path, text: str, words: list[str]) -> None:
    recipe(folder, text)
    with pytest.raises(JobError) as caught:
        once(folder, options={})
    for word in ["recipe.toml", *words]:
        assert word in str(caught.value)


def test_a_broken_recipe_stops_its_folder_only(tmp_path: Path) -> None:
    roots = good, bad = tmp_path / "good", tmp_path / "bad"
    for root in roots:
        root.mkdir()
    recipe(good, '[look]\nstyle = "kiss"\n')
    recipe(bad, '[look]\nstyle = "kiss"\nstrength = 7\n')
    drop(bad / "a.png")
    with watching(*roots, options={}) as watch:
        drop(good / "a.png")
        painted(watch, 1)
        recipe(bad, '[look]\nstyle = "kiss"\nstrength = 1\n')
        painted(watch, 2)
        recipe(bad, "[look\n")
        until(lambda: "not valid TOML" in watch.texts())
        drop(bad / "b.png", 1)
        drop(good / "b.png", 2)
        painted(watch, 3)
        recipe(bad, '[look]\nstyle = "kiss"\n')
        painted(watch, 4)
    assert watch.of("failed") == []


# The journal


def test_the_summary(folder: Path) -> None:
    with pytest.raises(UsageError, match="never watched"):
        summary(folder, None)
    drop(folder / "a.png")
    (folder / "bad.png").write_bytes(b"bad")
    os.utime(folder / "bad.png", (1e9, 1e9))
    once(folder)
    drop(folder / "new.png", 1)
    told = summary(folder, None)
    assert (told["painted"], told["failed"], told["waiting"], told["under_way"]) == (1, 1, 1, 0)
    assert told["per_minute"] > 0
    assert told["last_errors"][0]["input"] == "bad.png"


def test_a_broken_journal_is_not_overwritten(folder: Path) -> None:
    drop(folder / "a.png")
    once(folder)
    journal = folder / ".impasto/journal.sqlite"
    journal.write_bytes(b"no database" * 999)
    with pytest.raises(UnwritablePicture, match="move it away"):
        once(folder)
    assert journal.read_bytes() == b"no database" * 999


VERSION_1 = """
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    INSERT INTO fact VALUES ('tag', 'abcd1234');
    CREATE TABLE place (path BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE claim (target BLOB PRIMARY KEY, source BLOB NOT NULL, key TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE picture (
        path BLOB PRIMARY KEY, key TEXT NOT NULL, digest BLOB, recipe TEXT, state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, target BLOB, draft BLOB, error TEXT, seconds REAL, ended REAL
    ) WITHOUT ROWID;
    CREATE INDEX ended ON picture (ended);
    PRAGMA user_version = 1;
"""


def test_a_journal_of_the_first_version_goes_on(folder: Path) -> None:
    """One picture is painted, one failed, one was cut off before its draft got its name, one before that."""
    journal = folder / ".impasto/journal.sqlite"
    for place in (folder / "impasto", journal.parent):
        place.mkdir()
    keys = {}
    for number, name in enumerate(("painted", "failed", "publishing", "running")):
        drop(folder / f"{name}.png", number)
        keys[name] = State.of((folder / f"{name}.png").stat()).key
    (folder / "impasto/painted-kiss.png").write_bytes(b"the first painting")
    draft = folder / "impasto/.impasto-abcd1234-00.part"
    draft.write_bytes(b"the second painting")
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        insert = "INSERT INTO picture (path, key, state, target, draft, seconds, ended)"
        for name, target, part in (
            ("painted", b"impasto/painted-kiss.png", None),
            ("failed", None, None),
            ("publishing", b"impasto/publishing-kiss.png", b"impasto/.impasto-abcd1234-00.part"),
            ("running", None, None),
        ):
            values = (f"{name}.png".encode(), keys[name], name, target, part)
            db.execute(f"{insert} VALUES (?, ?, ?, ?, ?, 1.0, 1.0)", values)
        claim = (b"impasto/publishing-kiss.png", b"publishing.png", State.of(draft.stat()).key)
        db.execute("INSERT INTO claim VALUES (?, ?, ?)", claim)
    lock = Lock(folder / ".impasto/lock")
    assert lock.acquire()
    with pytest.raises(UnwritablePicture, match="older version"):
        summary(folder, None)
    lock.release()
    watch = once(folder)
    done = [event.input and event.input.name for event in watch.of("painted")]
    assert done == ["publishing.png", "running.png"]
    assert (folder / "impasto/painted-kiss.png").read_bytes() == b"the first painting"
    assert (folder / "impasto/publishing-kiss.png").read_bytes() == b"the second painting"
    assert is_painting_of(folder / "impasto/running-kiss.png", encoded(3))
    assert once(folder).events == []
    assert summary(folder, None)["painted"] == 3
    with closing(sqlite3.connect(journal)) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(UnwritablePicture, match="newer version"):
        once(folder)


def test_a_journal_elsewhere_leaves_the_folder_clean(folder: Path, tmp_path: Path) -> None:
    drop(folder / "a.png")
    options = {"state": tmp_path / "state", "output": tmp_path / "out"}
    once(folder, **options)
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert once(folder, **options).events == []


def test_the_folder_can_move_with_its_journal(folder: Path) -> None:
    drop(folder / "a.png", 1)
    once(folder)
    moved = folder.rename(folder.with_name("moved"))
    assert once(moved).events == []
    drop(moved / "a.png", 2)
    once(moved)
    assert names(moved / "impasto") == ["a-kiss.png"]


def test_the_journal_serves_many_threads(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite", tmp_path)

    def write(number: int) -> None:
        for n in range(20):
            journal.begin(f"{number}-{n}.png", "key", b"digest", "{}", attempt=False)
            journal.painted(f"{number}-{n}.png", 1.0)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.counts() == {"painted": 80}
    journal.close()
