"""What a region can be: things that are clicked, classes, and GIMP's own masks."""

from __future__ import annotations

from typing import Any

from client.picks import parse
from client.subjects import titles
from gi.repository import Gimp, Gtk
from masks import CHANNEL, LAYER_MASK, SELECTION
from texts import _

CLICKED = "clicked"


def masks(image: Any, layer: Any) -> dict[str, str]:
    """Titles of GIMP's masks on a layer, by their selectors."""
    found: dict[str, str] = {}
    if not Gimp.Selection.is_empty(image):
        found[SELECTION] = _("Selection")
    if layer.get_mask():
        found[LAYER_MASK] = _("Layer mask")
    for channel in image.get_channels():
        name = channel.get_name()
        found[CHANNEL + name] = _("Channel “{name}”").format(name=name)
    return found


def title(select: str, image: Any, layer: Any) -> str:
    """What a selector is called."""
    if not select or parse(select) is not None:
        return _("Clicked thing")
    return (titles(_) | masks(image, layer)).get(select, select)


class SubjectBox(Gtk.ComboBoxText):
    """Offers `CLICKED`, classes and, if told, GIMP's masks."""

    def __init__(self, image: Any, layer: Any, with_masks: bool = True) -> None:
        super().__init__()
        self._known = {CLICKED: _("What I click on"), **titles(_)}
        if with_masks:
            self._known |= masks(image, layer)
        for name, text in self._known.items():
            self.append(name, text)

    def choose(self, select: str) -> None:
        """Show a selector; one that is unknown is added."""
        name = CLICKED if not select or parse(select) is not None else select
        if name not in self._known:
            self._known[name] = name
            self.append(name, name)
        self.set_active_id(name)
