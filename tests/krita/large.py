"""Twelve megapixels: how long Krita's window does not answer, and how long a painting takes."""

import os
import time

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


def large_case(model, depth):
    def case():
        panel = yield from ready()
        made = yield from document(model, depth, size=(WIDTH, HEIGHT), photo=False)
        yield from photograph(made)
        yield from until(lambda: panel.stage.is_painted, 60)
        yield 1.0
        pulse = Pulse()
        pulse.phase = lambda: panel.jobs.tasks[0].state if panel.jobs.tasks else "idle"
        pulse.timer.start(5)
        yield 1.0
        panel.message.setText("")
        began = time.monotonic()
        panel.paint_button.click()
        yield from until(lambda: newest(made).name().startswith("Impasto"), 200)
        took = time.monotonic() - began
        yield from until(lambda: panel.message.text() and not panel.jobs.tasks, 20)
        said = panel.message.text()
        made.waitForDone()
        yield 0.5
        pulse.timer.stop()
        assert said == "Painted.", said
        assert names(made.rootNode())[-2] == "photo"
        return {
            "paint_seconds": round(took, 2),
            "gap_idle": pulse.worst("idle"),
            "gap_waiting": pulse.worst("waiting", "painting"),
            "gap_reading_inserting": pulse.worst("reading", "inserting"),
        }

    return case


CASES = {
    f"large {model} {depth}": large_case(model, depth) for model, depth in (("RGBA", "U8"), ("RGBA", "U16"))
}


def drive():
    from common import report_of

    return (yield from report_of(CASES))
