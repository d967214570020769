"""Which folders are watched now: a note in a place of this user's own for each, for `impasto status`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from impasto.client.errors import ClientError
from impasto.client.place import runtime_directory
from impasto.errors import ImpastoError, UnwritablePicture
from impasto.files import publish
from impasto.hotfolder.status import summary

FOLDER = "watched"


def note(root: Path, state: Path | None) -> Path | None:
    """Note that a folder is watched from now on; None where that is not possible.

    Args:
        state: where its journal is, see `Settings.state`.
    """
    try:
        folder = runtime_directory(create=True) / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"
        # Whole: who reads half of it would remove it.
        publish(path, json.dumps({"root": str(root), "state": state and str(state)}).encode())
        return path
    except (ClientError, UnwritablePicture, OSError):
        return None


def watched() -> list[dict[str, Any]]:
    """The `summary` of each folder that is watched now; notes of watchers that were killed are removed."""
    try:
        paths = sorted((runtime_directory() / FOLDER).glob("*.json"))
    except ClientError:
        return []
    found: list[dict[str, Any]] = []
    for path in paths:
        with contextlib.suppress(ImpastoError, OSError, ValueError, KeyError):
            kept = json.loads(path.read_text())
            told = summary(Path(kept["root"]), kept["state"] and Path(kept["state"]))
            if told["running"]:
                found.append(told)
                continue
        path.unlink(missing_ok=True)
    return found
