"""What the drivers share: documents, waiting, and a report of many cases in one Krita."""

import json
import os
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from krita import Krita, Selection

BINDING = "PyQt6" if int(Krita.instance().version().split(".")[0]) >= 6 else "PyQt5"
QtCore = import_module(f"{BINDING}.QtCore")
QtGui = import_module(f"{BINDING}.QtGui")
QtWidgets = import_module(f"{BINDING}.QtWidgets")

app = Krita.instance()
WIDTH, HEIGHT = 96, 72


class Failed(Exception):
    pass


def until(true, seconds=60.0):
    """Wait in the event loop until something is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise Failed("it did not happen in time")
        yield 0.02


def docker():
    return next(one for one in app.dockers() if one.objectName() == "impasto")


def slopes(width, height, depth="U8"):
    """B, G, R, A of coloured slopes."""
    step = 257 if depth == "U16" else 1
    values = (
        value
        for y in range(height)
        for x in range(width)
        for value in ((x * y) % 256 * step, y * 255 // height * step, x * 255 // width * step, 255 * step)
    )
    if depth == "U8":
        return bytes(values)
    from array import array

    return array("H", values).tobytes()


def document(model="RGBA", depth="U8", profile="sRGB-elle-V2-srgbtrc.icc", size=(WIDTH, HEIGHT), photo=True):
    """A document in a view, with a layer “photo”, which is active."""
    if model != "RGBA" or depth.startswith("F"):
        profile = ""
    made = app.createDocument(*size, "case", model, depth, profile, 300.0)
    app.activeWindow().addView(made)
    yield from settle(made)
    if photo:
        yield from layer(made, "photo", *size)
    return made


def layer(made, name, width, height, x=0, y=0, parent=None):
    """A paint layer of slopes, whatever the document's colour space."""
    direct = made.colorModel() == "RGBA" and made.colorDepth() in ("U8", "U16")
    new = made.createNode(name, "paintlayer")
    own = (made.colorModel(), made.colorDepth(), made.colorProfile())
    if not direct:
        new.setColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
    depth = made.colorDepth() if direct else "U8"
    new.setPixelData(QtCore.QByteArray(slopes(width, height, depth)), x, y, width, height)
    if not direct:
        new.setColorSpace(*own)
    (parent or made.rootNode()).addChildNode(new, None)
    yield from activate(made, new)
    return new


def settle(made):
    """Krita's windows follow its documents a little later."""
    made.waitForDone()
    yield 0.05
    made.refreshProjection()
    made.waitForDone()
    yield 0.02


def activate(made, node):
    """Click a node in the Layers docker."""
    yield from settle(made)
    made.setActiveNode(node)
    yield from until(lambda: made.activeNode() and made.activeNode().uniqueId() == node.uniqueId(), 10)


def select(made, x=20, y=10, width=40, height=40, feather=8):
    """A soft selection."""
    selection = Selection()
    selection.select(x, y, width, height, 255)
    if feather:
        selection.feather(feather)
    made.setSelection(selection)
    made.waitForDone()
    return selection


def projection(made):
    made.refreshProjection()
    made.waitForDone()
    return bytes(made.pixelData(0, 0, made.width(), made.height()))


def names(node):
    """Names of what is below a node, from bottom to top."""
    return [child.name() for child in node.childNodes()]


def newest(made):
    """The topmost layer; the selection is listed above it."""
    return [child for child in made.rootNode().childNodes() if child.type() != "selectionmask"][-1]


def above(made, name):
    """The layer right above another."""
    found = names(made.rootNode())
    return made.rootNode().childNodes()[found.index(name) + 1]


def undo(made):
    app.action("edit_undo").trigger()
    made.waitForDone()


def close(made):
    made.setModified(False)
    made.close()


def ready(style="great-wave"):
    """Wait for the daemon's styles, and set a plain look."""
    panel = docker()
    panel.setVisible(True)
    if not panel.gallery.styles:
        panel.find_daemon(False)
        yield from until(lambda: panel.gallery.styles)
    panel.settings.look.update(style=[[style, 1.0]], strength=1.0, scale=1.0, keep_color=0.0)
    panel.regions.restore([])
    return panel


def paint(panel, seconds=120.0):
    """Press Paint and wait for the end: what the docker says."""
    panel.desk.message.setText("")
    panel.desk.paint.click()
    said = yield from end(panel, seconds)
    if app.activeDocument():
        app.activeDocument().waitForDone()
    return said


def begin(panel):
    """Press Paint and wait until the layer is read."""
    panel.desk.message.setText("")
    panel.desk.paint.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state != "reading")


def end(panel, seconds=120.0):
    """Wait for the end: what the docker says."""
    yield from until(lambda: panel.desk.message.text() and not panel.jobs.tasks, seconds)
    return panel.desk.message.text()


def report_of(cases):
    """Run all cases: {name: {"error", "seconds", "figures"}}; written to the file that REPORT names."""
    app.setBatchmode(True)
    report = {}
    only = os.environ.get("ONLY", "")
    for name, case in cases.items():
        if only and only not in name:
            continue
        began = time.monotonic()
        entry = {"error": "", "figures": None}
        try:
            entry["figures"] = yield from case()
        except Exception:
            entry["error"] = traceback.format_exc()
        entry["seconds"] = round(time.monotonic() - began, 2)
        for made in app.documents():
            # A document that is closed while its window is still being drawn takes Krita along.
            yield 0.5
            yield from settle(made)
            close(made)
            yield 0.3
        report[name] = entry
        sys.stdout.write(f"{name}: {entry}\n")
        sys.stdout.flush()
        Path(os.environ["REPORT"]).write_text(json.dumps(report, indent=1))
    return 0
