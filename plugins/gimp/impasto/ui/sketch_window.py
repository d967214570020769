"""The window that shows a painting while it comes about."""

from __future__ import annotations

from collections.abc import Callable

import gi

gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from client.planes import Small  # noqa: E402
from gi.repository import GimpUi, Gtk  # noqa: E402
from texts import _  # noqa: E402

from ui import picture  # noqa: E402


def has_screen() -> bool:
    """Whether a window can be shown at all."""
    return bool(Gtk.init_check(None)[0])


class SketchWindow(Gtk.Dialog):
    """Shows sketches over a small copy of the layer; `cancel()` is called by its button, or when it is
    closed."""

    def __init__(self, small: Small, cancel: Callable[[], object]) -> None:
        GimpUi.init("impasto")
        super().__init__(title=_("Impasto is painting"), resizable=False)
        self._small, self._before = small, picture.shown(small)
        self._image = Gtk.Image.new_from_pixbuf(self._before)
        self._bar = Gtk.ProgressBar(show_text=True)
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(self._image)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=8, border_width=12)
        column.pack_start(frame, True, True, 0)
        column.pack_start(self._bar, False, False, 0)
        self.get_content_area().pack_start(column, True, True, 0)
        self._button = self.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        self.connect("response", lambda *_: self._cancel(cancel))
        self.connect("delete-event", lambda *_: True)  # it goes when the painting has ended
        self.set_focus_on_map(False)  # it comes unasked: a key that is meant for the image must not cancel
        GimpUi.window_set_transient(self)
        self.show_all()

    def show_sketch(self, jpeg: bytes) -> None:
        """Show a sketch."""
        found = picture.sketched(self._before, self._small, jpeg)
        if found is not None:
            self._image.set_from_pixbuf(found)

    def show_progress(self, fraction: float, text: str) -> None:
        """Show how far it is, and what is happening."""
        self._bar.set_fraction(min(max(fraction, 0.0), 1.0))
        self._bar.set_text(_(text) if text else "")

    def _cancel(self, cancel: Callable[[], object]) -> None:
        self._button.set_sensitive(False)
        cancel()
