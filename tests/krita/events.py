"""What goes wrong, what the docker says then, and what may happen while a painting is under way."""

import os
import signal
import time

from common import activate, begin, close, document, end, layer, names, paint, ready, select, until


def mask_is_active():
    panel = yield from ready()
    made = yield from document()
    mask = made.createTransparencyMask("a mask")
    mask.setSelection(select(made).duplicate())
    made.activeNode().addChildNode(mask, None)
    yield from activate(made, mask)
    said = yield from paint(panel)
    assert said == "“a mask” is a mask; click a layer in the Layers docker.", said


def an_empty_layer():
    panel = yield from ready()
    made = yield from document()
    new = made.createNode("nothing", "paintlayer")
    made.rootNode().addChildNode(new, None)
    yield from activate(made, new)
    said = yield from paint(panel)
    assert said == "“nothing” is empty; click a layer with something on it.", said


def selection_outside():
    panel = yield from ready()
    made = yield from document()
    select(made, 500, 500, 10, 10, 0)
    said = yield from paint(panel)
    assert said == "The selection lies outside the picture; select something inside it.", said


def no_document():
    panel = yield from ready()
    said = yield from paint(panel)
    assert said == "No document is open; open one first.", said


def no_style():
    panel = yield from ready()
    yield from document()
    panel.settings.look["style"] = []
    said = yield from paint(panel)
    assert said == "No style is picked; click one in the gallery.", said


def too_large():
    """Refused before it is read."""
    panel = yield from ready()
    made = yield from document(size=(16400, 16400), photo=False)
    yield from layer(made, "photo", 96, 72)
    began = time.monotonic()
    said = yield from paint(panel)
    assert said == "“case” has 269 million pixels, and Impasto paints at most 268; scale it down.", said
    assert time.monotonic() - began < 20


def style_file_gone():
    panel = yield from ready("/no/such/picture.jpg")
    yield from document()
    said = yield from paint(panel)
    expected = "The style picture “picture.jpg” cannot be read (No such file or directory); choose another."
    assert said == expected, said


def slow(panel):
    """A look whose painting takes long enough to do something meanwhile."""
    panel.settings.look["scale"] = 0.3


def cancelled():
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    slow(panel)
    before = names(made.rootNode())
    panel.desk.message.setText("")
    panel.desk.paint.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state == "painting")
    yield 0.3
    began = time.monotonic()
    panel.desk.cancel.click()
    yield from until(lambda: not panel.jobs.tasks)
    took = time.monotonic() - began
    assert panel.desk.message.text() == "Cancelled; nothing was changed.", panel.desk.message.text()
    assert took < 1.0, took
    assert names(made.rootNode()) == before
    return {"cancel_seconds": round(took, 3)}


def closed_meanwhile():
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    yield from begin(panel)
    close(made)
    said = yield from end(panel)
    expected = "The document was closed, so that the painting has no place to go; open it and paint again."
    assert said == expected, said


def converted_meanwhile():
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    yield from begin(panel)
    made.setColorSpace("RGBA", "U16", "sRGB-elle-V2-srgbtrc.icc")
    made.waitForDone()
    said = yield from end(panel)
    expected = "The document was converted while Impasto painted; press Paint again."
    assert said == expected, said


def switched_and_deleted_meanwhile():
    """Another document is shown, and the layer that was read is gone: the painting lands in its own."""
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    yield from begin(panel)
    made.activeNode().remove()
    other = yield from document()
    before = names(other.rootNode())
    said = yield from end(panel)
    assert said == "Painted.", said
    assert names(made.rootNode())[-1].startswith("Impasto"), names(made.rootNode())
    assert names(other.rootNode()) == before


def several_in_the_queue():
    panel = yield from ready()
    made = yield from document()
    panel.desk.message.setText("")
    for _each in range(3):
        panel.desk.paint.click()
    yield from until(
        lambda: len(panel.jobs.tasks) == 3 and all(t.state != "reading" for t in panel.jobs.tasks)
    )
    assert panel.desk.queue.isVisible() and panel.desk.queue.count() == 3
    panel.desk.queue.setCurrentRow(2)
    panel.desk.cancel.click()
    yield from until(lambda: not panel.jobs.tasks)
    assert sum(name.startswith("Impasto") for name in names(made.rootNode())) == 2


def daemon_killed_meanwhile():
    """It is started again, and the picture is painted all the same."""
    panel = yield from ready()
    yield from document(size=(1600, 1200))
    slow(panel)
    yield from begin(panel)
    yield from until(lambda: panel.jobs.tasks[0].state == "painting")
    os.kill(int(os.environ["DAEMON"]), signal.SIGKILL)
    said = yield from end(panel)
    assert said == "Painted.", said


CASES = [
    mask_is_active, an_empty_layer, selection_outside, no_document, no_style, too_large, style_file_gone,
    cancelled, closed_meanwhile, converted_meanwhile, switched_and_deleted_meanwhile, several_in_the_queue,
    daemon_killed_meanwhile,
]  # fmt: skip
