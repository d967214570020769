"""A style or a blend of up to three: from the gallery, a file, or another open layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import extras
from client.looks import LAYER, MOST_STYLES, PICTURE, Part, parse, phrase
from gi.repository import Gtk, Pango
from texts import _

from ui import picture
from ui.gallery import Gallery, Shelf

SMALL = 36
"""Width and height of a thumbnail in the list."""


class Palette(Gtk.Box):
    """Edits a style's text. `changed(text)` is called after each change by the user.

    Pictures behind the names `picture` and `layer` are the business of whoever made it:
    `choose_file()` and `choose_layer(layer)` are called when the user picks one.
    """

    def __init__(
        self,
        shelf: Shelf,
        changed: Callable[[str], object],
        choose_file: Callable[[], bool],
        choose_layer: Callable[[Any], bool],
        own: Any,
    ) -> None:
        """`own`: the layer that is painted, not to be offered as its own style."""
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._shelf = shelf
        self._changed = changed
        self._choose_file, self._choose_layer, self._own = choose_file, choose_layer, own
        self._parts: list[Part] = []
        self._active = 0
        self._names: dict[str, str] = {}
        self._pictures: dict[str, Any] = {}
        self.gallery = Gallery(shelf, self._pick)
        self._list = Gtk.ListBox(selection_mode=Gtk.SelectionMode.BROWSE)
        self._list.connect("row-activated", lambda _list, row: self._activate(row.get_index()))
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(self._list)
        buttons = Gtk.Box(spacing=6, homogeneous=True)
        self._more = Gtk.Button(label=_("_Blend in another"), use_underline=True)
        self._more.connect("clicked", lambda _button: self._add())
        file = Gtk.Button(label=_("_File…"), use_underline=True)
        file.set_tooltip_text(_("Take the style from a picture on disk"))
        file.connect("clicked", lambda _button: self._choose_file() and self._pick(PICTURE))
        layer = Gtk.MenuButton(label=_("_Layer"), use_underline=True)
        layer.set_tooltip_text(_("Take the style from an open image or layer"))
        self._menu = Gtk.Menu()
        layer.set_popup(self._menu)
        layer.connect("toggled", lambda button: button.get_active() and self._offer_layers())
        self._offer_layers()
        for button in (self._more, file, layer):
            buttons.pack_start(button, True, True, 0)
        self._build()
        self.pack_start(self.gallery, True, True, 0)
        self.pack_start(frame, False, False, 0)
        self.pack_start(buttons, False, False, 0)

    def show_style(self, text: str) -> None:
        """Show a style that was set elsewhere."""
        if phrase(self._parts) == text:  # a slider that is being moved must not be made anew
            return
        self._parts = parse(text)
        self._active = min(self._active, max(len(self._parts) - 1, 0))
        self._build()

    def take(self, found: dict[str, Any]) -> None:
        """Show a file behind `PICTURE` and a layer behind `LAYER` by their titles and pictures."""
        self._names |= extras.names(found)
        self._pictures |= {ref: picture.of_extra(ref, source, SMALL) for ref, source in found.items()}
        self._build()

    def refill(self) -> None:
        """The shelf has changed."""
        self.gallery.fill()
        self._build()

    def _pick(self, ref: str) -> None:
        if self._parts:
            self._parts[self._active] = Part(ref, self._parts[self._active].weight)
        else:
            self._parts = [Part(ref)]
        self._edited()

    def _add(self) -> None:
        used = {part.ref for part in self._parts}
        free = [style["name"] for style in self._shelf.styles if style["name"] not in used]
        if free and len(self._parts) < MOST_STYLES:
            self._parts = [Part(part.ref, min(part.weight, 1.0)) for part in self._parts]
            self._parts.append(Part(free[0], 0.5))
            self._active = len(self._parts) - 1
            self._edited()

    def _remove(self, index: int) -> None:
        del self._parts[index]
        self._active = 0
        self._edited()

    def _activate(self, index: int) -> None:
        self._active = index
        self.gallery.mark(self._parts[index].ref)

    def _weigh(self, index: int, weight: float) -> None:
        self._parts[index] = Part(self._parts[index].ref, round(weight, 2))
        self._changed(phrase(self._parts))

    def _edited(self) -> None:
        self._build()
        self._changed(phrase(self._parts))

    def _build(self) -> None:
        for row in self._list.get_children():
            self._list.remove(row)
        for index in range(len(self._parts)):
            self._list.add(self._row(index))
        if not self._parts:
            hint = Gtk.Label(label=_("Choose a style above"), margin=8)
            hint.get_style_context().add_class("dim-label")
            self._list.add(hint)
        self._list.show_all()
        if self._parts:
            self._list.select_row(self._list.get_row_at_index(self._active))
            self.gallery.mark(self._parts[self._active].ref)
        self._more.set_sensitive(0 < len(self._parts) < MOST_STYLES)

    def _row(self, index: int) -> Any:
        ref, weight = self._parts[index]
        line = Gtk.Box(spacing=8, margin=4)
        thumbnail = self._pictures.get(ref) or self._shelf.picture(ref, SMALL)
        line.pack_start(Gtk.Image.new_from_pixbuf(thumbnail), False, False, 0)
        label = Gtk.Label(label=self._names.get(ref) or self._shelf.title(ref), xalign=0)
        label.set_ellipsize(Pango.EllipsizeMode.END)
        line.pack_start(label, True, True, 0)
        if len(self._parts) > 1:
            scale = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0.05, 1.0, 0.05)
            scale.set_value(min(weight, 1.0))
            scale.set_draw_value(False)
            scale.set_size_request(110, -1)
            scale.set_tooltip_text(_("Share of this style in the blend"))
            scale.connect("value-changed", lambda own: self._weigh(index, own.get_value()))
            remove = Gtk.Button.new_from_icon_name("list-remove-symbolic", Gtk.IconSize.BUTTON)
            remove.set_relief(Gtk.ReliefStyle.NONE)
            remove.set_tooltip_text(_("Take this style out of the blend"))
            remove.connect("clicked", lambda _button: self._remove(index))
            line.pack_start(scale, False, False, 0)
            line.pack_start(remove, False, False, 0)
        return line

    def _offer_layers(self) -> None:
        for item in self._menu.get_children():
            self._menu.remove(item)
        for layer in extras.open_layers():
            if layer == self._own:
                continue
            item, line = Gtk.MenuItem(), Gtk.Box(spacing=8)
            line.pack_start(Gtk.Image.new_from_pixbuf(picture.of_extra(LAYER, layer, SMALL)), False, False, 0)
            line.pack_start(Gtk.Label(label=extras.layer_title(layer), xalign=0), True, True, 0)
            item.add(line)
            item.connect("activate", self._take_layer, layer)
            self._menu.append(item)
        if not self._menu.get_children():
            self._menu.append(Gtk.MenuItem(label=_("No other layer is open"), sensitive=False))
        self._menu.show_all()

    def _take_layer(self, _item: Any, layer: Any) -> None:
        if self._choose_layer(layer):
            self._pick(LAYER)
