"""The live preview: a small copy of the active layer, painted after each change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from .client.picks import parse
from .client.planes import Small, as_bytes
from .client.qualities import FAST, previewed
from .jobs import Jobs, Task
from .layers import active, id_of
from .masks import Mask, enclosed, reduced
from .pictures import decoded, rows, small_copy
from .qt import Qt, QtCore, QtWidgets
from .recipes import Recipe
from .service import Poster, guarded, open_client
from .stage import ACROSS, DOWN, Stage
from .texts import Unsuitable, sentence

DELAY = 60
"""Milliseconds after a change until the preview follows: a slider moves many times a second."""

QUICK = 0.25
"""Seconds that a preview may take. Before one that takes longer, a draft with larger strokes is shown."""

LARGEST = 4.0
"""Stroke size of a draft at most."""


class Preview(QtCore.QObject):
    """Keeps a stage up to date. `failed` is emitted with a sentence, `shown` after each painting.

    While the active layer is painted by an engine that takes its time, the stage shows that painting's
    sketches instead, until the user changes a setting.
    """

    failed = QtCore.pyqtSignal(str)
    shown = QtCore.pyqtSignal()

    def __init__(
        self, stage: Stage, recipe: Callable[[], Recipe], masks: Mapping[str, Mask], jobs: Jobs
    ) -> None:
        super().__init__()
        from .client.courier import Courier

        self._stage, self._recipe, self._masks, self._jobs = stage, recipe, masks, jobs
        self._poster = Poster()
        # Nobody asked for a daemon: one that does not run is not started for a preview.
        self._courier = Courier(lambda: open_client(False), self._poster.post, sentence)
        self._timer = QtCore.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY)
        self._timer.timeout.connect(self._send)
        self._seen: Any = None
        self._sent: Any = None
        self._reduced: dict[str, Any] = {}
        self._pace = 1.0  # seconds that a preview takes at stroke size 1: four times that at 0.5
        self._layer: Any = None
        self._watching = False
        self.region: dict[str, Any] | None = None
        jobs.sketched.connect(self._show_sketch)

    def look(self, anew: bool = False) -> None:
        """Take a copy where the layer or selection seems to have changed, or where told to take it `anew`."""
        try:
            document, node = active()
        except Unsuitable:
            if self._seen is not None:
                self._seen = self._sent = self._layer = None
                self._stage.clear_picture()
            return
        self._layer = id_of(document), node.uniqueId()
        if not anew and QtWidgets.QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return  # a stroke, which shall flow
        seen = _glimpse(document, node)
        # What locks an image costs the next stroke time, so it is not done in vain.
        if (seen == self._seen and not anew) or not document.tryBarrierLock():
            return
        try:
            small = small_copy(document, node, ACROSS, DOWN)
            mask = _mask_of(document, small)
        finally:
            document.unlock()
        self._seen = seen
        self._reduced.clear()
        small = small._replace(mask=mask)
        if small != self._stage.small:
            self._sent = None
            self._stage.take(small)
            self.later()

    def later(self) -> None:
        """Something has changed: paint soon."""
        self._timer.start()

    def change(self) -> None:
        """The user has changed a setting: paint soon, even while sketches are shown."""
        self._watching = False
        self.later()

    def watch(self) -> None:
        """The active layer is going to be painted: show its sketches. What is being painted for the
        preview is given up, for the painting would wait for it."""
        self._watching = True
        self._timer.stop()
        self.forget()
        self._courier.send("preview", lambda _client, _stale: None, lambda _none: None, lambda _why: None)
        self.follow()

    def follow(self) -> None:
        """Tasks have come or gone: paint again when the last of those has ended that were watched."""
        if self._watching and not self._jobs.tasks:
            self.change()

    def forget(self) -> None:
        """What was sent did not come back; the next change sends it again."""
        self._sent = None

    def close(self) -> None:
        self._timer.stop()
        self._courier.close()

    def _send(self) -> None:
        small, recipe = self._stage.small, self._recipe()
        if small is None:
            return
        if self.region is not None:
            self._find(self.region)
            return
        self._stage.show_mask(None, None)
        if not recipe.paints or self._is_watched():
            return
        rough = self._draft(recipe)
        try:
            masks = self._small_masks(recipe.masks)
            own = Recipe(previewed(recipe.look), recipe.regions)
            text, enclosures = own.packed(masks, scale=small.scale)
            draft, _same = rough.packed(masks, scale=small.scale)
        except Unsuitable as error:
            self.failed.emit(str(error))
            return
        key = (text, tuple(hash(data) for _meta, data in enclosures))
        if key == self._sent and self._stage.is_painted:
            return
        self._sent = key

        def show_sketch(sketch: Any) -> None:
            if key == self._sent and small is self._stage.small:
                self._stage.show_sketch(sketch)

        def sketched(jpeg: bytes) -> None:
            sketch = decoded(jpeg)
            if not sketch.isNull():
                self._poster.post(lambda: show_sketch(sketch))

        def send(own: str, scale: float | None, then: Callable[[], object]) -> None:
            # Without a scale it is a slow engine's, whose time says nothing of drafts.
            @guarded
            def paint(client: Any, stale: Any) -> tuple[bytes, float]:
                began = time.monotonic()
                sketch = sketched if scale is None else None
                _meta, data = client.run(
                    own, small.meta(), small.data, None, stale, "interactive", enclosures, sketch
                )
                return bytes(data), time.monotonic() - began

            def done(answer: tuple[bytes, float]) -> None:
                data, took = answer
                if scale is not None:
                    self._pace = took * scale**2
                if small is self._stage.small:
                    self._stage.show_painting(data)
                    self.shown.emit()
                    then()

            self._courier.send("preview", paint, done, self._fail)

        def finish() -> None:
            send(text, None if recipe.is_slow else recipe.finest, lambda: None)

        if draft == text:
            finish()
        else:
            send(draft, rough.finest, finish)

    def _draft(self, recipe: Recipe) -> Recipe:
        """What can be painted quickly; the recipe itself where that can."""
        if recipe.is_slow:
            return self._draft(Recipe({**recipe.look, "engine": FAST}, recipe.regions))
        needed = math.sqrt(self._pace / QUICK)
        if recipe.finest >= needed:
            return recipe
        # Of few sizes: to each new one, a network adapts itself first, which takes its time.
        scale = min(2.0 ** math.ceil(math.log2(needed)), LARGEST)
        looks = [
            {**look, "scale": max(look["scale"], scale)} if "scale" in look else look
            for look in (recipe.look, *recipe.regions)
        ]
        return Recipe(looks[0], looks[1:])

    def _is_watched(self) -> bool:
        """Whether the active layer is being painted, and the stage left to its sketches."""
        return self._watching and any(task.layer == self._layer for task in self._jobs.tasks)

    def _show_sketch(self, task: Task, sketch: Any) -> None:
        if self._watching and task.layer == self._layer and self._stage.small is not None:
            self._stage.show_sketch(sketch)

    def _find(self, region: dict[str, Any]) -> None:
        """Show a region's mask."""
        small = self._stage.small
        assert small is not None
        picks = parse(region["select"])
        marks = picks.scaled(small.scale, small.scale) if picks else None
        if not region["select"]:
            self._stage.show_mask(bytes(small.width * small.height), None)
            return
        recipe = Recipe({"style": []}, [{**region, "style": "none"}])
        try:
            masks = self._small_masks(recipe.masks)
        except Unsuitable as error:
            self.failed.emit(str(error))
            return
        self._stage.show_mask(None, marks)
        text, enclosures = recipe.packed(masks, scale=small.scale, deliver="masks")

        @guarded
        def find(client: Any, stale: Any) -> bytes:
            meta, data = client.run(text, small.meta(), small.data, None, stale, "interactive", enclosures)
            entry = meta["layers"][0]
            own = as_bytes(data[entry["offset"] : entry["offset"] + entry["size"]], entry["dtype"])
            return _placed(own, entry, small.width, small.height)

        def done(mask: bytes) -> None:
            if small is self._stage.small and self.region is region:
                self._stage.show_mask(mask, marks)
                self.shown.emit()

        self._courier.send("preview", find, done, self._fail)

    def _fail(self, sentence: str) -> None:
        self.forget()
        self.failed.emit(sentence)

    def _small_masks(self, keys: list[str]) -> dict[str, Any]:
        """Masks as large as the small copy; they are read once after each look at the layer."""
        small = self._stage.small
        assert small is not None
        document, _node = active()
        size, across, down = (document.width(), document.height()), small.width, small.height
        for key in keys:
            if key not in self._reduced:
                mask = reduced(self._masks[key].read(), *size, across, down)
                self._reduced[key] = enclosed(mask, across, down)
        return {key: self._reduced[key] for key in keys}


