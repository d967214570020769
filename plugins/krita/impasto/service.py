"""The way to the daemon: a connection, and a way back to the UI thread."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .qt import QtCore
from .texts import _, crashed

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # rpyc is vendored beside the client; an installed one comes first
    sys.path.append(HERE)


class Poster(QtCore.QObject):
    """Has functions called on the UI thread, from any thread."""

    _posted = QtCore.pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._posted.connect(self._call, QtCore.Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], object]) -> None:
        self._posted.emit(function)

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception:  # Krita would open a dialog
            traceback.print_exc()


def sandboxed() -> bool:
    """Whether Krita runs in a Flatpak or Snap: a daemon started there would live in the sandbox."""
    return Path("/.flatpak-info").exists() or "SNAP" in os.environ


def open_client(start: bool) -> Any:
    """A connection to the daemon; starts one if told, and where that makes sense.

    Raises:
        ClientError: with a sentence for the user.
    """
    from .client import NoDaemon, connect

    if not sandboxed():
        return connect(start=start)
    try:
        return connect(start=False)
    except NoDaemon:
        raise NoDaemon(
            _(
                "No Impasto daemon is running, and a Krita in a sandbox cannot start one;"
                " run “impasto serve --detach” in a terminal."
            )
        ) from None


def guarded(work: Callable[..., Any]) -> Callable[..., Any]:
    """An errand's work, whose unforeseen errors become a sentence: the thread must live on."""

    def safe(*args: Any) -> Any:
        from .client import ClientError

        try:
            return work(*args)
        except ClientError:
            raise
        except Exception as error:
            traceback.print_exc()
            raise ClientError(crashed(error)) from error

    return safe
