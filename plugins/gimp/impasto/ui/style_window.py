"""The window in which a region's style is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.looks import LAYER, NO_STYLE, PICTURE
from gi.repository import Gtk
from texts import _

from ui.choosers import choose_picture
from ui.gallery import Shelf
from ui.palette import Palette


class StyleWindow:
    """Offers what Stylize offers, and to leave the region as it is.

    What the user does takes effect at once: `changed(style)` is called for each new style, and
    before that `taken(ref, source)` for a file behind `PICTURE` or a layer behind `LAYER`.
    """

    def __init__(
        self,
        parent: Any,
        shelf: Shelf,
        own: Any,
        changed: Callable[[str], object],
        taken: Callable[[str, Any], object],
    ) -> None:
        """`own`: the layer that is painted."""
        self._changed, self._taken = changed, taken
        self._window = Gtk.Dialog(modal=True, transient_for=parent)
        self._window.add_button(_("Leave as _it is"), Gtk.ResponseType.REJECT)
        self._window.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        self._window.set_default_response(Gtk.ResponseType.CLOSE)
        self._palette = Palette(shelf, changed, self._choose_file, self._choose_layer, own)
        content = self._window.get_content_area()
        content.set_border_width(12)
        content.pack_start(self._palette, True, True, 0)
        content.show_all()

    def refill(self) -> None:
        """The shelf has changed."""
        self._palette.refill()

    def show(self, region: str, style: str, found: dict[str, Any]) -> None:
        """Ask for a style until the window is closed.

        Args:
            region: what it is called.
            style: to begin with.
            found: the file and the layer behind `PICTURE` and `LAYER`.
        """
        self._window.set_title(_("Style of “{name}”").format(name=region))
        self._palette.take(found)
        self._palette.show_style("" if style == NO_STYLE else style)
        # Else it would be the search, which hides what it is for while it has the focus.
        self._window.get_widget_for_response(Gtk.ResponseType.CLOSE).grab_focus()
        if self._window.run() == Gtk.ResponseType.REJECT:
            self._changed(NO_STYLE)
        self._window.hide()

    def destroy(self) -> None:
        self._window.destroy()

    def _choose_file(self) -> bool:
        file = choose_picture(self._window)
        if file is not None:
            self._taken(PICTURE, file)
            self._palette.take({PICTURE: file})
        return file is not None

    def _choose_layer(self, layer: Any) -> bool:
        self._taken(LAYER, layer)
        self._palette.take({LAYER: layer})
        return True
