"""What a watcher tells of its work."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Trouble(Exception):
    """A folder as a whole cannot go on at the moment; its pictures wait. The sentence says why."""


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: "painted", "failed" and "skipped" tell the end of a picture; "notice" is a sentence
            about a folder or the daemon, in `text`.
        folder: the watched folder, None when it concerns all.
        input, output: the picture and its painting, where there are some.
        seconds: of painting and publishing.
        text: why it failed or was skipped, or the notice.
        error: class of the error in `impasto.errors`.
    """

    kind: str
    folder: Path | None = None
    input: Path | None = None
    output: Path | None = None
    seconds: float | None = None
    text: str = ""
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what there is not is left out. Bytes of a path that are no UTF-8 become lone
        surrogates, which `os.fsencode` turns back."""
        values = {name: getattr(self, name) for name in ("folder", "input", "output")}
        data: dict[str, Any] = {"event": self.kind}
        data |= {name: str(path) for name, path in values.items() if path is not None}
        if self.seconds is not None:
            data["seconds"] = round(self.seconds, 3)
        if self.text:
            data["error" if self.kind == "failed" else "text"] = self.text
        return data | ({"error_name": self.error} if self.error else {})


Report = Callable[[Event], None]
"""Called from any thread; must not raise."""


def shown(path: Path | str) -> str:
    """A path for people: what is no UTF-8 in it is replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
