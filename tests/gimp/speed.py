"""How long a layer of 12 million pixels takes, beside the command line; runs inside GIMP."""

import os
import time
from pathlib import Path

from common import call
from gi.repository import Gimp, Gio
from states import plug_in

TURNS = 5
STYLE = "great-wave"


def speed():
    """Seconds of each turn, one after the other: from the call to the new layer; the daemon alone, asked
    from here with pixels that are read already; the command line, which the test runs outside."""
    picture = os.environ["BIG_PICTURE"]
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(picture))
    layer = image.get_layers()[0]
    layers, _results = plug_in()
    import copies
    import painter
    from client import looks

    source = layers.read(image, layer)
    look = looks.Package({}).look({"style": STYLE})
    found = {"layer": [], "daemon": [], "command": [], "preview": [], "draft": []}
    small = copies.small_copy(image, layer, 480, 400)
    for turn in range(TURNS + 1):
        began = time.monotonic()
        assert call(image, layer, style=STYLE) == ("success", "")
        layer_seconds = time.monotonic() - began
        image.remove_layer(image.get_layers()[0])
        began = time.monotonic()
        painter.paint(looks.job(look), source, lambda *_: None, [])
        daemon_seconds = time.monotonic() - began
        for key, scale in (("preview", 1.0), ("draft", 2.0)):  # what the dialog of Stylize does
            began = time.monotonic()
            own = looks.job(look | {"scale": scale})
            with painter.open_client() as client:
                client.run(own, small.meta(), small.data, None, None, "interactive")
            found[key].append(time.monotonic() - began)
        asked = Path(os.environ["TURNS"], f"{turn}.turn")
        asked.touch()
        answer = asked.with_suffix(".seconds")
        while not answer.exists():
            time.sleep(0.01)
        if turn:  # the first warms everything up
            found["layer"].append(layer_seconds)
            found["daemon"].append(daemon_seconds)
            found["command"].append(float(answer.read_text()))
    image.delete()
    return found
