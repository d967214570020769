"""The recipe of a folder: a file that may change, and options that win over it."""

from __future__ import annotations

import contextlib
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError, JobError, UnknownStyle, UnreadablePicture
from impasto.files import read
from impasto.hotfolder.events import shown
from impasto.hotfolder.tree import State, state_of
from impasto.job import Job
from impasto.styles import saved
from impasto.styles.references import STYLE_SUFFIX, files_of, located
from impasto.styles.sources import check_known

States = dict[Path, State | None]


class Recipe:
    """Read when it is first asked for, and again when its file, or one that it names, has changed and
    come to rest.

    Attributes:
        files: pictures and styles that it names.
    """

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
        self.files: set[Path] = set()
        self._seen: States = {}
        self._since = 0.0
        self._loaded: States = {}
        self._result: Job | JobError | None = None

    def job(self) -> Job:
        """The job of now.

        Raises:
            JobError: a key or value is wrong; the sentence names file, line and key.
        """
        states, now = self._states(), time.monotonic()
        if states != self._seen:
            self._seen, self._since = states, now
        if self._result is None or (states != self._loaded and now - self._since >= self._settle):
            try:
                self._result = self._load(states[self.path] is None)
            except JobError as error:
                self._result = error
            self._loaded = {path: state_of(path) for path in self.files} | {self.path: states[self.path]}
        if isinstance(self._result, JobError):
            raise JobError(str(self._result))
        return self._result

    def _states(self) -> States:
        return {path: state_of(path) for path in (self.path, *self.files)}

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
        with contextlib.suppress(ImpastoError):  # `check` tells what is wrong
            self.files = files_of(located(Job.from_dict(data), self.path.parent))
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
        job = located(job, self.path.parent)
        self.files = files_of(job)
        try:
            for path in self.files:
                decode(path)
        except UnreadablePicture as error:
            raise JobError(f"{shown(self.path)}: {error}") from None
        return job


def decode(path: Path) -> None:
    """Read a picture or a saved style, so that one that is damaged is not met by every picture.

    Raises:
        UnreadablePicture.
    """
    from impasto import raster

    data = read(path)
    if path.suffix.lower() == STYLE_SUFFIX:
        saved.decode(data, path.name)
    else:
        raster.decode(data, path.name)


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
    for table, number, key, probe in probes(data):
        try:
            known(Job.from_dict(probe), path.parent)
        except ImpastoError as error:
            line = line_of(text, table, number, key)
            name = f"[[{table}]]" if isinstance(data[table], list) else f"[{table}]"
            name = f"{name} {key}" if key else (name if isinstance(data[table], dict | list) else table)
            raise JobError(f"{shown(path)}, line {line}, {name}: {error}") from None
    raise JobError(f"{shown(path)}: {whole}")


Probe = tuple[str, int, str | None, dict[str, Any]]
"""A table, its number among those of its name, a key in it or None for all, and a recipe of only that."""


def probes(data: dict[str, Any]) -> Iterator[Probe]:
    """Recipes of one key each, and of one table each."""
    for table, content in data.items():
        several = isinstance(content, list)
        for number, entries in enumerate(content if several else [content]):
            if isinstance(entries, dict):
                # A region is none without a selector.
                base = {"select": "subject"} if table == "region" else {}
                yield table, number, None, {table: [base] if several else base}
                for key, value in entries.items():
                    one = base | {key: value}
                    yield table, number, key, {table: [one] if several else one}
            yield table, number, None, {table: [entries] if several else entries}


def line_of(text: str, table: str, number: int, key: str | None) -> int:
    """The line, from 1, at which a table's key is set (or the table or top-level key itself).

    Args:
        number: of the table among those of its name, from 0.
    """
    at, seen = "", -1
    for line, words in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*[\"']?([^\]\"']+?)[\"']?\s*\]", words)
        if header:
            at = header[1]
            seen += at == table
            if key is None and at == table and seen == number:
                return line
        word = re.match(r"\s*[\"']?([^=\"']+?)[\"']?\s*=", words)
        inside = at == table and seen == number and word and word[1] == key
        if inside or (word and not at and word[1] in (table, f"{table}.{key}")):
            return line
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
