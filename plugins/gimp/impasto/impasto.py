#!/usr/bin/env python3
"""Impasto in GIMP 3: Filters > Impasto."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402
from texts import _  # noqa: E402

STYLIZE, AGAIN, REPAINT = "impasto-stylize", "impasto-paint-again", "impasto-repaint"


class Impasto(Gimp.PlugIn):
    """GIMP asks it for its procedures once, and starts it anew for each call."""

    def do_set_i18n(self, _name: str) -> bool:
        return False

    def do_query_procedures(self) -> list[str]:
        return [STYLIZE, AGAIN, REPAINT]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_attribution("The Impasto developers", "Apache-2.0", "2026")
        labels = {
            STYLIZE: (_("_Stylize…"), _("Paint the layer in the style of any picture")),
            AGAIN: (_("Paint _again"), _("Paint the layer with the last settings")),
            REPAINT: (
                _("_Repaint this layer…"),
                _("Paint anew with the settings that this layer was painted with"),
            ),
        }
        label, blurb = labels[name]
        procedure.set_menu_label(label)
        procedure.add_menu_path("<Image>/Filters/Impasto")
        procedure.set_documentation(blurb, blurb, name)
        add_arguments(procedure)
        return procedure


def add_arguments(procedure: Gimp.Procedure) -> None:
    """The look, as named arguments for the PDB."""
    flags = GObject.ParamFlags.READWRITE
    procedure.add_string_argument(
        "style", _("St_yle"), _("A style's name, or several as “scream:2, great-wave:1”"), "", flags
    )
    procedure.add_file_argument(
        "style-file", _("Style _picture"), _("A picture to take the style from"),
        Gimp.FileChooserAction.OPEN, True, None, flags,
    )  # fmt: skip
    procedure.add_double_argument("strength", _("S_trength"), _("How much is painted"), 0.0, 1.0, 1.0, flags)
    procedure.add_double_argument("scale", _("S_cale"), _("Size of the strokes"), 0.25, 4.0, 1.0, flags)
    procedure.add_double_argument(
        "keep-color", _("_Keep color"), _("How much of the layer's own color stays"), 0.0, 1.0, 0.0, flags
    )
    procedure.add_string_argument("engine", _("_Engine"), _("The technique that paints"), "auto", flags)
    procedure.add_int_argument("seed", _("See_d"), _("Of whatever is random"), 0, 2**31 - 1, 0, flags)


def run(procedure: Any, mode: Any, image: Any, drawables: list[Any], config: Any, _data: Any) -> Any:
    """Do what was asked; an error becomes GIMP's message."""
    from client import ClientError
    from layers import Trouble

    try:
        if not stylize(procedure, mode, image, drawables, config):
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    except (Trouble, ClientError) as error:
        fault = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), str(error), 0)
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, fault)
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def stylize(procedure: Any, mode: Any, image: Any, drawables: list[Any], config: Any) -> bool:
    """Read, ask, paint, place. Returns whether the user went through with it."""
    import layers
    import painter
    from pixels import title

    if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
        raise layers.Trouble(_("Impasto paints one layer at a time; choose one in the layers dialog."))
    layer = drawables[0]
    name = procedure.get_name()
    source = layers.read(image, layer)
    if name == REPAINT:
        look = layers.look_of(layer)
        if look is None:
            raise layers.Trouble(_("This layer was not painted by Impasto; use Filters > Impasto > Stylize."))
        put_look(config, look)
    if mode == Gimp.RunMode.INTERACTIVE and name != AGAIN:
        from dialog import ask

        if not ask(procedure, config, source):
            return False
    look, attachments = look_in(config)
    Gimp.progress_init(_("Impasto is painting"))
    last = ""

    def progress(fraction: float, text: str) -> None:
        nonlocal last
        if text != last:
            Gimp.progress_set_text(f"Impasto: {text}")
            last = text
        Gimp.progress_update(min(fraction, 1.0))

    width, height = source.box.width, source.box.height
    data = painter.paint(look, source.layout, width, height, source.pixels, progress, attachments)
    called = label(config) or title(look)
    piece = layers.Piece(called, source.box, source.layout, data, source.selection, remembered(config, look))
    layers.place(image, layer, [piece])
    Gimp.progress_end()
    return True


def look_in(config: Any) -> tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]]]:
    """The look in a procedure's arguments, and the pictures that go with it."""
    from layers import Trouble
    from pixels import styles

    attachments: list[tuple[dict[str, Any], bytes]] = []
    refs = styles(config.get_property("style"))
    file = config.get_property("style-file")
    if file is not None and file.get_path():
        path = Path(file.get_path())
        try:
            attachments.append(({"kind": "file", "name": path.name}, path.read_bytes()))
        except OSError as error:
            raise Trouble(
                _("The style picture “{name}” cannot be read ({reason}); choose another.").format(
                    name=path.name, reason=error.strerror
                )
            ) from None
        refs.append({"ref": "attachment:0", "weight": 1.0})
    if not refs:
        raise Trouble(_("No style is chosen; choose one in Filters > Impasto > Stylize."))
    look = {"style": refs, "engine": config.get_property("engine"), "seed": config.get_property("seed")}
    for key in ("strength", "scale", "keep-color"):
        look[key.replace("-", "_")] = config.get_property(key)
    return look, attachments


def label(config: Any) -> str:
    """The painting's name where a picture is its style."""
    file = config.get_property("style-file")
    return ", ".join(filter(None, (config.get_property("style"), file.get_basename()))) if file else ""


def remembered(config: Any, look: dict[str, Any]) -> dict[str, Any]:
    """The look as a layer keeps it: with the style's text, and the picture's path."""
    file = config.get_property("style-file")
    return {**look, "style": config.get_property("style"), "style-file": file.get_path() if file else ""}


def put_look(config: Any, look: dict[str, Any]) -> None:
    """Set a procedure's arguments to what a layer remembers."""
    from gi.repository import Gio

    for key in ("style", "strength", "scale", "keep-color", "engine", "seed"):
        config.set_property(key, look.get(key.replace("-", "_"), config.get_property(key)))
    path = look.get("style-file")
    config.set_property("style-file", Gio.File.new_for_path(path) if path else None)


Gimp.main(Impasto.__gtype__, sys.argv)
