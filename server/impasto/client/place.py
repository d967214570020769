"""Where daemon and clients of one user meet: a directory that nobody else can enter.

It holds `daemon.json` (the address and the token), `daemon.sock`, and the daemon's lock.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import NamedTuple

from .errors import NoDaemon, Refused

POSIX = os.name == "posix"


class Address(NamedTuple):
    """How to reach the daemon.

    Attributes:
        protocol: that the daemon speaks.
        pid: of the daemon.
        token: 32 secret bytes that both sides prove to know.
        socket: path of the Unix socket, or "" where there is none.
        port: on 127.0.0.1, or 0 where there is a Unix socket.
    """

    protocol: int
    pid: int
    token: bytes
    socket: str
    port: int


def runtime_directory(create: bool = False) -> Path:
    """The private directory, checked.

    Args:
        create: make it when it is missing.

    Raises:
        NoDaemon: it is missing, and `create` is false, or it cannot be made.
        Refused: it is not a directory of this user alone.
    """
    path = _candidate()
    if create:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise NoDaemon(
                "The directory {path} cannot be made ({reason}).", path=path, reason=error.strerror
            ) from None
    check_private(path)
    return path


def _candidate() -> Path:
    override = os.environ.get("IMPASTO_RUNTIME_DIR")
    if override:
        return Path(override).absolute()
    if not POSIX:
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "impasto" / "run"
    # A GIMP from the desktop has the variable, a shell over ssh may not; both must meet.
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.geteuid()}"):
        if parent and _is_own(parent):
            return Path(parent) / "impasto"
    from tempfile import gettempdir  # slow to import, and seldom needed

    return Path(gettempdir()) / f"impasto-{os.geteuid()}"


def _is_own(path: str) -> bool:
    try:
        return Path(path).stat().st_uid == os.geteuid()
    except OSError:
        return False


def check_private(path: Path) -> None:
    """Make sure that `path` is a real directory which only this user can enter.

    Raises:
        NoDaemon: it is missing.
        Refused: it is something else, or somebody else's, or open to others.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        raise NoDaemon("No Impasto daemon is running; “impasto serve” starts one.") from None
    except OSError as error:
        raise Refused(
            "The directory {path} cannot be looked at ({reason}).", path=path, reason=error.strerror
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise Refused("{path} is not a directory; remove it.", path=path)
    if not POSIX:  # %LOCALAPPDATA% is this user's alone by its access list
        return
    if found.st_uid != os.geteuid():
        raise Refused("The directory {path} belongs to another user; remove it.", path=path)
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise Refused("The directory {path} is open to other users; “chmod 700” closes it.", path=path)


def write_address(directory: Path, address: Address) -> None:
    """Publish `address` as a whole, readable by this user alone."""
    record = address._replace(token=address.token.hex())._asdict()
    draft = directory / "daemon.json.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
    draft.replace(directory / "daemon.json")


def read_address(directory: Path) -> Address:
    """The address that the daemon left in `directory`.

    Raises:
        NoDaemon: there is none, or it cannot be understood.
    """
    try:
        record = json.loads((directory / "daemon.json").read_text(encoding="utf-8"))
        return Address(**{**record, "token": bytes.fromhex(record["token"])})
    except FileNotFoundError:
        raise NoDaemon("No Impasto daemon is running; “impasto serve” starts one.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NoDaemon(
            "{path} cannot be read ({reason}); remove it.", path=directory / "daemon.json", reason=error
        ) from None
