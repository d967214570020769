"""A master engine paints: its sketches on the docker's stage, cancelled, closed, undone."""

import time

from common import (
    QtGui,
    activate,
    close,
    document,
    end,
    layer,
    names,
    newest,
    projection,
    ready,
    report_of,
    select,
    undo,
    until,
)
from large import photograph
from shots import shot, window

SIZE = (400, 300)

COARSE = 3.0
"""Stroke size at which Fine takes a ninth of its time."""


def pixels(image):
    """R, G, B, X of a picture, as the stage shows it."""
    image = image.convertToFormat(QtGui.QImage.Format.Format_RGBX8888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return bytes(bits)


def apart(one, other):
    """How much two pictures of a size differ, in 0..255."""
    assert len(one) == len(other), (len(one), len(other))
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


class Watcher:
    """Keeps what the stage shows after each sketch, and how long the window waited for it."""

    def __init__(self, panel):
        self.panel, self.seen, self.took = panel, [], []
        self.own = panel.stage.show_sketch
        panel.stage.show_sketch = self.show

    def show(self, sketch):
        began = time.monotonic()
        self.own(sketch)
        self.took.append(time.monotonic() - began)
        self.seen.append(pixels(self.panel.stage.pixmap().toImage()))

    def stop(self):
        self.panel.stage.show_sketch = self.own


def fine(scale=COARSE):
    """The docker at the quality Fine, as the user sets it, before a photograph; its preview is done."""
    panel = yield from ready("scream")
    made = yield from document(size=SIZE, photo=False)
    yield from photograph(made)
    choose(panel, "auto")
    yield from until(lambda: panel.stage.is_painted, 60)
    panel.sliders.fields["scale"].setValue(scale)
    choose(panel, "refine")
    return panel, made


def choose(panel, engine):
    box = panel.quality.box
    index = box.findData(engine)
    assert index >= 0, [box.itemText(row) for row in range(box.count())]
    box.setCurrentIndex(index)
    box.activated.emit(index)


def begin(panel):
    panel.desk.message.setText("")
    panel.desk.paint.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state == "painting")


def painted_with_sketches():
    """The stage shows how the preview and then the painting come about: neither the layer nor yet the
    result, which is one step to take back."""
    panel, made = yield from fine(1.0)
    yield from window()
    offered = [panel.quality.box.itemText(row) for row in range(panel.quality.box.count())]
    assert offered[:3] == ["Fast: at once", "Fine: up to a minute", "Master: some minutes"], offered
    before, stack = projection(made), names(made.rootNode())
    original = pixels(panel.stage._before)
    watcher = Watcher(panel)
    yield from until(lambda: watcher.seen, 240)  # of the preview
    shot("sketched-preview")
    panel.sliders.fields["scale"].setValue(COARSE)
    watcher.seen.clear()
    yield from begin(panel)
    yield from until(lambda: watcher.seen, 240)
    shot("sketch")
    assert names(made.rootNode()) == stack and projection(made) == before, "a sketch is in the document"
    said = yield from end(panel, 500)
    watcher.stop()
    assert said == "Painted.", said
    result = newest(made)
    assert result.name().startswith("Impasto"), names(made.rootNode())
    final = result.thumbnail(panel.stage.small.width, panel.stage.small.height)
    far = [round(apart(seen, pixels(final)), 2) for seen in watcher.seen]
    assert apart(watcher.seen[0], original) > 8, "the first sketch is the layer itself"
    assert all(distance > 0.5 for distance in far), far
    assert far[-1] < apart(original, pixels(final)) / 2, (far, apart(original, pixels(final)))
    undo(made)
    assert names(made.rootNode()) == stack and projection(made) == before, "not one step"
    return {"sketches": far, "longest": round(max(watcher.took), 4)}


def cancelled_at_a_sketch():
    panel, made = yield from fine()
    before, stack = projection(made), names(made.rootNode())
    yield from begin(panel)
    watcher = Watcher(panel)
    yield from until(lambda: watcher.seen, 240)
    began = time.monotonic()
    panel.desk.cancel.click()
    yield from until(lambda: not panel.jobs.tasks, 20)
    took = time.monotonic() - began
    watcher.stop()
    assert panel.desk.message.text() == "Cancelled; nothing was changed.", panel.desk.message.text()
    assert took < 1.5, took
    assert names(made.rootNode()) == stack and projection(made) == before
    choose(panel, "auto")
    sketch = watcher.seen[-1]
    yield from until(lambda: pixels(panel.stage.pixmap().toImage()) != sketch, 60)  # a preview again
    return {"cancel_seconds": round(took, 3)}


def closed_at_a_sketch():
    panel, made = yield from fine()
    yield from begin(panel)
    watcher = Watcher(panel)
    yield from until(lambda: watcher.seen, 240)
    close(made)
    yield from until(lambda: panel.stage.small is None, 20)
    count = len(watcher.seen)
    panel.desk.cancel.click()
    said = yield from end(panel)
    watcher.stop()
    assert said == "Cancelled; nothing was changed.", said
    assert len(watcher.seen) == count, "a sketch of what is closed"


def another_layer_has_its_own_preview():
    """Sketches are of the layer that is painted, and stay away from another's preview."""
    panel, made = yield from fine()
    first = made.activeNode()
    yield from begin(panel)
    watcher = Watcher(panel)
    yield from until(lambda: watcher.seen, 240)
    panel.settings.look["engine"] = "auto"  # not by the user, to whom a preview would be shown
    other = yield from layer(made, "slopes", *SIZE)
    yield from until(lambda: panel.preview._layer[1] == other.uniqueId() and panel.stage.is_painted, 60)
    count = len(watcher.seen)
    yield 2.5
    assert len(watcher.seen) == count
    yield from activate(made, first)
    yield from until(lambda: len(watcher.seen) > count, 60)
    panel.desk.cancel.click()
    yield from end(panel)
    watcher.stop()


def a_selection_is_kept():
    """Outside of it the sketch shows the layer, as the painting will."""
    panel, made = yield from fine()
    select(made, 0, 0, 200, 300, 0)
    yield from until(lambda: panel.stage.small.mask is not None, 20)
    original = pixels(panel.stage._before)
    yield from begin(panel)
    watcher = Watcher(panel)
    yield from until(lambda: watcher.seen, 240)
    panel.desk.cancel.click()
    yield from end(panel)
    watcher.stop()
    line = 4 * panel.stage.small.width

    def half(picture, start):
        rows = range(start, len(picture), line)
        return b"".join(picture[row : row + line // 2 - 32] for row in rows)

    left, right = (
        [half(each, start) for each in (original, watcher.seen[0])] for start in (0, line // 2 + 32)
    )
    assert apart(*left) > 8 and apart(*right) == 0, (apart(*left), apart(*right))


CASES = [
    painted_with_sketches, cancelled_at_a_sketch, closed_at_a_sketch, another_layer_has_its_own_preview,
    a_selection_is_kept,
]  # fmt: skip


def drive():
    return (yield from report_of({case.__name__: case for case in CASES}))
