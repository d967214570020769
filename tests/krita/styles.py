"""Where styles come from, and what was painted before."""

import os

from common import HEIGHT, WIDTH, QtGui, QtWidgets, above, app, document, end, names, paint, ready, until


def again_and_favourites():
    panel = yield from ready("udnie")
    made = yield from document()
    panel.settings.favourites[:] = ["kiss"]
    said = yield from paint(panel)
    assert said == "Painted.", said
    for action, expected in (("impasto_again", "Udnie"), ("impasto_favorite_1", "Kiss")):
        panel.desk.message.setText("")
        app.action(action).trigger()
        said = yield from end(panel)
        assert said == "Painted.", said
        assert expected in above(made, "photo").name(), names(made.rootNode())
    for action, keys in (("impasto_again", "Ctrl+Alt+P"), ("impasto_favorite_9", "Ctrl+Alt+Shift+9")):
        assert app.action(action).shortcut().toString() == keys
        users = [one.objectName() for one in app.actions() if one.shortcut().toString() == keys]
        assert users == [action], users
    panel.desk.message.setText("")
    app.action("impasto_favorite_2").trigger()
    yield from until(panel.desk.message.text)
    assert panel.desk.message.text().startswith("There is no favorite 2 yet"), panel.desk.message.text()
    entries = panel.history.history.entries
    assert len(entries) >= 3 and all(panel.history.history.thumbnail(one).is_file() for one in entries)
    same = [node for node in made.rootNode().childNodes() if "Udnie" in node.name()]
    first, second = (bytes(node.pixelData(0, 0, WIDTH, HEIGHT)) for node in same)
    assert first == second, "the same job gave another picture"


def other_styles():
    """A blend, a file, a layer and the clipboard."""
    panel = yield from ready()
    made = yield from document()
    pictures = []

    def one():
        said = yield from paint(panel)
        assert said == "Painted.", said
        pictures.append(bytes(above(made, "photo").pixelData(0, 0, WIDTH, HEIGHT)))

    panel.palette.show_parts([["great-wave", 1.0], ["kiss", 0.5]])
    panel.palette.changed.emit()
    yield from one()
    panel.palette.show_parts([])
    panel.palette.take_file(os.environ["STYLE_FILE"])
    yield from one()
    photo = next(node for node in made.rootNode().childNodes() if node.name() == "photo")
    panel.palette.take_layer(photo)
    yield from one()
    image = QtGui.QImage(64, 64, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor(200, 30, 60))
    QtWidgets.QApplication.clipboard().setImage(image)
    panel.palette.take_clipboard()
    yield from one()
    assert len(set(pictures)) == 4


CASES = [again_and_favourites, other_styles]
