"""What can go wrong between a program and the daemon. The client is vendored into plug-ins, so
these classes stand alone; `name` is that of the class in the daemon's own tree of errors."""

from __future__ import annotations


class ClientError(Exception):
    """`str(error)` is one sentence for a person.

    Attributes:
        template: the sentence with the names of `values` in braces, for who translates it.
        values: what is filled in.
        name: class of the error in `impasto.errors`, such as "WorkerLost" or "UnknownStyle".
        code: exit status that the command line gives it.
        retry: whether the same again can succeed.
    """

    name = "DaemonError"
    code = 5
    retry = False

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template.format(**values) if values else template)
        self.template = template
        self.values = values


class NoDaemon(ClientError):
    """No daemon runs, or none could be started."""


class Refused(ClientError):
    """The daemon or its directory cannot be trusted, or the daemon does not trust us."""

    name = "Refused"


class ConnectionLost(ClientError):
    """The daemon went away."""

    name = "ConnectionLost"
    retry = True


class Cancelled(ClientError):
    """Somebody said stop."""

    name = "Cancelled"
    code = 130


class JobFailed(ClientError):
    """The daemon answered with an error; it keeps the name, code and retry that it has there."""

    def __init__(self, name: str, sentence: str, code: int, retry: bool) -> None:
        super().__init__(sentence)
        self.name = name
        self.code = code
        self.retry = retry
