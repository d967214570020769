"""The live preview: a small copy of the active layer, painted after each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .client.picks import parse
from .client.planes import as_bytes
from .layers import active, id_of
from .masks import Mask, enclosed, reduced
from .pictures import small_copy
from .qt import QtCore
from .recipes import Recipe
from .service import Poster, guarded, open_client
from .stage import ACROSS, DOWN, Stage
from .texts import Unsuitable, sentence

DELAY = 60
"""Milliseconds after a change until the preview follows: a slider moves many times a second."""

DRAFT = 2.0
"""Times the stroke size of a draft: a quarter of the work, shown until the true preview is there."""

QUICK = 0.4
"""Seconds within which a preview needs no draft before it."""


class Preview(QtCore.QObject):
    """Keeps a stage up to date. `failed` is emitted with a sentence, `shown` after each painting."""

    failed = QtCore.pyqtSignal(str)
    shown = QtCore.pyqtSignal()

    def __init__(self, stage: Stage, recipe: Callable[[], Recipe], masks: Mapping[str, Mask]) -> None:
        super().__init__()
        from .client.courier import Courier

        self._stage, self._recipe, self._masks = stage, recipe, masks
        self._poster = Poster()
        # Nobody asked for a daemon: one that does not run is not started for a preview.
        self._courier = Courier(lambda: open_client(False), self._poster.post, sentence)
        self._timer = QtCore.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY)
        self._timer.timeout.connect(self._send)
        self._key: Any = None
        self._sent: Any = None
        self.took = 1.0
        self.region: dict[str, Any] | None = None

    def look(self, anew: bool = False) -> None:
        """Look whether another layer or selection is active; take a copy then, or if told."""
        try:
            document, node = active()
        except Unsuitable:
            if self._key is not None:
                self._key = self._sent = None
                self._stage.clear_picture()
            return
        selection = document.selection()
        bounds = None
        if selection is not None:
            bounds = (selection.x(), selection.y(), selection.width(), selection.height())
        key = (id_of(document), node.uniqueId().toString(), document.width(), document.height(), bounds)
        if key == self._key and not anew:
            return

        def mask(across: int, down: int) -> bytes | None:
            if selection is None:
                return None
            width, height = document.width(), document.height()
            whole = bytes(selection.pixelData(0, 0, width, height))
            return reduced(whole, width, height, across, down)

        small = small_copy(document, node, ACROSS, DOWN, mask)
        if key == self._key and small == self._stage.small:
            return
        self._key, self._sent = key, None
        self._stage.take(small)
        self.later()

    def later(self) -> None:
        """Something has changed: paint soon."""
        self._timer.start()

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
        if not recipe.paints:
            return
        try:
            text, enclosures = recipe.packed(self._small_masks(recipe.masks), scale=small.scale)
            draft, _same = Recipe(_rougher(recipe.look), recipe.regions).packed(
                self._small_masks(recipe.masks), scale=small.scale
            )
        except Unsuitable as error:
            self.failed.emit(str(error))
            return
        key = (text, tuple(hash(data) for _meta, data in enclosures))
        if key == self._sent and self._stage.is_painted:
            return
        self._sent = key

        @guarded
        def paint(client: Any, stale: Any, own: str = text) -> tuple[bytes, float]:
            began = time.monotonic()
            _meta, data = client.run(own, small.meta(), small.data, None, stale, "interactive", enclosures)
            return bytes(data), time.monotonic() - began

        @guarded
        def rough(client: Any, stale: Any) -> Any:
            return paint(client, stale, draft) if self.took > QUICK else None

        def drafted(answer: Any) -> None:
            if answer is not None and small is self._stage.small:
                self._stage.show_painting(answer[0])
                self.shown.emit()
            self._courier.send("preview", paint, done, self._fail)

        def done(answer: tuple[bytes, float]) -> None:
            data, self.took = answer
            if small is self._stage.small:
                self._stage.show_painting(data)
                self.shown.emit()

        self._courier.send("preview", rough, drafted, self._fail)

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
        small = self._stage.small
        assert small is not None
        document, _node = active()
        size, across, down = (document.width(), document.height()), small.width, small.height
        return {
            key: enclosed(reduced(self._masks[key].read(), *size, across, down), across, down) for key in keys
        }


def _rougher(look: dict[str, Any]) -> dict[str, Any]:
    return {**look, "scale": min(look["scale"] * DRAFT, 4.0)}


def _placed(mask: bytes, entry: dict[str, Any], width: int, height: int) -> bytes:
    """A mask's box in a picture."""
    if (entry["width"], entry["height"]) == (width, height):
        return mask
    whole = bytearray(width * height)
    for row in range(entry["height"]):
        start = (entry["y"] + row) * width + entry["x"]
        whole[start : start + entry["width"]] = mask[row * entry["width"] : (row + 1) * entry["width"]]
    return bytes(whole)
