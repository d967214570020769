"""Runs inside GIMP: many cases in one process. The report goes to the file that REPORT names."""

import array
import itertools
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio  # noqa: E402

sys.path.insert(0, os.environ["DRIVERS"])
from common import HEIGHT, WIDTH, P, call, composite, painted, picture, refused  # noqa: E402
from regions import REGIONS  # noqa: E402
from speed import speed  # noqa: E402
from states import STATES  # noqa: E402


def type_case(base, precision, alpha, offset, size, selected):
    image, layer = picture(base, precision, alpha, size, offset)
    deep = not precision.value_nick.startswith("u8")
    form, step = ("R'G'B'A u16", 8) if deep else ("R'G'B'A u8", 4)
    if selected:
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 10, 40, 40)
        Gimp.Selection.feather(image, 8)
    before = composite(image, form)
    status = call(image, layer, style="great-wave")
    assert status == ("success", ""), status
    result = painted(image)
    assert "great-wave" in result.get_name()
    _ok, x, y = result.get_offsets()
    assert (x, y, result.get_width(), result.get_height()) == (*offset, *size)
    assert result.get_mask() is not None and result.type() == layer.type()
    assert image.get_precision() == precision
    after = composite(image, form)
    assert after != before, "nothing was painted"
    if selected:
        rectangle = Gegl.Rectangle.new(0, 0, WIDTH, HEIGHT)
        mask = image.get_selection().get_buffer().get(rectangle, 1.0, "Y float", Gegl.AbyssPolicy.NONE)
        outside = [n for n in range(WIDTH * HEIGHT) if mask[4 * n : 4 * n + 4] == bytes(4)]
        assert len(outside) > 1000
        if deep and not precision.value_nick.startswith("u16"):  # GIMP composes floats in another space
            one, other = array.array("H", before), array.array("H", after)
            assert max(abs(one[n] - other[n]) for at in outside for n in range(4 * at, 4 * at + 4)) <= 1
            outside = []
        for n in outside:
            assert after[step * n : step * n + step] == before[step * n : step * n + step], n
    image.delete()


def indexed():
    image, layer = picture()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    status, text = call(image, layer, style="great-wave")
    assert status == "execution-error" and "indexed" in text, (status, text)
    image.delete()


def unknown_style():
    image, layer = picture()
    status, text = call(image, layer, style="great-wafe")
    assert status == "execution-error" and "great-wafe" in text, (status, text)
    assert len(image.get_layers()) == 1
    image.delete()


def no_style():
    image, layer = picture()
    status, text = call(image, layer)
    assert status == "execution-error" and "style" in text, (status, text)
    image.delete()


def selection_elsewhere():
    image, layer = picture(size=(20, 20))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 50, 50, 10, 10)
    status, text = call(image, layer, style="great-wave")
    assert status == "execution-error" and "does not touch" in text, (status, text)
    image.delete()


def group_and_mask():
    image, layer = picture()
    group = Gimp.GroupLayer.new(image, "folder")
    image.insert_layer(group, None, 0)
    image.reorder_item(layer, group, 0)
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    assert call(image, group, style="scream") == ("success", "")
    assert painted(image).get_width() == WIDTH
    assert call(image, layer, style="scream") == ("success", "")
    names = [child.get_name().partition(" #")[0] for child in group.get_children()]
    assert names == ["Impasto", "photo"], names
    image.delete()


def style_file():
    image, layer = picture()
    file = Gio.File.new_for_path(os.environ["STYLE_FILE"])
    assert call(image, layer, style_file=file) == ("success", "")
    image.delete()


def blend_and_repaint():
    image, layer = picture()
    look = {"style": "scream:2, great-wave:1", "strength": 0.5, "keep_color": 0.25}
    assert call(image, layer, **look) == ("success", "")
    first = painted(image)
    parasite = first.get_parasite("impasto-look")
    kept = json.loads(bytes(parasite.get_data()).decode())
    assert kept["strength"] == 0.5 and kept["style"] == look["style"], kept
    first.set_opacity(40)
    assert call(image, first, "impasto-repaint") == ("success", "")
    assert not first.is_valid() and painted(image).get_opacity() == 40
    assert len(image.get_layers()) == 2
    status, text = call(image, layer, "impasto-repaint")
    assert status == "execution-error" and "not painted by Impasto" in text, (status, text)
    image.delete()


