"""Paint the frames of an animated layer onto a new one, key by key.

Frames are never handed to `Document.importAnimation`, which crashes at random.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from . import steps
from .jobs import Jobs, Task
from .layers import active, check_size, find_document, id_of
from .pixels import Space
from .qt import Krita, QtCore
from .recipes import Recipe
from .spaces import converted, space_of, wire_of
from .texts import Unsuitable, _

PATIENCE = 30.0
"""Seconds that Krita may take to turn to a frame."""


def keys(document: Any, node: Any) -> list[int]:
    """The times at which a layer has a frame of its own."""
    if not node.animated():
        return []
    return [time for time in range(document.animationLength()) if node.hasKeyframeAtTime(time)]


class Frames:
    """One painting of all frames; each frame is a task of the queue."""

    def __init__(
        self,
        jobs: Jobs,
        recipe: Recipe,
        title: str,
        say: Callable[[str], object],
    ) -> None:
        """
        Raises:
            Unsuitable: the active layer is not animated or too large, or the recipe has regions.
        """
        document, node = active()
        self._times = keys(document, node)
        if not self._times:
            raise Unsuitable(
                _("“{name}” is not animated; click an animated layer in the Layers docker.").format(
                    name=node.name()
                )
            )
        check_size(document)
        if recipe.masks:
            raise Unsuitable(
                _("Masks do not move with the frames; remove the regions that are masks of Krita's.")
            )
        self._jobs, self._recipe, self._title, self._say = jobs, recipe.copied(), title, say
        self._document, self._node = id_of(document), node.uniqueId()
        self._new: Any = None
        self._total = len(self._times)

    def begin(self) -> None:
        """Paint one frame after the other."""
        self._next()

    def _next(self) -> None:
        if not self._times:
            self._finish(_("Painted {total} frames.").format(total=self._total))
            return
        time = self._times.pop(0)
        number = self._total - len(self._times)
        name = _("{style}, frame {number} of {total}").format(
            style=self._title, number=number, total=self._total
        )
        task = Task(name, lambda meta, data: None, self._finish)
        self._jobs.add(task)

        def fail(sentence: str) -> None:
            self._jobs.fail(task, sentence)

        def send(answer: tuple[int, int, Space, Space, bytes]) -> None:
            width, height, wire, own, data = answer
            job, enclosures = self._recipe.packed({})

            def insert(_meta: dict[str, Any], painted: bytes) -> None:
                steps.run(self._write(time, painted, width, height, wire, own), written, fail)

            task.done = insert
            self._jobs.paint(task, job, (width, height), wire.depth, data, enclosures)

        def written(_nothing: Any) -> None:
            self._jobs.end(task)
            self._next()

        steps.run(self._read(time), send, fail)

    def _found(self) -> tuple[Any, Any]:
        document = find_document(self._document)
        node = document.nodeByUniqueID(self._node) if document is not None else None
        if node is None:
            raise Unsuitable(_("The animated layer has gone; the frames painted so far stay."))
        return document, node

    def _read(self, time: int) -> steps.Work:
        document, node = self._found()
        width, height = document.width(), document.height()
        space, own = space_of(node), space_of(document)
        data = bytes(node.pixelDataAtTime(0, 0, width, height, time))
        if len(data) != space.size(width, height):
            raise Unsuitable(
                _("“{name}” cannot be read; convert it to a paint layer.").format(name=node.name())
            )
        wire = wire_of(space, own)
        data = yield from converted(data, width, height, space, wire)
        return width, height, wire, own, data

    def _write(self, time: int, data: bytes, width: int, height: int, wire: Space, own: Space) -> steps.Work:
        if len(data) != wire.size(width, height):
            raise Unsuitable(_("The daemon sent a painting of another size; update Impasto and the plug-in."))
        data = yield from converted(data, width, height, wire, own)
        document, node = self._found()
        before, shown = document.activeNode(), document.currentTime()
        new = document.nodeByUniqueID(self._new) if self._new is not None else None
        if new is None:
            if self._new is not None:
                raise Unsuitable(_("The animated layer has gone; the frames painted so far stay."))
            new = document.createNode(f"Impasto: {self._title}", "paintlayer")
            node.parentNode().addChildNode(new, node)
            new.enableAnimation()
            self._new = new.uniqueId()
        document.setCurrentTime(time)
        document.setActiveNode(new)
        document.waitForDone()
        yield from self._until(lambda: self._edits(document, new, time))
        if not new.hasKeyframeAtTime(time):
            Krita.instance().action("add_blank_frame").trigger()
            document.waitForDone()
            yield from self._until(lambda: new.hasKeyframeAtTime(time))
        new.setPixelData(QtCore.QByteArray(data), 0, 0, width, height)
        document.setCurrentTime(shown)
        if before is not None:
            document.setActiveNode(before)
        document.refreshProjection()

    def _edits(self, document: Any, node: Any, time: int) -> bool:
        """Whether Krita has turned to that frame of that layer: sooner, its action would blank another."""
        layer = document.activeNode()
        return document.currentTime() == time and layer is not None and layer.uniqueId() == node.uniqueId()

    def _until(self, true: Callable[[], bool]) -> steps.Work:
        """Let Krita handle its events, until something is true of a document that is still open."""
        end = monotonic() + PATIENCE
        yield steps.LATER
        while self._found() and not true():
            if monotonic() > end:
                raise Unsuitable(_("Krita did not turn to the next frame; those painted so far stay."))
            yield steps.LATER

    def _finish(self, sentence: str) -> None:
        self._say(sentence)
