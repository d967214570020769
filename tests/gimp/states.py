"""Layers of every kind, and what happens to them while they are painted; runs inside GIMP."""

import array
import os
import signal
import sys
import threading
import time
from pathlib import Path

from common import HEIGHT, WIDTH, P, call, composite, painted, picture, refused, whole
from gi.repository import Gegl, Gimp, Gio

U8 = "R'G'B'A u8"


def strength_0_is_the_input():
    for precision, form in (
        (P.U8_NON_LINEAR, "R'G'B' u8"),
        (P.U8_LINEAR, "RGB u8"),
        (P.U16_NON_LINEAR, "R'G'B' u16"),
        (P.U16_LINEAR, "RGB u16"),
        (P.FLOAT_LINEAR, "R'G'B' u16"),
    ):
        image, layer = picture(precision=precision)
        assert call(image, layer, style="scream", strength=0.0) == ("success", "")
        assert whole(painted(image), form) == whole(layer, form), precision
        image.delete()


def profile_of_its_own():
    """An image with a wide profile keeps it, and what is outside the selection."""
    for precision in (P.U8_NON_LINEAR, P.U16_NON_LINEAR):
        image, layer = picture(precision=precision)
        image.convert_color_profile(Gimp.ColorProfile.new_rgb_adobe(), 0, False)
        profile = image.get_color_profile().get_description()
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 30, HEIGHT)
        original = whole(layer, None)
        before = composite(image, None)  # a named format would be converted to sRGB
        assert call(image, layer, style="scream") == ("success", "")
        assert image.get_color_profile().get_description() == profile
        after = composite(image, None)
        assert after != before
        mask = whole(painted(image).get_mask(), "Y u16")
        assert all(not any(mask[2 * (WIDTH * y + 30) : 2 * WIDTH * (y + 1)]) for y in range(HEIGHT))
        assert whole(layer, None) == original
        step = len(before) // (WIDTH * HEIGHT)
        for row in range(HEIGHT):
            start, end = (row * WIDTH + 30) * step, (row + 1) * WIDTH * step
            # GIMP composes in floats, with an approximation of such a profile's gamma that is chosen
            # anew in each process: dark values move a little where the mask is 0. Ours to answer for
            # are the mask and the layer below, which are exact.
            code, slack = ("B", 1) if precision == P.U8_NON_LINEAR else ("H", 64)
            a, b = (array.array(code, part[start:end]) for part in (before, after))
            most = max(abs(x - y) for x, y in zip(a, b, strict=True))
            assert most <= slack, (precision, row, most)
        image.delete()


def srgb_by_another_name():
    """A camera's profile that says the same as sRGB: values travel as they are, not as floats."""
    layers, _results = plug_in()
    image, layer = picture()
    ours = bytes(Gimp.ColorProfile.new_rgb_srgb().get_icc_profile())
    theirs = ours.replace("GIMP".encode("utf-16-be"), "LENS".encode("utf-16-be"))
    image.set_color_profile(Gimp.ColorProfile.new_from_icc_profile(theirs))
    assert image.get_color_profile() is not None
    assert layers.read(image, layer).layout.dtype == "uint8"
    assert call(image, layer, style="scream", strength=0.0) == ("success", "")
    assert whole(painted(image), "R'G'B' u8") == whole(layer, "R'G'B' u8")
    image.convert_color_profile(Gimp.ColorProfile.new_rgb_adobe(), 0, False)
    assert layers.read(image, layer).layout.dtype == "float32"
    image.delete()


