"""Regions by GIMP's own masks and by the daemon's words, and objects as selections; runs inside GIMP."""

import json
import os

from common import HEIGHT, WIDTH, P, call, composite, picture, refused, whole
from gi.repository import Gegl, Gimp, Gio

U8 = "R'G'B'A u8"


def paint_regions(image, layer, regions, **more):
    """Have regions painted; the names of the new group's layers, from bottom to top, and the layers."""
    told = json.dumps(regions)
    assert call(image, layer, "impasto-stylize-regions", regions=told, **more) == ("success", "")
    group = image.get_layers()[0]
    assert group.is_group() and group.get_name() == "Impasto"
    children = group.get_children()[::-1]
    return [child.get_name().partition(" #")[0] for child in children], children


def channel(image, name, x, y, width, height):
    image.select_rectangle(Gimp.ChannelOps.REPLACE, x, y, width, height)
    saved = Gimp.Selection.save(image)
    saved.set_name(name)
    Gimp.Selection.none(image)
    return saved


def same(before, after, keep, step=4):
    """Pixels for which `keep(x, y)` holds are the same to the bit; the others are not all."""
    differ = 0
    for y in range(HEIGHT):
        for x in range(WIDTH):
            at = step * (y * WIDTH + x)
            equal = before[at : at + step] == after[at : at + step]
            assert equal or not keep(x, y), (x, y)
            differ += not equal
    assert differ > 50, differ


def regions_of_masks():
    """A channel, a layer mask and the selection, at both depths; each becomes a layer with its mask."""
    for precision in (P.U8_NON_LINEAR, P.U16_NON_LINEAR):
        form, step = (U8, 4) if precision == P.U8_NON_LINEAR else ("R'G'B'A u16", 8)
        image, layer = picture(precision=precision)
        channel(image, "left", 0, 0, 30, HEIGHT)
        before = composite(image, form)
        regions = [
            {"select": "channel:left", "style": "scream"},
            {"select": "luminance:0.95-1", "style": "none"},
        ]
        names, (painted, _kept) = paint_regions(image, layer, regions)
        assert names == ["channel: scream", "luminance: as it is"], names
        assert painted.get_mask() is not None and painted.get_width() == 30
        assert image.get_precision() == precision
        same(before, composite(image, form), lambda x, y: x >= 30, step)
        image.delete()


def regions_and_the_rest():
    """A base style below, a selection that limits all of it, and a layer that is not at the origin."""
    image, layer = picture(size=(80, 60), offset=(10, 8))
    channel(image, "top", 0, 0, WIDTH, 30)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 20, 40, 40)
    before = composite(image, U8)
    regions = [{"select": "channel:top", "style": "scream:1, kiss:1", "strength": 0.5}]
    names, (base, top) = paint_regions(image, layer, regions, style="great-wave")
    assert names == ["great-wave", "channel: scream + kiss"], names
    assert list(base.get_offsets())[1:] == [10, 8] and base.get_width() == 80
    assert list(top.get_offsets())[1:] == [20, 20] and (top.get_width(), top.get_height()) == (40, 10)
    same(before, composite(image, U8), lambda x, y: not (20 <= x < 60 and 20 <= y < 60))
    image.delete()


def regions_feathered():
    """A feather is softer than its mask and ends where it says."""
    image, layer = picture()
    channel(image, "left", 0, 0, 40, HEIGHT)
    before = composite(image, U8)
    regions = [{"select": "channel:left", "style": "scream", "feather": 10}]
    _names, (painted,) = paint_regions(image, layer, regions)
    mask = whole(painted.get_mask(), "Y u8")
    row = mask[: painted.get_width()]
    assert row[0] == 255 and any(0 < value < 255 for value in row), list(row)
    same(before, composite(image, U8), lambda x, y: x >= 50)
    image.delete()


def regions_of_a_layer_mask():
    image, layer = picture()
    mask = layer.create_mask(Gimp.AddMaskType.BLACK)
    layer.add_mask(mask)
    mask.get_buffer().set(Gegl.Rectangle.new(10, 10, 20, 20), "Y u8", b"\xff" * 400)
    mask.update(0, 0, WIDTH, HEIGHT)
    _names, (painted,) = paint_regions(image, layer, [{"select": "layer-mask", "style": "scream"}])
    assert list(painted.get_offsets())[1:] == [10, 10] and painted.get_width() == 20
    image.delete()


