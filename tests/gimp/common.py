"""What the cases have in common; runs inside GIMP."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

P = Gimp.Precision
WIDTH, HEIGHT = 96, 72


def picture(base="RGB", precision=P.U8_NON_LINEAR, alpha=False, size=(WIDTH, HEIGHT), offset=(0, 0)):
    """An image of WIDTH x HEIGHT with a backdrop and a layer of coloured slopes."""
    kind = getattr(Gimp.ImageBaseType, base)
    image = Gimp.Image.new_with_precision(WIDTH, HEIGHT, kind, precision)
    types = Gimp.ImageType
    own = {("RGB", 0): types.RGB_IMAGE, ("RGB", 1): types.RGBA_IMAGE}
    own |= {("GRAY", 0): types.GRAY_IMAGE, ("GRAY", 1): types.GRAYA_IMAGE}
    layer = Gimp.Layer.new(image, "photo", *size, own[base, int(alpha)], 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    layer.set_offsets(*offset)
    w, h = size
    data = bytes(c for y in range(h) for x in range(w) for c in (x * 255 // w, y * 255 // h, (x * y) % 256))
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, w, h), "R'G'B' u8", data)
    buffer.flush()
    layer.update(0, 0, w, h)
    return image, layer


def call(image, layer, name="impasto-stylize", **arguments):
    """Call a procedure: (status, its message)."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer] if layer else [])
    for key, value in arguments.items():
        config.set_property(key.replace("_", "-"), value)
    result = procedure.run(config)
    status = result.index(0)
    return status.value_nick, result.index(1) if status != Gimp.PDBStatusType.SUCCESS else ""


def composite(image, form):
    """What is visible of an image, as bytes."""
    layer = Gimp.Layer.new_from_visible(image, image, "all")
    rectangle = Gegl.Rectangle.new(0, 0, image.get_width(), image.get_height())
    return layer.get_buffer().get(rectangle, 1.0, form, Gegl.AbyssPolicy.NONE)


def painted(image):
    """The group's one layer."""
    group = image.get_layers()[0]
    assert group.get_name() == "Impasto" and group.is_group(), group.get_name()
    (layer,) = group.get_children()
    return layer


def refused(part, name="impasto-stylize", **arguments):
    """Painting fails with a sentence that has `part`, and the image is as it was."""
    image, layer = picture()
    status, text = call(image, layer, name, **{"style": "scream", **arguments})
    assert status == "execution-error" and part in text, (status, text)
    assert image.get_layers() == [layer]
    image.delete()


def whole(drawable, form):
    """All pixels of a drawable."""
    rectangle = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return drawable.get_buffer().get(rectangle, 1.0, form, Gegl.AbyssPolicy.NONE)
