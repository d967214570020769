"""Frames of an animated layer, painted onto a new one."""

from common import HEIGHT, WIDTH, QtCore, app, document, names, newest, ready, settle, until

KEYS = [0, 2, 4, 5, 9, 12]


def filled(value):
    """B, G, R, A of two colours that tell which frame it is."""
    left, right = bytes((value, 40, 255 - value, 255)), bytes((255 - value, value, 40, 255))
    return (left * (WIDTH // 2) + right * (WIDTH // 2)) * HEIGHT


def turn(made, time):
    made.setCurrentTime(time)
    yield from until(lambda: made.currentTime() == time)
    made.waitForDone()
    yield 0.05


def held(node, index):
    return bytes(node.pixelDataAtTime(0, 0, WIDTH, HEIGHT, KEYS[index]))


def animated_document():
    made = yield from document()
    node = made.activeNode()
    node.enableAnimation()
    made.setFullClipRangeEndTime(15)
    yield from settle(made)
    for time in KEYS:
        yield from turn(made, time)
        if not node.hasKeyframeAtTime(time):
            app.action("add_blank_frame").trigger()
            made.waitForDone()
            yield from until(lambda time=time: node.hasKeyframeAtTime(time))
    # Krita turns to a frame when it comes to it; what is written meanwhile goes to the one before.
    for _ in range(5):
        missing = [index for index in range(len(KEYS)) if held(node, index) != filled(40 * index)]
        for index in missing:
            yield from turn(made, KEYS[index])
            node.setPixelData(QtCore.QByteArray(filled(40 * index)), 0, 0, WIDTH, HEIGHT)
            made.waitForDone()
    assert not missing, missing
    made.setCurrentTime(3)
    yield from settle(made)
    assert [time for time in range(16) if node.hasKeyframeAtTime(time)] == KEYS
    return made, node


def six_frames():
    panel = yield from ready("udnie")
    made, node = yield from animated_document()
    panel.desk.message.setText("")
    panel.paint_frames()
    yield from until(lambda: panel.desk.message.text() and not panel.jobs.tasks, 200)
    assert panel.desk.message.text() == "Painted 6 frames.", panel.desk.message.text()
    yield from settle(made)
    new = newest(made)
    assert new.name().startswith("Impasto: Udnie") and new.animated(), new.name()
    assert [time for time in range(16) if new.hasKeyframeAtTime(time)] == KEYS
    assert made.currentTime() == 3 and made.activeNode().uniqueId() == node.uniqueId()
    found = [bytes(new.pixelDataAtTime(0, 0, WIDTH, HEIGHT, time)) for time in KEYS]
    for index, (time, data) in enumerate(zip(KEYS, found, strict=True)):
        assert held(node, index) == filled(40 * index), "another source"
        # The same frame, painted on its own.
        assert data == (yield from alone(panel, index)), f"frame {time} is another picture"
    assert len(set(found)) == 6


def alone(panel, index):
    from common import close

    made = yield from document(photo=False)
    node = made.createNode("one", "paintlayer")
    node.setPixelData(QtCore.QByteArray(filled(40 * index)), 0, 0, WIDTH, HEIGHT)
    made.rootNode().addChildNode(node, None)
    from common import activate, paint

    yield from activate(made, node)
    said = yield from paint(panel)
    assert said == "Painted.", said
    data = bytes(newest(made).pixelData(0, 0, WIDTH, HEIGHT))
    yield from settle(made)
    close(made)
    yield 0.1
    return data


def cancelled_frames():
    panel = yield from ready("udnie")
    made, _node = yield from animated_document()
    before = names(made.rootNode())
    panel.desk.message.setText("")
    panel.paint_frames()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state in ("waiting", "painting"))
    panel.desk.cancel.click()
    yield from until(lambda: panel.desk.message.text() and not panel.jobs.tasks)
    assert panel.desk.message.text() == "Cancelled; nothing was changed.", panel.desk.message.text()
    assert names(made.rootNode()) == before


def not_animated():
    panel = yield from ready()
    yield from document()
    panel.desk.message.setText("")
    panel.paint_frames()
    assert panel.desk.message.text().startswith("“photo” is not animated"), panel.desk.message.text()


CASES = [six_frames, cancelled_frames, not_animated]
