"""Twelve megapixels: how long Krita's window does not answer, and how long a painting takes."""

import os
import time
from itertools import pairwise
from pathlib import Path

from common import QtCore, QtGui, document, names, newest, ready, select, settle, until

WIDTH, HEIGHT = 4000, 3000


class Pulse:
    """Beats in the event loop; a late beat is a window that did not answer."""

    def __init__(self):
        self.timer = QtCore.QTimer()
        self.timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.beat)
        self.gaps = []
        self.last = time.monotonic()
        self.phase = lambda: ""

    def beat(self):
        now = time.monotonic()
        self.gaps.append((now - self.last, self.phase()))
        self.last = now

    def worst(self, *phases):
        return round(max((gap for gap, phase in self.gaps if phase in phases), default=0.0), 3)


def photograph(made):
    """The photograph as a layer that fills a document."""
    image = QtGui.QImage(os.environ["PHOTO"]).scaled(made.width(), made.height())
    image = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    node = made.createNode("photo", "paintlayer")
    own = (made.colorModel(), made.colorDepth(), made.colorProfile())
    node.setColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
    node.setPixelData(QtCore.QByteArray(bytes(bits)), 0, 0, made.width(), made.height())
    node.setColorSpace(*own)
    made.rootNode().addChildNode(node, None)
    yield from settle(made)
    made.setActiveNode(node)
    yield from settle(made)


def turn(name):
    """Have the test, outside, paint the same picture by the command line: the seconds it took."""
    turns = Path(os.environ["TURNS"])
    (turns / f"{name}.turn").touch()
    done = turns / f"{name}.seconds"
    yield from until(done.exists, 120)
    return float(done.read_text())


def large_case(model, depth):
    def case():
        panel = yield from ready()
        made = yield from document(model, depth, size=(WIDTH, HEIGHT), photo=False)
        yield from photograph(made)
        yield from until(lambda: panel.stage.is_painted, 60)
        yield 1.0
        rounds = []
        for number in range(ROUNDS):
            command = (yield from turn(f"{model}-{depth}-{number}")) if SPEED else None
            rounds.append((yield from painting(panel, made)) | {"command": command})
        return rounds

    return case


def painting(panel, made):
    """One painting: seconds until the new layer, seconds in each state, and the window's worst gaps."""
    pulse, marks = Pulse(), []
    panel.setVisible(False)  # Krita alone
    pulse.phase = lambda: panel.jobs.tasks[0].state if panel.jobs.tasks else "idle"
    pulse.timer.start(5)
    yield 1.0
    alone = pulse.worst("idle")
    panel.setVisible(True)
    yield 0.5
    connection = panel.jobs.changed.connect(lambda: marks.append((time.monotonic(), pulse.phase())))
    panel.desk.message.setText("")
    began = time.monotonic()
    panel.desk.paint.click()
    yield from until(lambda: newest(made).name().startswith("Impasto"), 200)
    took = time.monotonic() - began
    yield from until(lambda: panel.desk.message.text() and not panel.jobs.tasks, 20)
    panel.jobs.changed.disconnect(connection)
    pulse.timer.stop()
    assert panel.desk.message.text() == "Painted.", panel.desk.message.text()
    assert names(made.rootNode())[-2] == "photo"
    seconds = dict.fromkeys(("reading", "waiting", "painting", "inserting"), 0.0)
    for (then, state), (after, _next) in pairwise(marks):
        seconds[state] = round(seconds[state] + after - then, 3)
    newest(made).remove()
    yield from settle(made)
    return {
        "paint": round(took, 2),
        **seconds,
        "gap_alone": alone,
        "gap_waiting": pulse.worst("waiting", "painting"),
        "gap_reading_inserting": pulse.worst("reading", "inserting"),
    }


def live():
    """Seconds from a change to its preview: the first one that is shown, and the last."""
    panel = yield from ready("scream")
    made = yield from document(size=(WIDTH, HEIGHT), photo=False)
    yield from photograph(made)
    yield from until(lambda: panel.stage.is_painted, 60)
    fields, node = panel.sliders.fields, made.activeNode()
    spot = QtCore.QByteArray(bytes((0, 0, 255, 255)) * 400 * 400)

    def stroke():
        node.setPixelData(spot, 200, 300, 400, 400)
        made.refreshProjection()

    changes = {style: lambda style=style: panel.palette.pick(style) for style in ("kiss", "udnie", "scream")}
    changes |= {
        "strength": lambda: fields["strength"].setValue(0.7),
        "detail": lambda: fields["detail"].setValue(0.2),
        "a stroke on the layer": stroke,
        "a selection": lambda: select(made, 500, 500, 2000, 2000, 20),
    }
    figures = {}
    for change in ("kiss", *changes):  # the first one warms up
        seen = []
        connection = panel.preview.shown.connect(lambda seen=seen: seen.append(time.monotonic()))
        changes[change]()
        began = time.monotonic()
        yield from until(lambda seen=seen: seen, 30)
        yield 1.0
        panel.preview.shown.disconnect(connection)
        figures[change] = [round(seen[0] - began, 3), round(seen[-1] - began, 3)]
        if change == "kiss":
            panel.palette.pick("great-wave")
            yield 1.0
    return figures


SPEED = "TURNS" in os.environ
ROUNDS = 5 if SPEED else 1
SPACES = [("RGBA", "U8"), ("RGBA", "U16"), *([("CMYKA", "U8")] if SPEED else [])]
CASES = {"live": live} | {f"{model} {depth}": large_case(model, depth) for model, depth in SPACES}


def drive():
    from common import report_of

    return (yield from report_of(CASES))
