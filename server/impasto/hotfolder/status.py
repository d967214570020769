"""What a folder's journal tells, whether it is being watched or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from impasto.backends.lock import Lock
from impasto.errors import UnwritablePicture, UsageError
from impasto.hotfolder.events import Trouble, shown
from impasto.hotfolder.journal import Journal
from impasto.hotfolder.settings import OUTPUT, state_folder
from impasto.hotfolder.tree import walk

RECENT = 600.0
"""Seconds over which speed is measured."""

ERRORS = 5


def summary(root: Path, state: Path | None) -> dict[str, Any]:
    """The state of a watched folder.

    Args:
        root: the folder.
        state: where its journal is, see `Settings.state`.

    Returns:
        JSON values: `folder`, `running` (a watcher has it), `painted`, `failed`, `under_way`,
        `waiting`, `per_minute` (of the last ten minutes), `mean_seconds`, `last_errors` (the newest
        first, each with `input`, `error` and `at`, in seconds since 1970).

    Raises:
        UsageError: the folder was never watched.
        UnwritablePicture: its journal cannot be read.
    """
    root = root.resolve()
    own = state_folder(root, state)
    if not (own / "journal.sqlite").is_file():
        raise UsageError(f"{shown(root)} was never watched; “impasto watch” begins.")
    try:
        held = is_held(own / "lock")
        journal = Journal(own / "journal.sqlite", root, upgrade=not held)
        try:
            return {"folder": shown(root), "running": held} | told(journal, root)
        finally:
            journal.close()
    except (Trouble, OSError) as error:
        raise UnwritablePicture(str(error)) from None


def told(journal: Journal, root: Path) -> dict[str, Any]:
    counts = journal.counts()
    waiting = 0
    for source, state in walk(root, {root / OUTPUT} | journal.places() | journal.named()):
        row = journal.row(source)
        waiting += row is None or row.key != state.key or row.state == "ready"
    number, span, mean = journal.recent(RECENT)
    return {
        "painted": counts.get("painted", 0),
        "failed": counts.get("failed", 0),
        "under_way": counts.get("running", 0) + counts.get("publishing", 0),
        "waiting": waiting,
        "per_minute": round(60 * number / span, 1) if span else 0.0,
        "mean_seconds": round(mean, 2),
        "last_errors": [
            {"input": shown(path), "error": error, "at": round(at)}
            for path, error, at in journal.last_errors(ERRORS)
        ],
    }


def is_held(path: Path) -> bool:
    lock = Lock(path)
    try:
        return not lock.acquire()
    finally:
        lock.release()
