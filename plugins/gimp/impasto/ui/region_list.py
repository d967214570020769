"""The list of regions: their order, and what each one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gi.repository import GdkPixbuf, Gtk, Pango
from texts import _

SWATCH = 14


class RegionList(Gtk.Box):
    """Shows regions, the uppermost first, and the rest of the layer below them.

    It keeps nothing but which one is chosen: `describe(index)` gives a region's colour, picture and
    text (index -1 for the rest), and `chosen(index)`, `moved(index, by)`, `removed(index)` and
    `added()` say what the user wants.
    """

    def __init__(
        self,
        describe: Callable[[int], tuple[tuple[int, int, int] | None, Any, str]],
        chosen: Callable[[int], object],
        added: Callable[[], object],
        moved: Callable[[int, int], object],
        removed: Callable[[int], object],
    ) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._describe, self._chosen = describe, chosen
        self._count = 0
        self._quiet = False
        self._list = Gtk.ListBox(selection_mode=Gtk.SelectionMode.BROWSE)
        self._list.connect("row-selected", self._selected)
        scroller = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        scroller.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
        scroller.set_size_request(330, 150)
        scroller.add(self._list)
        buttons = Gtk.Box(spacing=6)
        self._buttons: list[Any] = []
        add = Gtk.Button(label=_("_Add region"), use_underline=True)
        add.connect("clicked", lambda _button: added())
        buttons.pack_start(add, True, True, 0)
        for icon, hint, act in (
            ("go-up-symbolic", _("Lay it over the one above"), lambda: moved(self.index, 1)),
            ("go-down-symbolic", _("Lay it under the one below"), lambda: moved(self.index, -1)),
            ("list-remove-symbolic", _("Remove this region"), lambda: removed(self.index)),
        ):
            button = Gtk.Button.new_from_icon_name(icon, Gtk.IconSize.BUTTON)
            button.set_tooltip_text(hint)
            button.connect("clicked", lambda _button, act=act: act())
            buttons.pack_start(button, False, False, 0)
            self._buttons.append(button)
        self.pack_start(scroller, True, True, 0)
        self.pack_start(buttons, False, False, 0)

    @property
    def index(self) -> int:
        """The chosen region, -1 for the rest of the layer."""
        row = self._list.get_selected_row()
        return self._count - 1 - row.get_index() if row else -1

    def build(self, count: int, chosen: int) -> None:
        """Show so many regions anew; `chosen` is not called."""
        self._quiet = True
        for row in self._list.get_children():
            self._list.remove(row)
        self._count = count
        for index in range(count - 1, -2, -1):
            self._list.add(self._row(index))
        self._list.show_all()
        self._list.select_row(self._list.get_row_at_index(count - 1 - chosen))
        self._enable()
        self._quiet = False

    def _enable(self) -> None:
        up, down, remove = self._buttons
        up.set_sensitive(0 <= self.index < self._count - 1)
        down.set_sensitive(self.index > 0)
        remove.set_sensitive(self.index >= 0)

    def _selected(self, _list: Any, _row: Any) -> None:
        if not self._quiet:
            self._enable()
            self._chosen(self.index)

    def _row(self, index: int) -> Any:
        colour, thumbnail, text = self._describe(index)
        line = Gtk.Box(spacing=8, margin=4)
        swatch = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, SWATCH, SWATCH)
        swatch.fill(0 if colour is None else colour[0] << 24 | colour[1] << 16 | colour[2] << 8 | 0xFF)
        line.pack_start(Gtk.Image.new_from_pixbuf(swatch), False, False, 0)
        if thumbnail is not None:
            line.pack_start(Gtk.Image.new_from_pixbuf(thumbnail), False, False, 0)
        label = Gtk.Label(label=text, xalign=0, max_width_chars=1)
        label.set_ellipsize(Pango.EllipsizeMode.END)
        line.pack_start(label, True, True, 0)
        return line
