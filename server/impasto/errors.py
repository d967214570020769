"""Everything that can go wrong, as one tree.

    ImpastoError
    ├── UsageError            2   the request itself is wrong
    │   ├── JobError              a recipe or job has a bad key or value
    │   └── UnknownStyle          no style of that name
    ├── PictureError          2   a file or its pixels
    │   ├── UnreadablePicture     missing, empty, truncated, not a picture, too large
    │   └── UnwritablePicture     the output cannot be written, or its format cannot hold it
    ├── PartlyDone            3   some of several pictures failed
    ├── ModelMissing          4   weights or an optional package are not installed
    ├── DaemonError           5   no daemon, or it failed
    │   ├── Refused               wrong token, wrong protocol, too many connections
    │   ├── ConnectionLost        the daemon went away in mid-job (a retry can help)
    │   └── WorkerLost            the painting process died (a retry can help)
    ├── OutOfMemory           1   not even the smallest tiles fit
    └── Cancelled           130   somebody said stop

`str(error)` is one sentence for a person: what is wrong, with which file, and what to do.
`code` is the exit status of the command line, `retry` tells whether the same again can succeed,
`name` identifies the class across the wire.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import ClassVar


class ImpastoError(Exception):
    """Root of all errors that are meant for a person to read."""

    code: ClassVar[int] = 1
    retry: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return type(self).__name__


class UsageError(ImpastoError):
    code = 2


class JobError(UsageError):
    pass


class UnknownStyle(UsageError):
    pass


class PictureError(ImpastoError):
    code = 2


class UnreadablePicture(PictureError):
    pass


class UnwritablePicture(PictureError):
    pass


class PartlyDone(ImpastoError):
    code = 3


class ModelMissing(ImpastoError):
    code = 4


class DaemonError(ImpastoError):
    code = 5


class Refused(DaemonError):
    pass


class ConnectionLost(DaemonError):
    retry = True


class WorkerLost(DaemonError):
    retry = True


class OutOfMemory(ImpastoError):
    pass


class Cancelled(ImpastoError):
    code = 130


def by_name(name: str) -> type[ImpastoError]:
    """The class called `name`, or `ImpastoError` for a name that this version does not know."""

    def tree(cls: type[ImpastoError]) -> list[type[ImpastoError]]:
        return [cls, *(leaf for child in cls.__subclasses__() for leaf in tree(child))]

    return next((cls for cls in tree(ImpastoError) if cls.__name__ == name), ImpastoError)


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause such as ' (did you mean “strength”?)', or '' when nothing comes near."""
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    if not near:
        return ""
    return f" (did you mean {' or '.join(f'“{name}”' for name in near)}?)"
