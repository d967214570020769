"""Twelve megapixels: how long Krita's window does not answer, and how long a painting takes."""

import os
import time
from pathlib import Path

from common import QtCore, QtGui, document, names, newest, ready, settle, until

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


def turn(number):
    """Have the test outside paint the same picture by the command line: its seconds, or None."""
    if "TURNS" not in os.environ:
        return None
    turns = Path(os.environ["TURNS"])
    (turns / f"{number}.turn").touch()
    done = turns / f"{number}.seconds"
    yield from until(done.exists, 120)
    return float(done.read_text())


def own_layer(made):
    """What Krita itself does when a layer of that size comes, without a plug-in."""
    node = made.activeNode()
    data = node.pixelData(0, 0, made.width(), made.height())
    yield 0.5
    yield "own"
    new = made.createNode("own", "paintlayer")
    rows = 262
    row = len(data) // made.height()
    for top in range(0, made.height(), rows):
        count = min(rows, made.height() - top)
        new.setPixelData(data[top * row : (top + count) * row], 0, top, made.width(), count)
        yield 0.001
    made.rootNode().addChildNode(new, None)
    yield 1.0
    made.waitForDone()
    yield ""
    new.remove()
    made.waitForDone()
    made.setActiveNode(node)
    yield 0.5


def large_case(model, depth):
    def case():
        panel = yield from ready()
        made = yield from document(model, depth, size=(WIDTH, HEIGHT), photo=False)
        yield from photograph(made)
        yield from until(lambda: panel.stage.is_painted, 60)
        yield 1.0
        pulse, phase = Pulse(), ""
        pulse.phase = lambda: phase or (panel.jobs.tasks[0].state if panel.jobs.tasks else "")
        marks = []
        panel.jobs.changed.connect(lambda: marks.append((time.monotonic(), pulse.phase())))
        pulse.timer.start(5)
        figures = []
        rounds = int(os.environ.get("ROUNDS", "1"))
        for number in range(rounds):
            panel.setVisible(False)
            yield 0.3
            phase = "idle"
            yield 2.0
            for step in own_layer(made):
                if isinstance(step, str):
                    phase = step
                else:
                    yield step
            panel.setVisible(True)
            yield 0.5
            command = yield from turn(f"{model}-{depth}-{number}")
            phase, marks[:], pulse.gaps[:] = "", [], [gap for gap in pulse.gaps if gap[1] in ("idle", "own")]
            panel.message.setText("")
            began = time.monotonic()
            panel.paint_button.click()
            yield from until(lambda: newest(made).name().startswith("Impasto"), 200)
            took = time.monotonic() - began
            yield from until(lambda: panel.message.text() and not panel.jobs.tasks, 20)
            ended = time.monotonic()
            made.waitForDone()
            yield 0.5
            assert panel.message.text() == "Painted.", panel.message.text()
            assert names(made.rootNode())[-2] == "photo"
            phases = {}
            for (then, state), (after, _next) in zip(marks, [*marks[1:], (ended, "")], strict=True):
                phases[state] = round(phases.get(state, 0.0) + after - then, 3)
            figures.append(
                {
                    "paint_seconds": round(took, 2),
                    "command_seconds": command,
                    "phases": phases,
                    "gap_idle": pulse.worst("idle"),
                    "gap_own": pulse.worst("own"),
                    "gap_waiting": pulse.worst("waiting", "painting"),
                    "gap_reading": pulse.worst("reading"),
                    "gap_inserting": pulse.worst("inserting"),
                    "gap_rest": pulse.worst(""),
                }
            )
            pulse.gaps.clear()
            newest(made).remove()
            made.waitForDone()
            yield from settle(made)
        pulse.timer.stop()
        return figures

    return case


SPACES = os.environ.get("SPACES", "RGBA-U8 RGBA-U16").split()
CASES = {f"large {space}": large_case(*space.split("-")) for space in SPACES}


def drive():
    from common import report_of

    return (yield from report_of(CASES))
