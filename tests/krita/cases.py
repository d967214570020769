"""Runs inside Krita: a painting in each kind of document, and all that may happen meanwhile."""

from common import (
    HEIGHT,
    WIDTH,
    activate,
    app,
    close,
    document,
    layer,
    names,
    newest,
    paint,
    projection,
    ready,
    report_of,
    select,
    settle,
    undo,
    until,
)

MODELS = [
    ("RGBA", "U8"), ("RGBA", "U16"), ("RGBA", "F16"), ("RGBA", "F32"), ("GRAYA", "U8"), ("GRAYA", "U16"),
    ("CMYKA", "U8"), ("CMYKA", "U16"), ("LABA", "U16"), ("LABA", "F32"),
]  # fmt: skip
PIXEL = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4}


def outside(before, after, selection, step):
    """Pixels that changed where nothing is selected, and inside."""
    chosen = bytes(selection.pixelData(0, 0, WIDTH, HEIGHT))
    changed = [
        before[i * step : (i + 1) * step] != after[i * step : (i + 1) * step] for i in range(len(chosen))
    ]
    return (
        sum(now for now, mask in zip(changed, chosen, strict=True) if not mask),
        sum(now for now, mask in zip(changed, chosen, strict=True) if mask == 255) / chosen.count(255),
    )


def painted_case(model, depth, selected, profile="sRGB-elle-V2-srgbtrc.icc"):
    def case():
        panel = yield from ready()
        made = yield from document(model, depth, profile)
        selection = select(made) if selected else None
        active, before, tree = made.activeNode(), projection(made), names(made.rootNode())
        said = yield from paint(panel)
        assert said == "Painted.", said
        new = newest(made)
        assert new.name().startswith("Impasto: ") and new.type() == "paintlayer", new.name()
        assert (new.colorModel(), new.colorDepth(), new.colorProfile()) == (
            made.colorModel(),
            made.colorDepth(),
            made.colorProfile(),
        )
        assert made.activeNode().uniqueId() == active.uniqueId(), made.activeNode().name()
        after = projection(made)
        step = PIXEL[depth] * CHANNELS[model]
        if selection is not None:
            (mask,) = new.childNodes()
            assert mask.type() == "transparencymask"
            kept = bytes(mask.selection().pixelData(0, 0, WIDTH, HEIGHT))
            assert kept == bytes(selection.pixelData(0, 0, WIDTH, HEIGHT)), "another opacity"
            assert len(set(kept)) > 2, "no feather"
            strangers, inside = outside(before, after, selection, step)
            assert strangers == 0, f"{strangers} pixels outside have changed"
            assert inside > 0.9, f"only {inside:.0%} inside have changed"
        else:
            assert not new.childNodes()
            same = sum(before[i : i + step] == after[i : i + step] for i in range(0, len(before), step)) / (
                WIDTH * HEIGHT
            )
            assert same < 0.1, f"{same:.0%} of the pixels are the same"
        undo(made)
        assert names(made.rootNode()) == tree, names(made.rootNode())
        assert projection(made) == before, "undo gives another picture"

    return case


def layer_with_offset():
    panel = yield from ready()
    made = yield from document()
    yield from layer(made, "small", 40, 30, 70, -10)  # leaves the picture to the right and above
    before = projection(made)
    said = yield from paint(panel)
    assert said == "Painted.", said
    assert names(made.rootNode())[-2:] == ["small", names(made.rootNode())[-1]]
    after = projection(made)
    rows = range(20, HEIGHT)
    assert all(
        before[4 * WIDTH * y : 4 * WIDTH * y + 280] == after[4 * WIDTH * y : 4 * WIDTH * y + 280]
        for y in rows
    )
    assert before[4 * 90 : 4 * 96] != after[4 * 90 : 4 * 96]


def inside_a_group():
    panel = yield from ready()
    made = yield from document()
    group = made.createGroupLayer("group")
    made.rootNode().addChildNode(group, None)
    yield from settle(made)
    yield from layer(made, "within", 60, 50, 10, 10, group)
    yield from layer(made, "above", 10, 10, 0, 0, group)
    yield from activate(made, next(one for one in group.childNodes() if one.name() == "within"))
    said = yield from paint(panel)
    assert said == "Painted.", said
    found = names(group)
    assert found[0] == "within" and found[1].startswith("Impasto") and found[2] == "above", found


def a_group_itself():
    panel = yield from ready()
    made = yield from document("CMYKA", "U8")
    group = made.createGroupLayer("group")
    made.rootNode().addChildNode(group, None)
    yield from settle(made)
    yield from layer(made, "within", WIDTH, HEIGHT, 0, 0, group)
    yield from activate(made, group)
    before = projection(made)
    said = yield from paint(panel)
    assert said == "Painted.", said
    assert names(made.rootNode())[-2] == "group", names(made.rootNode())
    assert projection(made) != before


