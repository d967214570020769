"""Runs inside GIMP with a screen: does what the files `1.task`, `2.task`… in TASKS say, and reports.

A task names a `picture` to open, a `procedure` to call with its dialog (without one, it only looks),
and perhaps a rectangle to `select` before, `again`, the result's layer to call the procedure on, and a
file to `export` to before.
"""

import json
import os
import time
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio  # noqa: E402


def names(parent):
    """Names of layers, with those of groups inside."""
    return [
        [layer.get_name(), names(layer)] if layer.is_group() else layer.get_name()
        for layer in (parent.get_layers() if isinstance(parent, Gimp.Image) else parent.get_children())
    ]


def perform(task, images):
    """Call the procedure; what came of it."""
    image = images.get(task["picture"])
    if image is None:
        file = Gio.File.new_for_path(task["picture"])
        image = images[task["picture"]] = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
        image.undo_enable()  # as File > Open does it, and the procedure that it calls does not
        Gimp.Display.new(image)
    if "export" in task:
        Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(task["export"]), None)
    if "procedure" not in task:
        return {"status": "success", "layers": names(image)}
    if task.get("select"):
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *task["select"])
    else:
        Gimp.Selection.none(image)
    layer = image.get_layers()[-1]
    if task.get("again"):
        layer = image.get_layers()[0].get_children()[0]
    procedure = Gimp.get_pdb().lookup_procedure(task["procedure"])
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.INTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    began = time.monotonic()
    result = procedure.run(config)
    status = result.index(0)
    return {
        "status": status.value_nick,
        "text": result.index(1) if status != Gimp.PDBStatusType.SUCCESS else "",
        "seconds": time.monotonic() - began,
        "layers": names(image),
        "bounds": list(Gimp.Selection.bounds(image))[1:],
        "channels": [channel.get_name() for channel in image.get_channels()],
    }


def main():
    folder, number, images = Path(os.environ["TASKS"]), 1, {}
    while True:
        file = folder / f"{number}.task"
        while not file.exists():
            time.sleep(0.05)
        task = json.loads(file.read_text())
        if not task:
            break
        try:
            report = perform(task, images)
        except Exception:
            report = {"status": "broken", "text": traceback.format_exc()}
        draft = folder / f"{number}.draft"
        draft.write_text(json.dumps(report))
        draft.rename(folder / f"{number}.report")
        number += 1


main()
