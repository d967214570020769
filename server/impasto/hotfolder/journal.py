"""The journal of a folder: what became of each picture, in SQLite.

Each method commits to the disk before it returns. Paths are bytes: names need not be UTF-8.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.hotfolder.events import Trouble, shown
from impasto.hotfolder.tree import State

VERSION = 2
PAINTING = """
    -- The paintings of a picture, in the order of the recipe's variants.
    CREATE TABLE painting (
        path BLOB NOT NULL, number INTEGER NOT NULL, target BLOB NOT NULL, draft BLOB NOT NULL,
        PRIMARY KEY (path, number)
    ) WITHOUT ROWID"""
SCHEMA = f"""
    BEGIN;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    INSERT INTO fact VALUES ('tag', '{{tag}}');
    -- Folders that are ours: what lies in them is never a picture to paint.
    CREATE TABLE place (path BLOB PRIMARY KEY) WITHOUT ROWID;
    -- Who may write to a target, and the state of what was last published there.
    CREATE TABLE claim (target BLOB PRIMARY KEY, source BLOB NOT NULL, key TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE picture (
        path BLOB PRIMARY KEY, key TEXT NOT NULL, digest BLOB, recipe TEXT, state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, error TEXT, seconds REAL, ended REAL
    ) WITHOUT ROWID;
    {PAINTING};
    CREATE INDEX ended ON picture (ended);
    PRAGMA user_version = {VERSION};
    COMMIT;
"""

FROM_1 = f"""
    BEGIN;
    {PAINTING};
    INSERT INTO painting SELECT path, 0, target, ifnull(draft, x'') FROM picture WHERE target IS NOT NULL;
    ALTER TABLE picture DROP COLUMN target;
    ALTER TABLE picture DROP COLUMN draft;
    PRAGMA user_version = {VERSION};
    COMMIT;
"""
"""A journal of version 1 knew of one painting of each picture."""


@dataclass(frozen=True)
class Row:
    """What the journal knows of a picture.

    Attributes:
        path: relative to the folder.
        key: `State.key` of the file that it was.
        digest: of the file's bytes.
        recipe: the job, as JSON.
        state: "ready" (again), "running", "publishing", "painted" or "failed".
        attempts: how often the painting process died with it.
        targets, drafts: of the paintings; drafts are of no use once it is painted.
        error: why it failed.
    """

    path: str
    key: str
    digest: bytes | None
    recipe: str | None
    state: str
    attempts: int
    targets: tuple[Path, ...]
    drafts: tuple[Path, ...]
    error: str | None

    @property
    def done(self) -> bool:
        return self.state in ("painted", "failed")


_COLUMNS = "path, key, digest, recipe, state, attempts, error"


class Journal:
    """All methods can be called from any thread, and raise `Trouble` when the disk fails."""

    def __init__(self, path: Path, root: Path, upgrade: bool = True) -> None:
        """
        Args:
            path: of the database; made when it is missing.
            root: the folder; targets in it are kept relative to it, so that it can be moved.
            upgrade: change one of an older version; never while a watcher of that version has it.
        """
        self._path = path
        self._root = root
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(SCHEMA.format(tag=secrets.token_hex(4)))
            elif version == 1 and upgrade:
                self._db.executescript(FROM_1)
            elif version < VERSION:
                raise Trouble(f"{shown(path)} is in use by an older version of Impasto; end that first.")
            elif version > VERSION:
                raise Trouble(
                    f"{shown(path)} was written by a newer version of Impasto; use that, or move it away."
                )
            self.tag: str = self._one("SELECT value FROM fact WHERE name = 'tag'")[0]
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def row(self, path: str) -> Row | None:
        found = self._one(f"SELECT {_COLUMNS} FROM picture WHERE path = ?", os.fsencode(path))
        return self._row(found) if found else None

    def unfinished(self) -> list[Row]:
        """Pictures that a killed watcher left “running” or “publishing”."""
        query = f"SELECT {_COLUMNS} FROM picture WHERE state IN ('running', 'publishing')"
        return [self._row(found) for found in self._all(query)]

    def ended(self, state: str) -> list[Row]:
        """All pictures that are “painted” or “failed”."""
        return [self._row(r) for r in self._all(f"SELECT {_COLUMNS} FROM picture WHERE state = ?", state)]

    def counts(self) -> dict[str, int]:
        """How many pictures are in each state."""
        return dict(self._all("SELECT state, count(*) FROM picture GROUP BY state ORDER BY state"))

    def recent(self, seconds: float) -> tuple[int, float, float]:
        """Of the last `seconds`: paintings published, seconds since the first, mean seconds of each."""
        since = time.time() - seconds
        query = "SELECT count(*), min(ended - seconds), avg(seconds) FROM picture WHERE state = 'painted'"
        number, first, mean = self._one(query + " AND ended > ?", since)
        return number, time.time() - first if number else 0.0, mean or 0.0

    def last_errors(self, number: int) -> list[tuple[str, str, float]]:
        """The last failures: path, sentence, and when, in seconds since 1970; the newest first."""
        query = "SELECT path, error, ended FROM picture WHERE state = 'failed' ORDER BY ended DESC LIMIT ?"
        return [(os.fsdecode(path), error, ended) for path, error, ended in self._all(query, number)]

    def begin(self, path: str, key: str, digest: bytes, recipe: str, attempt: bool) -> None:
        """A picture is about to be painted.

        Args:
            attempt: count it as one now, because a death of this process may be its doing.
        """
        self._do(
            "INSERT INTO picture (path, key, digest, recipe, state, attempts)"
            " VALUES (?, ?, ?, ?, 'running', ?)"
            " ON CONFLICT DO UPDATE SET state = 'running', error = NULL, attempts ="
            " excluded.attempts + iif(key = excluded.key AND recipe = excluded.recipe, attempts, 0),"
            " key = excluded.key, digest = excluded.digest, recipe = excluded.recipe",
            os.fsencode(path), key, digest, recipe, int(attempt),
        )  # fmt: skip

    def publishing(self, path: str, paintings: list[tuple[Path, Path, State]]) -> None:
        """Drafts are complete on the disk and about to be renamed to their targets.

        Args:
            paintings: target, draft and the draft's state, of each.
        """
        name = os.fsencode(path)
        with self._lock:
            self._do("BEGIN IMMEDIATE")
            try:
                self._do("DELETE FROM painting WHERE path = ?", name)
                for number, (target, draft, state) in enumerate(paintings):
                    kept, part = self._kept(target), self._kept(draft)
                    self._do("INSERT OR REPLACE INTO claim VALUES (?, ?, ?)", kept, name, state.key)
                    self._do("INSERT INTO painting VALUES (?, ?, ?, ?)", name, number, kept, part)
                self._do("UPDATE picture SET state = 'publishing' WHERE path = ?", name)
                self._do("COMMIT")
            except Trouble:
                self._db.rollback()
                raise

    def painted(self, path: str, seconds: float) -> None:
        self._do(
            "UPDATE picture SET state = 'painted', error = NULL, attempts = 0,"
            " seconds = ?, ended = ? WHERE path = ?",
            seconds, time.time(), os.fsencode(path),
        )  # fmt: skip

    def failed(self, path: str, key: str, recipe: str, error: str) -> None:
        self._do(
            "INSERT INTO picture (path, key, recipe, state, error, ended) VALUES (?, ?, ?, 'failed', ?, ?)"
            " ON CONFLICT DO UPDATE SET key = excluded.key, recipe = excluded.recipe, state = 'failed',"
            " error = excluded.error, ended = excluded.ended",
            os.fsencode(path), key, recipe, error, time.time(),
        )  # fmt: skip

    def again(self, path: str, attempt: int = 0, forget: bool = False) -> None:
        """A picture is to be painted again; `attempt` is added to its attempts, or they are forgotten."""
        query = "UPDATE picture SET state = 'ready', attempts = iif(?, 0, max(0, attempts + ?))"
        self._do(query + " WHERE path = ?", forget, attempt, os.fsencode(path))

    def same(self, path: str, key: str) -> None:
        """The file was touched, but its content and what was painted from it are as before."""
        self._do("UPDATE picture SET key = ? WHERE path = ?", key, os.fsencode(path))

    def claim(self, target: Path) -> tuple[str, str] | None:
        """Path of the picture that `target` belongs to, and `State.key` of what was published there."""
        found = self._one("SELECT source, key FROM claim WHERE target = ?", self._kept(target))
        return (os.fsdecode(found[0]), found[1]) if found else None

    def places(self) -> set[Path]:
        """The folders that were ever written to."""
        return {self._root / os.fsdecode(path) for (path,) in self._all("SELECT path FROM place")}

    def add_place(self, folder: Path) -> None:
        self._do("INSERT OR IGNORE INTO place VALUES (?)", self._kept(folder))

    def named(self) -> set[Path]:
        """The pictures and styles that were last painted after: they are none to paint."""
        kept = self._one("SELECT value FROM fact WHERE name = 'named'")
        return {self._root / path for path in json.loads(kept[0])} if kept else set()

    def name(self, files: set[Path]) -> None:
        kept = json.dumps(sorted(os.fsdecode(self._kept(path)) for path in files))
        self._do("INSERT OR REPLACE INTO fact VALUES ('named', ?)", kept)

    def _kept(self, path: Path) -> bytes:
        return os.fsencode(path.relative_to(self._root) if path.is_relative_to(self._root) else path)

    def _row(self, found: tuple[Any, ...]) -> Row:
        path, key, digest, recipe, state, attempts, error = found
        query = "SELECT target, draft FROM painting WHERE path = ? ORDER BY number"
        kept = [tuple(self._root / os.fsdecode(name) for name in names) for names in self._all(query, path)]
        targets, drafts = zip(*kept, strict=True) if kept else ((), ())
        return Row(os.fsdecode(path), key, digest, recipe, state, attempts, targets, drafts, error)

    def _do(self, query: str, *values: Any) -> None:
        self._all(query, *values)

    def _one(self, query: str, *values: Any) -> Any:
        return next(iter(self._all(query, *values)), None)

    def _all(self, query: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: sqlite3.Error) -> Trouble:
        broken = not isinstance(error, sqlite3.OperationalError)
        advice = "move it away, and all is painted anew" if broken else "what is not painted yet waits"
        return Trouble(f"The journal {shown(self._path)} cannot be used ({error}); {advice}.")
