"""Regions: Krita's own masks, things that are clicked, classes; the result is a group."""

import os

from common import (
    HEIGHT,
    WIDTH,
    QtCore,
    QtGui,
    above,
    activate,
    document,
    layer,
    names,
    paint,
    projection,
    ready,
    select,
    settle,
    undo,
    until,
)
from large import photograph


def masks_of_krita():
    """The selection, a layer's own mask, and layers with colour labels, each with a style."""
    from impasto import masks

    panel = yield from ready("great-wave")
    made = yield from document()
    photo = made.activeNode()
    spots = {}
    for label, x in ((1, 4), (6, 60)):
        spot = yield from layer(made, f"spot {label}", 20, 20, x, 40)
        spot.setColorLabel(label)
        spot.setVisible(False)
        spots[label] = spot
    selection = select(made, 30, 5, 30, 30, 4)
    yield from activate(made, photo)
    chosen = bytes(selection.pixelData(0, 0, WIDTH, HEIGHT))
    panel.regions.add_mask(lambda: masks.of_selection(made))
    panel.palette.pick("kiss")
    made.setSelection(None)
    yield from settle(made)
    panel.regions.add_labels()
    assert [region["name"] for region in panel.regions.regions] == ["Selection", "Label blue", "Label red"]
    panel.regions.stays.click()  # the red ones
    panel.regions.list.setCurrentRow(1)
    panel.palette.pick("udnie")
    tree, before = names(made.rootNode()), projection(made)
    said = yield from paint(panel)
    assert said == "Painted.", said
    shown = bytes(made.pixelData(0, 0, WIDTH, HEIGHT))
    assert shown == projection(made), "the canvas shows something else"
    group = above(made, "photo")
    assert group.type() == "grouplayer" and group.name().startswith("Impasto"), group.type()
    children = group.childNodes()
    assert [child.name().split(":")[0] for child in children][1:] == ["Selection", "Label blue", "Label red"]
    region = children[1]
    (mask,) = region.childNodes()
    assert bytes(mask.selection().pixelData(0, 0, WIDTH, HEIGHT)) == chosen, "another opacity"
    after = projection(made)
    blue = bytes(children[2].childNodes()[0].selection().pixelData(0, 0, WIDTH, HEIGHT))
    expected = bytes(255 if 4 <= x < 24 and 40 <= y < 60 else 0 for y in range(HEIGHT) for x in range(WIDTH))
    assert blue == expected
    red = [4 * (y * WIDTH + x) for y in range(42, 58) for x in range(62, 78)]
    assert all(before[i : i + 4] == after[i : i + 4] for i in red), "what should stay has changed"
    undo(made)
    assert names(made.rootNode()) == tree and projection(made) == before, "not one undo step"


def regions_in_a_selection():
    """The selection limits every region, and outside of it nothing changes."""
    panel = yield from ready("great-wave")
    made = yield from document(depth="U16")
    selection = select(made, 20, 10, 40, 40, 8)
    panel.regions.add("luminance:0.0-0.5", "Dark")
    panel.palette.pick("kiss")
    before = projection(made)
    said = yield from paint(panel)
    assert said == "Painted.", said
    after, chosen = projection(made), bytes(selection.pixelData(0, 0, WIDTH, HEIGHT))
    changed = [before[8 * i : 8 * i + 8] != after[8 * i : 8 * i + 8] for i in range(WIDTH * HEIGHT)]
    assert not any(now for now, mask in zip(changed, chosen, strict=True) if not mask)
    assert any(changed)


def only_a_region():
    """No style for the rest: it stays as it is, and a single region is a layer, not a group."""
    panel = yield from ready()
    made = yield from document("GRAYA", "U8")
    panel.settings.look["style"] = []
    panel.regions.add("luminance:0.5-1.0", "Light")
    panel.palette.pick("kiss")
    said = yield from paint(panel)
    assert said == "Painted.", said
    new = above(made, "photo")
    assert new.type() == "paintlayer" and new.childNodes()[0].type() == "transparencymask"


def otters():
    made = yield from document(size=(1600, 900), photo=False)
    yield from photograph(made)
    return made


def clicked_thing():
    """A click on the docker's picture."""
    panel = yield from ready("great-wave")
    made = yield from otters()
    yield from until(lambda: panel.stage.is_painted, 60)
    panel.tabs.setCurrentIndex(1)
    panel.regions.add("", "Clicked thing")
    assert panel.stage.clickable
    # The larger otter's back.
    small = panel.stage.small
    place = QtCore.QPointF(
        (panel.stage.width() - small.width) // 2 + small.width * 0.62,
        (panel.stage.height() - small.height) // 2 + small.height * 0.55,
    )
    kinds, buttons = QtCore.QEvent.Type, QtCore.Qt.MouseButton
    for kind, down in (
        (kinds.MouseButtonPress, buttons.LeftButton),
        (kinds.MouseButtonRelease, buttons.NoButton),
    ):
        none = QtCore.Qt.KeyboardModifier.NoModifier
        event = QtGui.QMouseEvent(kind, place, buttons.LeftButton, down, none)
        QtCore.QCoreApplication.instance().sendEvent(panel.stage, event)
    assert panel.regions.region["select"].startswith("points:9"), panel.regions.region
    if not os.environ.get("CLICKS"):  # its model has to be fetched first, and the docker says so
        yield from until(lambda: "impasto models pull mobile-sam" in panel.desk.message.text(), 60)
        return None
    yield from until(lambda: panel.stage._mask is not None and any(panel.stage._mask), 60)
    share = sum(value > 127 for value in panel.stage._mask) / len(panel.stage._mask)
    if "SHOTS" in os.environ:
        from shots import shot, window

        yield from window()
        yield 0.5
        shot("regions")
    panel.tabs.setCurrentIndex(0)
    panel.palette.pick("kiss")
    said = yield from paint(panel)
    assert said == "Painted.", said
    group = above(made, "photo")
    assert [name.split(":")[0] for name in names(group)][1:] == ["Clicked thing"], names(group)
    assert 0.05 < share < 0.5, share
    return {"share_of_the_picture": round(share, 3)}


def a_class():
    panel = yield from ready("great-wave")
    made = yield from otters()
    panel.regions.add("water", "Water")
    panel.palette.pick("kiss")
    said = yield from paint(panel)
    assert said == "Painted.", said
    assert [name.split(":")[0] for name in names(above(made, "photo"))][1:] == ["Water"]


CASES = [masks_of_krita, regions_in_a_selection, only_a_region, clicked_thing, a_class]
