"""The queue of paintings: one is painted, the others wait. Nothing here touches Krita's objects."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from . import pixels
from .pictures import decoded
from .qt import QtCore
from .service import Poster, guarded, open_client
from .texts import _, sentence


class Task:
    """One painting that was asked for.

    Attributes:
        title: its style.
        state: "reading", "waiting", "painting" or "ended".
        fraction, text: how far it is, and what is happening.
        layer: ids of the document and the layer whose preview may show its sketches.
    """

    def __init__(self, title: str, done: Callable[..., object], failed: Callable[[str], object]) -> None:
        """`done(meta, data)` gets pixels as Krita has them; `failed` a sentence."""
        self.title = title
        self.state = "reading"
        self.fraction = 0.0
        self.text = ""
        self.layer: tuple[str, Any] | None = None
        self.done, self.failed = done, failed
        self.stop = threading.Event()


class Jobs(QtCore.QObject):
    """Paints tasks one after the other. `changed` is emitted for whatever is to be shown anew, `sketched`
    with a task and a picture of how it stands, by engines that take their time."""

    changed = QtCore.pyqtSignal()
    sketched = QtCore.pyqtSignal(object, object)

    def __init__(self) -> None:
        super().__init__()
        from .client.courier import Courier

        self.tasks: list[Task] = []
        self._poster = Poster()
        self._courier = Courier(lambda: open_client(True), self._poster.post, sentence)

    def add(self, task: Task) -> None:
        """List a task whose layer is still being read."""
        self.tasks.append(task)
        self.changed.emit()

    def paint(
        self,
        task: Task,
        job: str,
        size: tuple[int, int],
        depth: str,
        data: bytes | bytearray,
        enclosures: list[Any],
    ) -> None:
        """Queue a task; `data` is as Krita has it."""
        task.state = "waiting"

        @guarded
        def work(client: Any, _stale: Any) -> Any:
            from .client import Cancelled

            if task.stop.is_set():
                return None
            last = 0.0

            def progress(fraction: float, text: str) -> None:
                nonlocal last
                if text == task.text and time.monotonic() - last < 0.1:
                    return
                last = time.monotonic()
                task.state, task.fraction, task.text = "painting", fraction, text
                self._poster.post(self.changed.emit)

            def sketch(jpeg: bytes) -> None:
                image = decoded(jpeg)  # here, where no window waits for it
                if not image.isNull():
                    self._poster.post(lambda: self.sketched.emit(task, image))

            wire, meta = pixels.swapped(data, depth), pixels.meta(*size, depth)
            try:
                meta, painted = client.run(
                    job, meta, wire, progress, task.stop, attachments=enclosures, sketch=sketch
                )
            except Cancelled:
                return None
            return meta, _swapped(meta, painted, depth)

        def done(answer: Any) -> None:
            if answer is None or task.stop.is_set():
                self.fail(task, _("Cancelled; nothing was changed."))
            else:
                task.state, task.fraction = "inserting", 1.0
                self.changed.emit()
                task.done(*answer)

        self._courier.send("", work, done, lambda sentence: self.fail(task, sentence))
        self.changed.emit()

    def cancel(self, task: Task) -> None:
        """Stop a task; it ends as failed."""
        task.stop.set()
        if task.state == "waiting":
            self.fail(task, _("Cancelled; nothing was changed."))

    def fail(self, task: Task, sentence: str) -> None:
        """End a task with a sentence, once."""
        if self.end(task):
            task.failed(sentence)

    def end(self, task: Task) -> bool:
        """Take a task off the list; false when it was off already."""
        if task not in self.tasks:
            return False
        self.tasks.remove(task)
        task.state = "ended"
        self.changed.emit()
        return True

    def close(self) -> None:
        """Stop everything: Krita ends."""
        for task in self.tasks:
            task.stop.set()
        self._courier.close()


def _swapped(meta: dict[str, Any], data: memoryview, depth: str) -> bytearray:
    """A result as Krita has it; masks between the layers' pixels stay as they are."""
    layers = meta.get("layers")
    if layers is None:
        return pixels.swapped(data, depth)
    whole = bytearray(data)
    for layer in layers:
        start, end = layer["offset"], layer["offset"] + layer["size"]
        whole[start:end] = pixels.swapped(data[start:end], depth)
    return whole
