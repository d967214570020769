"""The recipe of a folder: a file that may change, and options that win over it."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError, JobError, UnknownStyle, UnreadablePicture
from impasto.files import read
from impasto.hotfolder.events import shown
from impasto.hotfolder.tree import State, state_of
from impasto.job import Job
from impasto.styles.references import located
from impasto.styles.sources import check_known


class Recipe:
    """Read when it is first asked for, and again when its file has changed and come to rest."""

    def __init__(self, path: Path, required: bool, options: dict[str, Any], settle: float) -> None:
        """
        Args:
            path: of the TOML file.
            required: whether a missing file is an error, or the same as an empty one.
            options: tables "look" and "output" whose values win over the file's.
            settle: seconds for which a changed file must stay as it is.
        """
        self.path = path
        self._required = required
        self._options = options
        self._settle = settle
        self._seen: State | None = None
        self._since = 0.0
        self._loaded: State | None = None
        self._result: Job | JobError | None = None

    def job(self) -> Job:
        """The job of now.

        Raises:
            JobError: a key or value is wrong; the sentence names file, line and key.
        """
        state, now = state_of(self.path), time.monotonic()
        if state != self._seen:
            self._seen, self._since = state, now
        if self._result is None or (state != self._loaded and now - self._since >= self._settle):
            self._loaded = state
            try:
                self._result = self._load(state is None)
            except JobError as error:
                self._result = error
        if isinstance(self._result, JobError):
            raise JobError(str(self._result))
        return self._result

    def _load(self, missing: bool) -> Job:
        text = ""
        if self._required or not missing:
            try:
                text = read(self.path).decode()
            except UnicodeDecodeError:
                raise JobError(f"{shown(self.path)} is not a text file.") from None
            except UnreadablePicture as error:
                raise JobError(str(error)) from None
        try:
            data = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise JobError(f"{shown(self.path)} is not valid TOML: {error}.") from None
        check(data, text, self.path)
        for table, options in self._options.items():
            if options:
                data[table] = data.get(table, {}) | options
        job = Job.from_dict(data)
        if not any(job.looks()):
            raise JobError(
                f'No style is chosen: write [look] style = "NAME" into {shown(self.path)}, or use --style.'
            )
        known(job, self.path.parent)
        return located(job, self.path.parent)


def check(data: dict[str, Any], text: str, path: Path) -> None:
    """Make sure that a recipe's data are a job of known styles.

    Raises:
        JobError: with the file, the line of `text`, and the key.
    """
    try:
        known(Job.from_dict(data), path.parent)
        return
    except ImpastoError as error:
        whole = error
    # One key at a time: which of them is wrong, its error tells.
    for table, entries in data.items():
        parts: list[tuple[str | None, Any]] = [(None, {} if isinstance(entries, dict) else entries)]
        parts += entries.items() if isinstance(entries, dict) else ()
        for key, value in parts:
            try:
                known(Job.from_dict({table: value if key is None else {key: value}}), path.parent)
            except ImpastoError as error:
                line = line_of(text, table, key)
                name = f"[{table}] {key}" if key else table
                raise JobError(f"{shown(path)}, line {line}, {name}: {error}") from None
    raise JobError(f"{shown(path)}: {whole}")


def line_of(text: str, table: str, key: str | None) -> int:
    """The line, from 1, at which a table's key is set (or the table or top-level key itself)."""
    at = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*[\"']?([^\]\"']+?)[\"']?\s*\]", line)
        if header:
            at = header[1]
            if key is None and at == table:
                return number
        word = re.match(r"\s*[\"']?([^=\"']+?)[\"']?\s*=", line)
        if word and ((at == table and word[1] == key) or (not at and word[1] in (table, f"{table}.{key}"))):
            return number
    return 1


def known(job: Job, folder: Path) -> None:
    """Make sure that each style of a job exists, files as seen from `folder`.

    Raises:
        JobError: one does not.
    """
    for style in (style for look in located(job, folder).looks() for style in look.style):
        try:
            check_known(style.ref)
        except UnknownStyle as error:
            raise JobError(str(error)) from None