def painted_twice():
    """The newer painting lies above the older one, which would hide it."""
    image, layer = picture()
    assert call(image, layer, style="scream") == ("success", "")
    assert call(image, layer, style="great-wave") == ("success", "")
    names = [group.get_children()[0].get_name() for group in image.get_layers()[:2]]
    assert names == ["great-wave", "scream"], names
    assert image.get_layers()[2] == layer
    image.delete()


def taken_away():
    """Without the group, the image is as it was."""
    image, layer = picture()
    before = composite(image, "R'G'B'A u8")
    assert call(image, layer, style="scream") == ("success", "")
    image.remove_layer(image.get_layers()[0])
    assert composite(image, "R'G'B'A u8") == before
    image.delete()


def cases():
    yield other_protocol, ()
    plain = ("RGB", P.U8_NON_LINEAR, False, (0, 0), (WIDTH, HEIGHT))
    for precision in (
        P.U8_NON_LINEAR, P.U8_LINEAR, P.U16_NON_LINEAR, P.U16_LINEAR, P.U32_NON_LINEAR,
        P.HALF_LINEAR, P.FLOAT_NON_LINEAR, P.FLOAT_LINEAR,
    ):  # fmt: skip
        for base, alpha, selected in itertools.product(("RGB", "GRAY"), (False, True), (False, True)):
            yield type_case, (base, precision, alpha, *plain[3:], selected)
    for offset, size in (((10, 5), (60, 50)), ((-20, -10), (160, 120)), ((-15, 20), (50, 90))):
        for selected in (False, True):
            yield type_case, (*plain[:3], offset, size, selected)
    for case in (
        indexed,
        unknown_style,
        no_style,
        selection_elsewhere,
        group_and_mask,
        style_file,
        blend_and_repaint,
        painted_twice,
        taken_away,
        *STATES,
        *REGIONS,
    ):
        yield case, ()
    yield daemon_killed, ()
    yield no_daemon, ()


def name_of(case, args):
    return "-".join([case.__name__, *(getattr(part, "value_nick", str(part)) for part in args)])


def other_protocol():
    handshake = Path(os.environ["GIMP3_DIRECTORY"], "plug-ins/impasto/client/handshake.py")
    text = handshake.read_text()
    assert "PROTOCOL = 1\n" in text
    try:
        for theirs, advice in (("2", "update Impasto"), ("0", "update the plug-in")):
            handshake.write_text(text.replace("PROTOCOL = 1\n", f"PROTOCOL = {theirs}\n#{theirs * 9}\n"))
            refused(advice)
    finally:
        handshake.write_text(text)


def daemon_killed():
    """The last of the cases: after it there is no daemon."""
    thread = threading.Timer(1.5, os.kill, (int(os.environ["DAEMON"]), signal.SIGKILL))
    thread.start()
    status = "success"
    while status == "success":
        image, layer = picture()
        status, text = call(image, layer, style="scream")
        image.delete()
    assert status == "execution-error" and "daemon" in text, (status, text)


def no_daemon():
    refused("cannot be started")


def main():
    report = {}
    known = {case.__name__: case for case in (*STATES, *REGIONS, speed)} | globals()
    chosen = [(known[name], ()) for name in os.environ.get("CASES", "").split()]
    for case, args in chosen or cases():
        name, began = name_of(case, args), time.monotonic()
        try:
            found = case(*args)
            report[name] = {"error": "", **(found or {})}
        except Exception:
            report[name] = {"error": traceback.format_exc()}
        report[name]["took"] = time.monotonic() - began
        Path(os.environ["REPORT"]).write_text(json.dumps(report))


main()
