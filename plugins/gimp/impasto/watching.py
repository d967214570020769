"""A painting while it comes about: the plug-in waits, and what there is to see is shown."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

from copies import small_copy
from gi.repository import GLib
from painter import Progress

SKETCH = (480, 400)
"""Most pixels across and down of a sketch."""

Work = Callable[[Progress, Callable[[bytes], object], Event], Any]
"""Called in a thread with what takes progress and sketches, and what is set to cancel it."""


class Watch:
    """Shows how far a painting is, and in a window of its own its sketches, once there is one: most
    paintings are done before. All that speaks to GIMP happens in the main loop."""

    def __init__(self, image: Any, layer: Any, progress: Progress) -> None:
        """
        Args:
            image, layer: what is painted.
            progress: shows GIMP's own bar.
        """
        self._image, self._layer, self._progress = image, layer, progress
        self._stop = Event()
        self._window: Any = None

    def over(self, work: Work) -> Any:
        """What `work` returns; blocks, while the main loop runs.

        Raises:
            Exception: whatever `work` does.
        """
        loop, outcome = GLib.MainLoop(), Future()

        def perform() -> None:
            try:
                outcome.set_result(work(self._heard, self._drawn, self._stop))
            except BaseException as error:  # is the caller's, who has another thread
                outcome.set_exception(error)
            GLib.idle_add(loop.quit)

        Thread(target=perform, daemon=True).start()
        loop.run()
        if self._window is not None:
            self._window.destroy()
        return outcome.result()

    def _heard(self, fraction: float, text: str) -> None:
        GLib.idle_add(self._show_progress, fraction, text)

    def _drawn(self, jpeg: bytes) -> None:
        GLib.idle_add(self._show_sketch, jpeg)

    def _show_progress(self, fraction: float, text: str) -> None:
        self._progress(fraction, text)
        if self._window is not None:
            self._window.show_progress(fraction, text)

    def _show_sketch(self, jpeg: bytes) -> None:
        if self._window is None:
            self._window = self._open()
        if self._window is not None:
            self._window.show_sketch(jpeg)

    def _open(self) -> Any:
        from ui.sketch_window import SketchWindow, has_screen

        if not has_screen() or not self._image.is_valid() or not self._layer.is_valid():
            return None
        return SketchWindow(small_copy(self._image, self._layer, *SKETCH), self._stop.set)