def _glimpse(document: Any, node: Any) -> Any:
    """What changes when a layer or selection does; quick to have."""
    selection = document.selection()
    bounds = None
    if selection is not None:
        bounds = (selection.x(), selection.y(), selection.width(), selection.height())
    area = node.bounds()
    place = (area.x(), area.y(), area.width(), area.height())
    content = 0 if area.isEmpty() else hash(rows(node.thumbnail(ACROSS, DOWN), 4))
    return id_of(document), document.width(), document.height(), bounds, place, content


def _mask_of(document: Any, small: Small) -> bytes | None:
    """The selection over a small copy, or None where nothing is selected."""
    selection, size = document.selection(), (document.width(), document.height())
    if selection is None:
        return None
    return reduced(bytes(selection.pixelData(0, 0, *size)), *size, small.width, small.height)


def _placed(mask: bytes, entry: dict[str, Any], width: int, height: int) -> bytes:
    """A mask's box in a picture."""
    if (entry["width"], entry["height"]) == (width, height):
        return mask
    whole = bytearray(width * height)
    for row in range(entry["height"]):
        start = (entry["y"] + row) * width + entry["x"]
        whole[start : start + entry["width"]] = mask[row * entry["width"] : (row + 1) * entry["width"]]
    return bytes(whole)
