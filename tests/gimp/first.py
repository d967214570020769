"""What somebody does after the installation, with a German GIMP: open, paint, export; runs inside GIMP."""

import json
import os
import sys
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio  # noqa: E402

sys.path.insert(0, os.environ["DRIVERS"])
from common import call, painted  # noqa: E402


def first():
    procedure = Gimp.get_pdb().lookup_procedure("impasto-stylize")
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(os.environ["PICTURE"]))
    layer = image.get_layers()[0]
    assert call(image, layer, style="great-wave") == ("success", "")
    assert painted(image).get_width() == image.get_width()
    target = Gio.File.new_for_path(os.environ["EXPORTED"])
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, target, None)
    _status, sentence = call(image, layer)
    return {"label": procedure.get_menu_label(), "sentence": sentence}


try:
    found = {"error": "", **first()}
except Exception:
    found = {"error": traceback.format_exc()}
Path(os.environ["REPORT"]).write_text(json.dumps(found))
