"""How well to paint, which is how long it takes: the choice of an engine."""

from __future__ import annotations

from typing import Any

from client.qualities import FAST, choices
from gi.repository import Gtk
from texts import _

from ui.gallery import Shelf


class QualityBox(Gtk.Box):
    """Shows and sets the argument “engine” of a procedure."""

    def __init__(self, config: Any, shelf: Shelf) -> None:
        super().__init__(spacing=6)
        self._config, self._shelf = config, shelf
        self._choice = Gtk.ComboBoxText()
        label = Gtk.Label(label=_("_Quality:"), use_underline=True, xalign=0)
        label.set_mnemonic_widget(self._choice)
        self.pack_start(label, False, False, 0)
        self.pack_start(self._choice, True, True, 0)
        self._choice.connect("changed", lambda _choice: self._set())
        config.connect("notify::engine", lambda *_: self.fill())
        self.fill()

    def fill(self) -> None:
        """Offer what is on the shelf, and show what is set."""
        chosen = self._config.get_property("engine") or FAST
        self._choice.remove_all()
        for name, text in choices(self._shelf.catalogue.get("engines", []), chosen, _):
            self._choice.append(name, text)
        self._choice.set_active_id(chosen)

    def _set(self) -> None:
        name = self._choice.get_active_id()
        if name and name != self._config.get_property("engine"):
            self._config.set_property("engine", name)