def layer_with_filter_and_mask():
    """What is visible is painted: here black, by a filter; and nothing where the mask hides."""
    image, layer = picture()
    drawn = Gimp.DrawableFilter.new(layer, "gegl:brightness-contrast", "dark")
    drawn.get_config().set_property("brightness", -1.0)
    layer.append_filter(drawn)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    rectangle = Gegl.Rectangle.new(0, 0, WIDTH // 2, HEIGHT)
    mask.get_buffer().set(rectangle, "Y u8", bytes(WIDTH // 2 * HEIGHT))
    mask.update(0, 0, WIDTH, HEIGHT)
    assert call(image, layer, style="scream", strength=0.0) == ("success", "")
    data = whole(painted(image), U8)
    assert max(data[0::4]) == 0, "the filter was not seen"
    assert {data[4 * x + 3] for x in range(WIDTH // 2)} == {0}, "the mask was not seen"
    assert len(layer.get_filters()) == 1 and layer.get_mask() is not None
    image.delete()


def odd_sizes():
    """From a single pixel to a thread, in and off the canvas, in a group, with linear floats."""
    for size, offset in (
        ((1, 1), (5, 5)),
        ((1, 500), (90, -9)),
        ((700, 2), (-99, 70)),
        ((60, 50), (900, 400)),
    ):
        for precision in (P.U8_NON_LINEAR, P.FLOAT_LINEAR):
            image, layer = picture(precision=precision, alpha=True, size=size, offset=offset)
            group = Gimp.GroupLayer.new(image, "folder")
            image.insert_layer(group, None, 0)
            image.reorder_item(layer, group, 0)
            assert call(image, layer, style="scream") == ("success", ""), (size, precision)
            result = group.get_children()[0].get_children()[0]
            place = [*list(result.get_offsets())[1:], result.get_width(), result.get_height()]
            assert place == [*offset, *size], place
            image.delete()


def text_layer():
    image, layer = picture()
    font = Gimp.fonts_get_list("")[0]
    text = Gimp.TextLayer.new(image, "Impasto", font, 30, Gimp.Unit.pixel())
    image.insert_layer(text, None, 0)
    assert call(image, text, style="scream") == ("success", "")
    assert isinstance(image.get_layers()[1], Gimp.TextLayer)
    assert layer.is_valid()
    image.delete()


def link_layer():
    """GIMP 3.2 has layers that follow a file."""
    if not hasattr(Gimp, "LinkLayer"):
        return
    image, _layer = picture()
    link = Gimp.LinkLayer.new(image, Gio.File.new_for_path(os.environ["STYLE_FILE"]))
    image.insert_layer(link, None, 0)
    assert call(image, link, style="scream", scale=2.0) == ("success", "")
    assert isinstance(image.get_layers()[1], Gimp.LinkLayer)
    image.delete()


def style_layer():
    image, layer = picture()
    other = Gimp.Layer.copy(layer)
    image.insert_layer(other, None, 1)
    assert call(image, layer, style_layer=other, style="scream:2, layer:1") == ("success", "")
    result = painted(image)
    assert call(image, result, "impasto-repaint") == ("success", ""), "the layer was not found again"
    image.remove_layer(other)
    status, text = call(image, painted(image), "impasto-repaint")
    assert status == "execution-error" and "layer chosen as the style has gone" in text, text
    image.delete()


def several_layers():
    image, layer = picture()
    other = layer.copy()
    image.insert_layer(other, None, 0)
    procedure = Gimp.get_pdb().lookup_procedure("impasto-stylize")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer, other])
    config.set_property("style", "scream")
    result = procedure.run(config)
    assert "one layer at a time" in result.index(1), result.index(1)
    image.delete()


def plug_in():
    """The plug-in's own modules, to change things between reading and placing."""
    folder = str(Path(os.environ["GIMP3_DIRECTORY"], "plug-ins", "impasto"))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import layers
    import results

    return layers, results


def piece(results, source):
    return results.Piece(
        "scream", source.box, source.layout, source.pixels, source.selection, {"style": "scream"}
    )


def moved_meanwhile():
    layers, results = plug_in()
    image, layer = picture(offset=(5, 7))
    source = layers.read(image, layer)
    layer.set_offsets(30, 30)
    results.place(image, layer, [piece(results, source)])
    assert painted(image).get_offsets()[1:] == (5, 7) or list(painted(image).get_offsets())[1:] == [5, 7]
    image.delete()


def deleted_meanwhile():
    layers, results = plug_in()
    image, layer = picture(offset=(5, 7))
    source = layers.read(image, layer)
    image.remove_layer(layer)
    assert "layer has gone" in trouble(layers, lambda: layers.read(image, layer))
    results.place(image, layer, [piece(results, source)])
    assert list(painted(image).get_offsets())[1:] == [5, 7]
    image.delete()


def trouble(layers, function):
    try:
        function()
    except layers.Trouble as sentence:
        return str(sentence)
    raise AssertionError("no sentence")


def closed_meanwhile():
    layers, results = plug_in()
    image, layer = picture()
    source = layers.read(image, layer)
    image.delete()
    assert "was closed" in trouble(layers, lambda: results.place(image, layer, [piece(results, source)]))


def mode_changed_meanwhile():
    layers, results = plug_in()
    image, layer = picture()
    source = layers.read(image, layer)
    image.convert_grayscale()
    assert "mode of" in trouble(layers, lambda: results.place(image, layer, [piece(results, source)]))
    image.delete()


def masks_become_selections():
    _layers, results = plug_in()
    image, layer = picture()
    box = results.Box(-10, 60, 40, 40)
    results.place_mask(image, box, b"\xff" * 1600, "replace", "thing")
    assert list(Gimp.Selection.bounds(image))[2:] == [0, 60, 30, HEIGHT]
    assert image.get_channels() == []
    results.place_mask(image, results.Box(50, 0, 10, 10), b"\xff" * 100, "add", "thing")
    assert list(Gimp.Selection.bounds(image))[2:] == [0, 0, 60, HEIGHT]
    results.place_mask(image, box, b"\xff" * 1600, "subtract", "thing")
    assert list(Gimp.Selection.bounds(image))[2:] == [50, 0, 60, 10]
    results.place_mask(image, box, b"\x80" * 1600, "channel", "thing")
    assert [channel.get_name() for channel in image.get_channels()] == ["thing"]
    assert list(Gimp.Selection.bounds(image))[2:] == [50, 0, 60, 10]
    assert layer.is_valid()
    image.delete()


def broken_style_file():
    file = Path(os.environ["HOME"], "broken.jpg")
    file.write_bytes(b"no picture")
    refused("broken.jpg", style="", style_file=Gio.File.new_for_path(str(file)))


def repainted_without_origin():
    image, layer = picture()
    assert call(image, layer, style="scream") == ("success", "")
    result = painted(image)
    image.remove_layer(layer)
    status, text = call(image, result, "impasto-repaint")
    assert status == "execution-error" and "was painted from has gone" in text, text
    image.delete()


def nothing_to_paint_again():
    image, layer = picture()
    Gimp.detach_parasite("impasto-last")
    status, text = call(image, layer, "impasto-paint-again")
    assert status == "execution-error" and "Nothing was painted yet" in text, (status, text)
    image.delete()


def too_large():
    """Refused at once: nothing of it is read."""
    image = Gimp.Image.new(16400, 16400, Gimp.ImageBaseType.RGB)
    kind, mode = Gimp.ImageType.RGBA_IMAGE, Gimp.LayerMode.NORMAL
    layer = Gimp.Layer.new(image, "p", 16400, 16400, kind, 100, mode)
    image.insert_layer(layer, None, 0)
    began = time.monotonic()
    status, text = call(image, layer, style="scream")
    assert time.monotonic() - began < 20, "it was read"
    assert status == "execution-error", status
    assert text == "“p” has 269 million pixels, and Impasto paints at most 268; scale it down.", text
    image.delete()


def paint_and_export():
    image, layer = picture()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 10, 40, 40)
    assert call(image, layer, style="scream") == ("success", "")
    for ending in ("png", "xcf"):
        file = Gio.File.new_for_path(f"{os.environ['HOME']}/painted.{ending}")
        assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, file, None)
    again = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    assert call(again, painted(again), "impasto-repaint", strength=0.5) == ("success", "")
    image.delete()
    again.delete()


def cancelled():
    """GIMP's Cancel kills the plug-in: the daemon's job goes with it, the image stays as it is."""

    # Of this GIMP alone: another run of the tests may be under way beside it.
    program = os.environ["GIMP3_DIRECTORY"].encode() + b"/plug-ins/impasto/impasto.py"

    def kill():
        began, deadline = {}, time.monotonic() + 10
        while time.monotonic() < deadline:
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                ours = program in words and b"-run" in words
                if ours and time.monotonic() - began.setdefault(folder.name, time.monotonic()) > 1.5:
                    os.kill(int(folder.name), signal.SIGKILL)
                    return
            time.sleep(0.05)

    image = Gimp.Image.new(3000, 2000, Gimp.ImageBaseType.RGB)
    layer = Gimp.Layer.new(image, "p", 3000, 2000, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    layer.fill(Gimp.FillType.WHITE)
    thread = threading.Thread(target=kill)
    thread.start()
    status, _text = call(image, layer, style="scream", scale=0.25)
    thread.join()
    assert status != "success", status
    plug_in()
    from client import connect

    with connect(start=False) as client:
        deadline = time.monotonic() + 2  # the daemon notices a dead client's job within half a second
        while client.status()["queue"]["running"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not client.status()["queue"]["running"], client.status()["queue"]
    assert image.get_layers() == [layer]
    image.delete()


STATES = (
    strength_0_is_the_input,
    profile_of_its_own,
    srgb_by_another_name,
    layer_with_filter_and_mask,
    odd_sizes,
    text_layer,
    link_layer,
    style_layer,
    several_layers,
    moved_meanwhile,
    deleted_meanwhile,
    closed_meanwhile,
    mode_changed_meanwhile,
    masks_become_selections,
    broken_style_file,
    repainted_without_origin,
    nothing_to_paint_again,
    too_large,
    paint_and_export,
    cancelled,
)
