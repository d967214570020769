#!/usr/bin/env python3
"""Impasto in GIMP 3: Filters > Impasto."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402
from texts import _, sentence  # noqa: E402

FLAGS = GObject.ParamFlags.READWRITE
STYLIZE, REGIONS, SELECT = "impasto-stylize", "impasto-stylize-regions", "impasto-select-object"
AGAIN, REPAINT = "impasto-paint-again", "impasto-repaint"


class Impasto(Gimp.PlugIn):
    """GIMP asks it for its procedures once, and starts it anew for each call."""

    def do_set_i18n(self, _name: str) -> bool:
        return False  # the texts come translated already, see `texts`

    def do_query_procedures(self) -> list[str]:
        return [STYLIZE, REGIONS, SELECT, AGAIN, REPAINT]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_attribution("The Impasto developers", "Apache-2.0", "2026")
        labels = {
            STYLIZE: (_("_Stylize…"), _("Paint the layer in the style of any picture")),
            REGIONS: (_("Stylize re_gions…"), _("Paint each region of the layer in a style of its own")),
            SELECT: (_("Select _object…"), _("Click on a thing to select it")),
            AGAIN: (_("Paint _again"), _("Paint the layer with the last settings")),
            REPAINT: (
                _("_Repaint this layer…"),
                _("Paint anew with the settings that this layer was painted with"),
            ),
        }
        label, blurb = labels[name]
        procedure.set_menu_label(label)
        procedure.add_menu_path("<Image>/Filters/Impasto")
        procedure.set_documentation(blurb, blurb, None)
        if name in (STYLIZE, REGIONS, REPAINT):
            add_look(procedure)
        if name in (REGIONS, REPAINT):
            procedure.add_string_argument(
                "regions", _("Re_gions"), _("JSON: a list of tables with “select” and “style”"), "", FLAGS
            )
        if name == SELECT:
            add_selecting(procedure)
        return procedure


def add_look(procedure: Gimp.Procedure) -> None:
    """The look, as named arguments for the PDB."""
    procedure.add_string_argument(
        "style", _("St_yle"), _("A style's name, or several as “scream:2, great-wave:1”"), "", FLAGS
    )
    procedure.add_file_argument(
        "style-file", _("Style _picture"), _("A picture to take the style from"),
        Gimp.FileChooserAction.OPEN, True, None, FLAGS,
    )  # fmt: skip
    procedure.add_layer_argument(
        "style-layer", _("Style _layer"), _("Another layer to take the style from"), True, FLAGS
    )
    procedure.add_double_argument("strength", _("S_trength"), _("How much is painted"), 0.0, 1.0, 1.0, FLAGS)
    procedure.add_double_argument("scale", _("_Brush size"), _("Size of the strokes"), 0.25, 4.0, 1.0, FLAGS)
    procedure.add_double_argument(
        "keep-color", _("_Keep colors"), _("How much of the layer's own colors stays"), 0.0, 1.0, 0.0, FLAGS
    )
    procedure.add_double_argument(
        "detail", _("_Detail"), _("How much of the layer's fine structure returns"), 0.0, 1.0, 0.6, FLAGS
    )
    procedure.add_string_argument("engine", _("_Engine"), _("The technique that paints"), "auto", FLAGS)
    procedure.add_int_argument("seed", _("See_d"), _("Of whatever is random"), 0, 2**31 - 1, 0, FLAGS)


def add_selecting(procedure: Gimp.Procedure) -> None:
    """What to select, and what becomes of it."""
    procedure.add_string_argument(
        "select", _("_What"), _("Such as “subject”, “sky” or “points:120,80;-200,90”"), "", FLAGS
    )
    choice = Gimp.Choice.new()
    for number, (name, text) in enumerate(
        (
            ("replace", _("Replace the selection")),
            ("add", _("Add to the selection")),
            ("subtract", _("Subtract from the selection")),
            ("channel", _("Save as a channel")),
        )
    ):
        choice.add(name, number, text, "")
    procedure.add_choice_argument("outcome", _("_Outcome"), _("What becomes of it"), choice, "replace", FLAGS)


def run(procedure: Any, mode: Any, image: Any, drawables: list[Any], config: Any, _data: Any) -> Any:
    """Do what was asked; an error becomes GIMP's message."""
    import actions
    from client import Cancelled, ClientError
    from layers import Trouble

    action = {
        STYLIZE: actions.stylize,
        REGIONS: actions.stylize,
        SELECT: actions.select,
        AGAIN: actions.again,
        REPAINT: actions.repaint,
    }[procedure.get_name()]
    fault = ""
    went_through = False
    try:
        if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
            raise Trouble(_("Impasto paints one layer at a time; choose one in the layers dialog."))
        went_through = action(procedure, mode, image, drawables[0], config)
    except Cancelled:
        pass
    except ClientError as error:
        fault = sentence(error)
    except Trouble as error:
        fault = str(error)
    except Exception as error:  # nobody foresaw it, and without a sentence GIMP would say nothing at all
        traceback.print_exc()
        fault = _("Impasto's plug-in failed ({error}); please report it.").format(error=repr(error))
    if fault:
        said = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), fault, 0)
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, said)
    if mode != Gimp.RunMode.NONINTERACTIVE:  # a script that calls us shows it when it is through
        Gimp.displays_flush()
    status = Gimp.PDBStatusType.SUCCESS if went_through else Gimp.PDBStatusType.CANCEL
    return procedure.new_return_values(status, None)


Gimp.main(Impasto.__gtype__, sys.argv)
