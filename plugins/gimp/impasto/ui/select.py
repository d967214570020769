"""The dialog of Select object."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from client.picks import Picks, parse  # noqa: E402
from gi.repository import GimpUi, Gtk  # noqa: E402
from painter import open_courier  # noqa: E402
from texts import _  # noqa: E402

from ui.finder import Finder  # noqa: E402
from ui.picker import COLOURS, Picker  # noqa: E402
from ui.subjects import CLICKED, SubjectBox  # noqa: E402

SIZE = (680, 500)
"""Most pixels across and down of the picture."""


class SelectDialog:
    """Asks what to select; it is in `config` when `run` returns true."""

    def __init__(self, procedure: Any, config: Any, image: Any, layer: Any) -> None:
        self._config = config
        config.set_property("select", "")
        self._courier = open_courier()
        self._finder = Finder(self._courier, image, layer)
        self.dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Select with Impasto"))
        self.dialog.set_ok_label(_("_Select"))
        self._picker = Picker(self._finder.small, self._finder.size, *SIZE, self._pick)
        self._subject = SubjectBox(image, layer, with_masks=False)
        self._subject.choose("")
        self._subject.connect("changed", self._choose)
        back = Gtk.Button(label=_("_Undo last click"), use_underline=True)
        back.connect("clicked", lambda _button: self._undo())
        line = Gtk.Box(spacing=6)
        label = Gtk.Label(label=_("_What:"), use_underline=True)
        label.set_mnemonic_widget(self._subject)
        line.pack_start(label, False, False, 0)
        line.pack_start(self._subject, True, True, 0)
        line.pack_start(back, False, False, 0)
        content = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, border_width=12)
        content.pack_start(self._picker, True, True, 0)
        content.pack_start(line, False, False, 0)
        self.dialog.get_content_area().pack_start(content, True, True, 0)
        content.show_all()
        self.dialog.fill(["outcome"])
        self._finder.warm()

    def run(self) -> bool:
        """Show it until the user has decided."""
        agreed = self.dialog.run()
        self._courier.close()
        self.dialog.destroy()
        return agreed

    def _pick(self, picks: Picks) -> None:
        self._config.set_property("select", picks.text())
        self._subject.choose("")
        self._show(picks)

    def _undo(self) -> None:
        self._pick((parse(self._config.get_property("select")) or Picks()).undone())

    def _choose(self, box: Any) -> None:
        name = box.get_active_id()
        if name != CLICKED:
            self._config.set_property("select", name)
            self._show(Picks())
        elif parse(self._config.get_property("select")) is None:
            self._config.set_property("select", "")
            self._show(Picks())

    def _show(self, picks: Picks) -> None:
        select = self._config.get_property("select")
        if not select:
            self._picker.show_masks([], picks)
            self._picker.say("")
            return
        self._picker.show_masks([], picks)
        self._picker.wait(_("Looking…"))

        def done(mask: bytes) -> None:
            self._picker.show_masks([(mask, COLOURS[0])], picks)
            self._picker.say("" if any(mask) else _("Nothing was found there; click somewhere else."))

        self._finder.find(select, 0, 0, done, self._picker.say)


def ask(procedure: Any, config: Any, image: Any, layer: Any) -> bool:
    """Show the dialog. False: the user said no."""
    GimpUi.init("impasto")
    return SelectDialog(procedure, config, image, layer).run()
