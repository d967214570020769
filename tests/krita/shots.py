"""Screenshots of the docker in each state."""

import os
from pathlib import Path

from common import QtCore, QtWidgets, app, begin, docker, document, end, ready, report_of, until
from large import photograph

SHOTS = Path(os.environ["SHOTS"])


def shot(name):
    QtWidgets.QApplication.primaryScreen().grabWindow(0).save(str(SHOTS / f"{name}.png"))
    docker().grab().save(str(SHOTS / f"{name}-docker.png"))


def window():
    """A large window in which the docker stands alone."""
    panel = docker()
    main = app.activeWindow().qwindow()
    main.setGeometry(0, 0, 1600, 1000)
    main.showNormal()
    for other in app.dockers():
        if other.objectName() not in ("impasto", "KisLayerBox", "ToolBox"):
            other.setVisible(False)
    panel.setVisible(True)
    yield 0.5
    main.resizeDocks([panel], [360], QtCore.Qt.Orientation.Horizontal)
    yield 0.5


def picture():
    from common import QtGui

    image = QtGui.QImage(os.environ["PHOTO"])
    made = yield from document(size=(image.width(), image.height()), photo=False)
    yield from photograph(made)
    yield from window()  # Krita shows its own dockers again with the first document
    app.activeWindow().activeView().canvas().setZoomLevel(0.5)
    return made


def no_daemon():
    yield from picture()
    panel = docker()
    assert "No Impasto daemon is running" in panel.state.text(), panel.state.text()
    assert panel.launch.isVisible() and not panel.gallery.styles
    yield 1.0
    shot("no-daemon")
    os.environ["IMPASTO_RUNTIME_DIR"] = os.environ["LATER"]
    yield from until(lambda: panel.gallery.styles, 30)  # it looks again by itself
    assert not panel.launch.isVisible()


def idle():
    panel = yield from ready("scream")
    yield from picture()
    panel.palette.show_parts([["scream", 1.0], ["great-wave", 0.5]])
    panel.palette.changed.emit()
    yield from until(lambda: panel.stage.is_painted, 60)
    yield 2.0
    shot("idle")


def painting():
    panel = yield from ready("scream")
    yield from picture()
    panel.settings.look["scale"] = 0.3
    yield from begin(panel)
    panel.desk.paint.click()
    yield from until(lambda: panel.jobs.tasks[0].fraction > 0.2)
    shot("painting")
    while panel.jobs.tasks:
        panel.cancel()
        yield 0.2
    panel.settings.look["scale"] = 1.0
    panel.sliders.show_look(panel.settings.look)
    panel.desk.message.setText("")
    panel.desk.paint.click()
    said = yield from end(panel)
    assert said == "Painted.", said
    yield 1.0
    panel.tabs.setCurrentIndex(2)
    yield 0.5
    shot("history")
    panel.tabs.setCurrentIndex(0)


def drive():
    return (yield from report_of({case.__name__: case for case in (no_daemon, idle, painting)}))
