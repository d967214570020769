"""A picture of the layer to click on: left adds, right takes away, dragging draws a box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from client.picks import Picks
from client.planes import Small, fitted, rgba, stain
from gi.repository import Gdk, GdkPixbuf, Gtk
from texts import _

from ui import picture

COLOURS = ((255, 64, 160), (64, 160, 255), (255, 196, 0), (64, 216, 96), (176, 96, 255), (255, 128, 48))
GREEN, RED = 0x30E060FF, 0xFF4040FF
NEAR = 4
"""Pixels that the mouse may move in a click."""

Stain = tuple[bytes, tuple[int, int, int]]
"""A mask, a byte a pixel of the small copy, and the colour it is shown in."""


class Picker(Gtk.Box):
    """Shows a small copy with masks over it. `picked(picks)` is called after each click and box."""

    def __init__(
        self, small: Small, size: tuple[int, int], across: int, down: int, picked: Callable[[Picks], object]
    ) -> None:
        """`size`: of the layer, whose pixels picks are counted in."""
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._small, self._size, self._picked = small, size, picked
        self._width, self._height, _scale = fitted(small.width, small.height, across, down)
        self._before = picture.shown(small)
        self._picture = self._fit(self._before)
        self._stained = self._picture
        self._picks = Picks()
        self._pressed: tuple[int, int] | None = None
        self._image = Gtk.Image.new_from_pixbuf(self._picture)
        self._events = Gtk.EventBox(halign=Gtk.Align.CENTER, valign=Gtk.Align.CENTER)
        self._events.add(self._image)
        mask = Gdk.EventMask
        self._events.add_events(mask.BUTTON_PRESS_MASK | mask.BUTTON_RELEASE_MASK | mask.BUTTON1_MOTION_MASK)
        self._events.connect("button-press-event", self._press)
        self._events.connect("motion-notify-event", self._move)
        self._events.connect("button-release-event", self._release)
        self._events.connect("realize", self._show_cross)
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(self._events)
        frame.set_size_request(self._width + 4, self._height + 4)
        self._hint = Gtk.Label(
            label=_("Click on a thing; right click takes away; drag draws a box around it."),
            xalign=0,
            wrap=True,
        )
        self._status = Gtk.Label(xalign=0, wrap=True, max_width_chars=60)
        self._spinner = Gtk.Spinner(no_show_all=True)
        line = Gtk.Box(spacing=6)
        line.pack_start(self._spinner, False, False, 0)
        line.pack_start(self._status, True, True, 0)
        self.pack_start(frame, True, True, 0)
        self.pack_start(self._hint, False, False, 0)
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

    def show_masks(self, stains: Sequence[Stain], picks: Picks | None = None) -> None:
        """Show the layer with masks, and the marks of picks."""
        small = self._small
        self._stained = self._picture
        for mask, colour in stains:
            layer = picture.pixbuf(stain(mask, colour, 0.6), small.width, small.height)
            self._stained = picture.over(self._stained, self._fit(layer))
        self._picks = picks or Picks()
        self._draw()

    def show_painting(self, data: bytes) -> None:
        """Show painted pixels of the small copy."""
        small = self._small
        painted = picture.pixbuf(rgba(data, small.channels), small.width, small.height)
        self._stained = self._fit(picture.on_checks(painted))
        self._picks = Picks()
        self._draw()

    def show_sketch(self, jpeg: bytes) -> None:
        """Show a sketch of the painting that comes about."""
        found = picture.sketched(self._before, self._small, jpeg)
        if found is not None:
            self._stained = self._fit(found)
            self._picks = Picks()
            self._draw()

    def _fit(self, pixbuf: Any) -> Any:
        return pixbuf.scale_simple(self._width, self._height, GdkPixbuf.InterpType.BILINEAR)

    def _show_cross(self, widget: Any) -> None:
        widget.get_window().set_cursor(Gdk.Cursor.new_from_name(widget.get_display(), "crosshair"))

    def _draw(self, box: tuple[int, int, int, int] | None = None) -> None:
        shown = self._stained.copy()
        picks = self._picks.scaled(self._width / self._size[0], self._height / self._size[1])
        for x, y, adds in picks.points:
            picture.dot(shown, x, y, GREEN if adds else RED)
        if box or picks.box:
            picture.frame(shown, *(box or picks.box))
        self._image.set_from_pixbuf(shown)

    def _press(self, _widget: Any, event: Any) -> bool:
        self._pressed = (int(event.x), int(event.y))
        return True

    def _move(self, _widget: Any, event: Any) -> bool:
        if self._pressed and self._is_drag(event):
            self._draw((*self._pressed, *self._inside(event)))
        return True

    def _release(self, _widget: Any, event: Any) -> bool:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return True
        if event.button == 1 and max(abs(event.x - pressed[0]), abs(event.y - pressed[1])) > NEAR:
            corners = *self._layer_pixel(*pressed), *self._layer_pixel(*self._inside(event))
            self._picked(self._picks.dragged(*corners))
        elif event.button in (1, 3):
            self._picked(self._picks.clicked(*self._layer_pixel(*pressed), event.button == 1))
        return True

    def _is_drag(self, event: Any) -> bool:
        assert self._pressed
        return max(abs(event.x - self._pressed[0]), abs(event.y - self._pressed[1])) > NEAR

    def _inside(self, event: Any) -> tuple[int, int]:
        return min(max(int(event.x), 0), self._width - 1), min(max(int(event.y), 0), self._height - 1)

    def _layer_pixel(self, x: int, y: int) -> tuple[int, int]:
        shown = Small(self._width, self._height, 1, b"", 1.0)
        return shown.to_layer(x + 0.5, y + 0.5, *self._size)
