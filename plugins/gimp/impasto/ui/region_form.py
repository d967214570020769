"""What one region is, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gi.repository import Gtk, Pango
from texts import _

from ui import subjects


class RegionForm(Gtk.Grid):
    """Edits a region. What it is told to show calls nobody."""

    def __init__(
        self,
        image: Any,
        layer: Any,
        chosen: Callable[[str], object],
        styled: Callable[[], object],
        numbered: Callable[[dict[str, float]], object],
    ) -> None:
        """
        Args:
            chosen: called with the selector that was chosen, or "" for what is clicked.
            styled: called when the user asks for another style.
            numbered: called with `strength`, `feather` and `grow` when one of them was changed.
        """
        super().__init__(row_spacing=6, column_spacing=8)
        self._chosen, self._numbered = chosen, numbered
        self._filling = False
        self._subject = subjects.SubjectBox(image, layer)
        self._style = Gtk.Button()
        self._strength = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0.0, 1.0, 0.01)
        self._feather = Gtk.SpinButton.new_with_range(0, 500, 1)
        self._grow = Gtk.SpinButton.new_with_range(-500, 500, 1)
        self._strength.set_value_pos(Gtk.PositionType.RIGHT)
        # The width that a style's name would like to have must not move the picture.
        self._style.add(Gtk.Label(ellipsize=Pango.EllipsizeMode.END, max_width_chars=1))
        self._style.connect("clicked", lambda _button: styled())
        for row, (text, widget, hint) in enumerate(
            (
                (_("_What:"), self._subject, ""),
                (_("_Style:"), self._style, ""),
                (_("S_trength:"), self._strength, _("How much is painted")),
                (_("_Feather:"), self._feather, _("Pixels over which the edge fades")),
                (_("_Grow:"), self._grow, _("Pixels that the region becomes larger; below 0 smaller")),
            )
        ):
            label = Gtk.Label(label=text, use_underline=True, xalign=0)
            label.set_mnemonic_widget(widget)
            widget.set_hexpand(True)
            widget.set_tooltip_text(hint or None)
            self.attach(label, 0, row, 1, 1)
            self.attach(widget, 1, row, 1, 1)
        self._subject.connect("changed", lambda _box: self._choose())
        for widget in (self._strength, self._feather, self._grow):
            widget.connect("value-changed", lambda _widget: self._number())

    def fill(self, region: dict[str, Any], strength: float, style: str, is_rest: bool) -> None:
        """Show a region's values; what is in no region (`is_rest`) has but a style and a strength."""
        self._filling = True
        for widget in (self._subject, self._feather, self._grow):
            widget.set_sensitive(not is_rest)
        self._subject.choose(region.get("select", ""))
        self._strength.set_value(strength)
        self._feather.set_value(region.get("feather", 0))
        self._grow.set_value(region.get("grow", 0))
        label = self._style.get_child()
        if label:
            label.set_text(style)
        self._filling = False

    def _choose(self) -> None:
        if not self._filling:
            name = self._subject.get_active_id()
            self._chosen("" if name == subjects.CLICKED else name)

    def _number(self) -> None:
        if not self._filling:
            strength = round(self._strength.get_value(), 3)
            self._numbered(
                {"strength": strength, "feather": self._feather.get_value(), "grow": self._grow.get_value()}
            )
