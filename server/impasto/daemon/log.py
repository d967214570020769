"""The daemon's log: one file in this user's state directory, kept small."""

from __future__ import annotations

import logging
import logging.handlers
import os
from pathlib import Path

from impasto.errors import DaemonError

MAX_BYTES = 1 << 20
OLD_FILES = 2


def log_path() -> Path:
    """Where the log is, or will be."""
    override = os.environ.get("IMPASTO_STATE_DIR")
    if override:
        return Path(override).absolute() / "daemon.log"
    if os.name == "posix":
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    else:
        state = os.environ.get("LOCALAPPDATA") or Path.home()
    return Path(state) / "impasto" / "daemon.log"


def open_log() -> None:
    """Send what `impasto` logs to the log file.

    Raises:
        DaemonError: it cannot be written.
    """
    path = log_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8"
        )
    except OSError as error:
        raise DaemonError(
            f"The log {path} cannot be written ({error.strerror}); set IMPASTO_STATE_DIR to another folder."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger("impasto")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
