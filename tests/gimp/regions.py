"""Regions by GIMP's own masks and by the daemon's words, and objects as selections; runs inside GIMP."""

import json

from common import HEIGHT, WIDTH, P, call, composite, picture, refused, whole
from gi.repository import Gegl, Gimp

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
        assert names == ["channel: scream", "luminance: none"], names
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


def regions_again():
    """A layer of a region remembers all of them; painted again, the whole group is made anew."""
    image, layer = picture()
    channel(image, "left", 0, 0, 40, HEIGHT)
    regions = [{"select": "channel:left", "style": "scream"}, {"select": "luminance:0-0.3", "style": "kiss"}]
    _names, (_base, first, _second) = paint_regions(image, layer, regions, style="great-wave")
    assert call(image, first, "impasto-repaint") == ("success", "")
    group = image.get_layers()[0]
    names = [child.get_name().partition(" #")[0] for child in group.get_children()[::-1]]
    assert names == ["great-wave", "channel: scream", "luminance: kiss"], names
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


REGIONS = (
    regions_of_masks,
    regions_and_the_rest,
    regions_feathered,
    regions_of_a_layer_mask,
    regions_again,
    regions_refused,
)
