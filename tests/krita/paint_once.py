"""One painting, with the Filter menu's entry and the button, as a user does it."""

from common import above, app, docker, document, paint, ready, report_of, undo


def paint_once():
    docker().setVisible(False)
    app.action("impasto_show").trigger()
    assert docker().isVisible()
    panel = yield from ready()
    made = yield from document()
    panel.gallery.list.itemClicked.emit(panel.gallery.list.item(3))
    said = yield from paint(panel)
    assert said == "Painted.", said
    assert above(made, "photo").name().startswith("Impasto: ")
    undo(made)


def drive():
    return (yield from report_of({"paint_once": paint_once}))