def linear_16_bits():
    yield from painted_case("RGBA", "U16", True, "sRGB-elle-V2-g10.icc")()


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
    panel.message.setText("")
    panel.paint_button.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state == "painting")
    yield 0.3
    from time import monotonic

    began = monotonic()
    panel.cancel_button.click()
    yield from until(lambda: not panel.jobs.tasks)
    took = monotonic() - began
    assert panel.message.text() == "Cancelled; nothing was changed.", panel.message.text()
    assert took < 1.0, took
    assert names(made.rootNode()) == before
    return {"cancel_seconds": round(took, 3)}


def closed_meanwhile():
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    panel.message.setText("")
    panel.paint_button.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state != "reading")
    close(made)
    yield from until(lambda: panel.message.text() and not panel.jobs.tasks)
    expected = "The document was closed, so that the painting has no place to go; open it and paint again."
    assert panel.message.text() == expected, panel.message.text()


def converted_meanwhile():
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    panel.message.setText("")
    panel.paint_button.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state != "reading")
    made.setColorSpace("RGBA", "U16", "sRGB-elle-V2-srgbtrc.icc")
    made.waitForDone()
    yield from until(lambda: panel.message.text() and not panel.jobs.tasks)
    expected = "The document was converted while Impasto painted; press Paint again."
    assert panel.message.text() == expected, panel.message.text()


def switched_and_deleted_meanwhile():
    """Another document is shown, and the layer that was read is gone: the painting lands in its own."""
    panel = yield from ready()
    made = yield from document(size=(1600, 1200))
    panel.message.setText("")
    panel.paint_button.click()
    yield from until(lambda: panel.jobs.tasks and panel.jobs.tasks[0].state != "reading")
    made.activeNode().remove()
    other = yield from document()
    before = names(other.rootNode())
    yield from until(lambda: panel.message.text() and not panel.jobs.tasks)
    assert panel.message.text() == "Painted.", panel.message.text()
    assert names(made.rootNode())[-1].startswith("Impasto"), names(made.rootNode())
    assert names(other.rootNode()) == before


def several_in_the_queue():
    panel = yield from ready()
    made = yield from document()
    panel.message.setText("")
    for _each in range(3):
        panel.paint_button.click()
    yield from until(
        lambda: len(panel.jobs.tasks) == 3 and all(t.state != "reading" for t in panel.jobs.tasks)
    )
    assert panel.queue.isVisible() and panel.queue.count() == 3
    panel.queue.setCurrentRow(2)
    panel.cancel_button.click()
    yield from until(lambda: not panel.jobs.tasks)
    assert sum(name.startswith("Impasto") for name in names(made.rootNode())) == 2


def again_and_favourites():
    panel = yield from ready("udnie")
    made = yield from document()
    panel.settings.favourites[:] = ["kiss"]
    said = yield from paint(panel)
    assert said == "Painted.", said
    for action, expected in (("impasto_again", "Udnie"), ("impasto_favorite_1", "Kiss")):
        panel.message.setText("")
        app.action(action).trigger()
        yield from until(lambda: panel.message.text() and not panel.jobs.tasks)
        assert panel.message.text() == "Painted.", panel.message.text()
        assert expected in newest(made).name(), names(made.rootNode())
    panel.message.setText("")
    app.action("impasto_favorite_2").trigger()
    yield from until(panel.message.text)
    assert panel.message.text().startswith("There is no favorite 2 yet"), panel.message.text()
    entries = panel.history.history.entries
    assert len(entries) >= 3 and all(panel.history.history.thumbnail(one).is_file() for one in entries)
    same = made.rootNode().childNodes()
    first, second = (bytes(same[i].pixelData(0, 0, WIDTH, HEIGHT)) for i in (-3, -2))
    assert first == second, "the same job gave another picture"


def other_styles():
    """A blend, a file, a layer and the clipboard."""
    import os

    from common import QtGui, QtWidgets

    panel = yield from ready()
    made = yield from document()
    pictures = []

    def one():
        said = yield from paint(panel)
        assert said == "Painted.", said
        pictures.append(bytes(newest(made).pixelData(0, 0, WIDTH, HEIGHT)))

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


def cases():
    found = {
        f"{model} {depth}{' selection' if selected else ''}": painted_case(model, depth, selected)
        for model, depth in MODELS
        for selected in (False, True)
        if not selected or model == "RGBA" or depth == "U16"
    }
    for case in (
        linear_16_bits, layer_with_offset, inside_a_group, a_group_itself, mask_is_active, an_empty_layer,
        selection_outside, no_document, no_style, style_file_gone, cancelled, closed_meanwhile,
        converted_meanwhile, switched_and_deleted_meanwhile, several_in_the_queue, again_and_favourites,
        other_styles,
    ):  # fmt: skip
        found[case.__name__] = case
    return found


def drive():
    return (yield from report_of(cases()))
