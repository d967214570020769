"""Runs inside GIMP with a screen: opens a picture, calls a procedure with its dialog, reports.

PICTURE is opened, PROCEDURE called; the report goes to the file that REPORT names.
"""

import json
import os
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio  # noqa: E402


def layers(parent):
    """Names of layers, with those of groups inside."""
    return [
        [layer.get_name(), layers(layer)] if layer.is_group() else layer.get_name()
        for layer in (parent.get_layers() if isinstance(parent, Gimp.Image) else parent.get_children())
    ]


def main():
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(os.environ["PICTURE"]))
    Gimp.Display.new(image)
    report = {"status": "", "text": ""}
    try:
        procedure = Gimp.get_pdb().lookup_procedure(os.environ["PROCEDURE"])
        config = procedure.create_config()
        config.set_property("run-mode", Gimp.RunMode.INTERACTIVE)
        config.set_property("image", image)
        config.set_core_object_array("drawables", [image.get_layers()[0]])
        result = procedure.run(config)
        status = result.index(0)
        report["status"] = status.value_nick
        report["text"] = result.index(1) if status != Gimp.PDBStatusType.SUCCESS else ""
        report["layers"] = layers(image)
        report["selected"] = not Gimp.Selection.is_empty(image)
        report["bounds"] = list(Gimp.Selection.bounds(image))[1:]
        report["channels"] = [channel.get_name() for channel in image.get_channels()]
    except Exception:
        report["text"] = traceback.format_exc()
    Path(os.environ["REPORT"]).write_text(json.dumps(report))


main()
