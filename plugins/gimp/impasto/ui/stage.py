"""The preview: the layer before and after, divided by a line that the mouse moves."""

from __future__ import annotations

from typing import Any

from client.planes import Small
from gi.repository import Gdk, Gtk
from texts import _

from ui import picture


class Stage(Gtk.Box):
    """Shows a small copy of a layer and its painting, and what is happening below."""

    def __init__(self, small: Small) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._small = small
        self._before = picture.shown(small)
        self._after: Any = None
        self._line = 0
        self._image = Gtk.Image.new_from_pixbuf(self._before)
        events = Gtk.EventBox(halign=Gtk.Align.CENTER, valign=Gtk.Align.CENTER)
        events.add(self._image)
        events.add_events(Gdk.EventMask.BUTTON_PRESS_MASK | Gdk.EventMask.BUTTON1_MOTION_MASK)
        events.connect("button-press-event", self._moved)
        events.connect("motion-notify-event", self._moved)
        events.set_tooltip_text(_("Drag to compare before and after"))
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(events)
        frame.set_size_request(small.width + 4, small.height + 4)
        self._original = Gtk.CheckButton(label=_("Show the _original"), use_underline=True)
        self._original.connect("toggled", lambda _button: self._draw())
        self._spinner = Gtk.Spinner(no_show_all=True)
        self._status = Gtk.Label(xalign=0, wrap=True, max_width_chars=52, lines=3, selectable=True)
        self._status.set_can_focus(False)
        line = Gtk.Box(spacing=6)
        line.pack_start(self._spinner, False, False, 0)
        line.pack_start(self._status, True, True, 0)
        self.pack_start(frame, True, True, 0)
        self.pack_start(self._original, False, False, 0)
        self.pack_start(line, False, False, 0)

    def wait(self, text: str) -> None:
        """Say what is waited for."""
        self._spinner.show()
        self._spinner.start()
        self._status.set_text(text)

    def say(self, text: str) -> None:
        """Say what went wrong, or nothing."""
        self._spinner.stop()
        self._spinner.hide()
        self._status.set_text(text)

    def show_painting(self, data: bytes) -> None:
        """Show painted pixels of the small copy."""
        self._after = picture.on_checks(picture.painted(self._before, self._small, data))
        self._draw()

    def show_sketch(self, jpeg: bytes) -> None:
        """Show a sketch of the painting that comes about."""
        found = picture.sketched(self._before, self._small, jpeg)
        if found is not None:
            self._after = found
            self._draw()

    def _moved(self, _widget: Any, event: Any) -> bool:
        self._line = min(max(int(event.x), 0), self._small.width)
        if self._line < 6:  # the edge is hard to hit
            self._line = 0
        self._draw()
        return True

    def _draw(self) -> None:
        if self._after is None or self._original.get_active():
            self._image.set_from_pixbuf(self._before)
        else:
            self._image.set_from_pixbuf(picture.split(self._before, self._after, self._line))
