"""A painting in each kind of document, of each kind of layer."""

from common import (
    HEIGHT,
    WIDTH,
    activate,
    document,
    layer,
    names,
    newest,
    paint,
    projection,
    ready,
    select,
    settle,
    undo,
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
        shown = bytes(made.pixelData(0, 0, WIDTH, HEIGHT))
        after = projection(made)
        assert shown == after, "the canvas shows something else"
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


CASES = {
    f"{model} {depth}{' selection' if selected else ''}": painted_case(model, depth, selected)
    for model, depth in MODELS
    for selected in (False, True)
    if not selected or model == "RGBA" or depth == "U16"
}
CASES |= {case.__name__: case for case in (linear_16_bits, layer_with_offset, inside_a_group, a_group_itself)}
