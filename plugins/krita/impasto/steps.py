"""Long work on the UI thread, in pieces: between them, the window lives."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator
from typing import Any

from .qt import QtCore
from .texts import Unsuitable, crashed

Work = Generator[bool, None, Any]
"""Pauses after each piece; what it returns is its result. It raises `Unsuitable`.

It yields `SOON` when more can follow at once, and `LATER` when events must be handled first.
"""

SOON, LATER = False, True

SLICE = 0.03
"""Seconds of work between two looks at the events: short pieces are taken together."""


def run(work: Work, done: Callable[[Any], object], failed: Callable[[str], object]) -> None:
    """Do `work` while events are handled; then one of the two is called."""

    def go_on() -> None:
        end = time.monotonic() + SLICE
        try:
            while time.monotonic() < end and next(work) is not LATER:
                pass
        except StopIteration as stop:
            _guarded(done, stop.value, failed)
        except Unsuitable as error:
            failed(str(error))
        except Exception as error:  # whatever it is, the docker must come back to life
            traceback.print_exc()
            failed(crashed(error))
        else:
            QtCore.QTimer.singleShot(1, go_on)

    go_on()


def at_once(work: Work) -> Any:
    """What `work` returns, without pauses."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def _guarded(done: Callable[[Any], object], value: Any, failed: Callable[[str], object]) -> None:
    try:
        done(value)
    except Unsuitable as error:
        failed(str(error))
    except Exception as error:  # see above
        traceback.print_exc()
        failed(crashed(error))