def regions_with_pictures_of_their_own():
    """A file, another layer and a blend of both with a gallery style, each for a region of its own."""
    image, layer = picture()
    other_image, other = picture()
    other.set_name("other")
    file, place = os.environ["STYLE_FILE"], [other.get_id(), f"{other_image.get_name()}: other"]
    regions = [
        {"select": "luminance:0-0.5", "style": "picture", "picture": file},
        {"select": "luminance:0.5-1", "style": "layer", "layer": place},
        {"select": "luminance:0.4-0.6", "style": "kiss:1, picture:0.5", "picture": file},
    ]
    names, children = paint_regions(image, layer, regions)
    basename = file.rpartition("/")[2]
    assert names == [f"luminance: {name}" for name in (basename, "other", f"kiss + {basename}")], names
    image.remove_layer(image.get_layers()[0])
    place[0] = 0  # numbers are not the same in another GIMP
    _names, children = paint_regions(image, layer, regions)
    assert call(image, children[0], "impasto-repaint") == ("success", "")
    image.remove_layer(image.get_layers()[0])
    other_image.delete()
    told = json.dumps(regions)
    status, text = call(image, layer, "impasto-stylize-regions", regions=told)
    assert status == "execution-error" and "layer chosen as the style has gone" in text, text
    regions[1]["style"] = "kiss"  # what is not used is not missed
    paint_regions(image, layer, regions)
    refused(
        "but there is none",
        "impasto-stylize-regions",
        style="",
        regions='[{"select": "sky", "style": "picture"}]',
    )
    image.delete()


def regions_again():
    """A layer of a region remembers all of them; painted again, the whole group is made anew."""
    image, layer = picture()
    channel(image, "left", 0, 0, 40, HEIGHT)
    regions = [{"select": "channel:left", "style": "scream"}, {"select": "luminance:0-0.3", "style": "kiss"}]
    regions[1]["name"] = "Gebäude"
    _names, (_base, first, _second) = paint_regions(image, layer, regions, style="great-wave")
    assert call(image, first, "impasto-repaint") == ("success", "")
    group = image.get_layers()[0]
    names = [child.get_name().partition(" #")[0] for child in group.get_children()[::-1]]
    assert names == ["great-wave", "channel: scream", "Gebäude: kiss"], names
    assert not first.is_valid() and len(image.get_layers()) == 2
    image.remove_channel(image.get_channels()[0])
    status, text = call(image, group.get_children()[0], "impasto-repaint")
    assert status == "execution-error" and "“left” has gone" in text, text
    image.delete()


def regions_refused():
    for regions, part in (
        ('[{"style": "scream"}]', "each with “select”"),
        ('{"select": "sky"}', "each with “select”"),
        ('[{"select": "luminance:0-1", "style": "screm"}]', "scream"),
        ('[{"select": "sky &", "style": "scream"}]', "sky &"),
        ('[{"select": "channel:no", "style": "scream"}]', "“no” has gone"),
        ('[{"select": "luminance:0-1", "style": "none"}]', "o style is chosen"),
    ):
        refused(part, "impasto-stylize-regions", style="", regions=regions)


def photograph():
    """The otter on its rock: it lies around 800, 450; the water is at 800, 60."""
    file = Gio.File.new_for_path(os.environ["PICTURE"])
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    return image, image.get_layers()[0]


def selected(image, x, y):
    rectangle = Gegl.Rectangle.new(x, y, 1, 1)
    return image.get_selection().get_buffer().get(rectangle, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)[0]


def objects_become_selections():
    """What Segment Anything finds at a click and in a box: replaced, subtracted, saved as a channel."""
    if not os.environ.get("OBJECTS"):
        return
    image, layer = photograph()
    words = {"select": "points:800,450", "outcome": "replace"}
    assert call(image, layer, "impasto-select-object", **words) == ("success", "")
    assert selected(image, 800, 450) > 200 and selected(image, 800, 60) < 50
    left, top, right, bottom = list(Gimp.Selection.bounds(image))[2:]
    assert left > 300 and top > 150 and right < 1560 and bottom < 820, (left, top, right, bottom)
    words = {"select": "box:480,240,1520,700", "outcome": "subtract"}
    assert call(image, layer, "impasto-select-object", **words) == ("success", "")
    assert selected(image, 800, 450) < 50
    words = {"select": "points:800,450", "outcome": "channel"}
    assert call(image, layer, "impasto-select-object", **words) == ("success", "")
    assert [channel.get_name() for channel in image.get_channels()] == ["Clicked thing"]
    status, text = call(image, layer, "impasto-select-object", select="points:")
    assert status == "execution-error" and "points" in text, (status, text)
    image.delete()


def objects_are_painted():
    """The otter in one style and the rest in another: one job, two layers, each where it belongs."""
    if not os.environ.get("OBJECTS"):
        return
    image, layer = photograph()
    regions = [{"select": "points:800,450", "style": "scream", "feather": 3}]
    names, (base, otter) = paint_regions(image, layer, regions, style="great-wave")
    assert names == ["great-wave", "points: scream"], names
    assert base.get_width() == image.get_width() and otter.get_width() < 0.8 * image.get_width()
    image.delete()


def classes_are_painted():
    """The daemon's own words for what there is in a picture."""
    image, layer = photograph()
    for select in ("water", "animal", "subject", "background"):
        names, (painted,) = paint_regions(image, layer, [{"select": select, "style": "scream"}])
        assert names == [f"{select}: scream"], names
        assert painted.get_mask() is not None
        image.remove_layer(image.get_layers()[0])
    image.delete()


REGIONS = (
    regions_of_masks,
    regions_and_the_rest,
    regions_feathered,
    regions_of_a_layer_mask,
    regions_with_pictures_of_their_own,
    regions_again,
    regions_refused,
    objects_become_selections,
    objects_are_painted,
    classes_are_painted,
)
