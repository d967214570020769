"""Dialogs in which files are chosen."""

from __future__ import annotations

from typing import Any

from gi.repository import Gio, Gtk
from texts import _

ENDINGS = ("jpg", "jpeg", "png", "tif", "tiff", "webp", "avif", "style")


def choose_picture(parent: Any) -> Any | None:
    """Ask for a picture to take a style from: a file, or None."""
    chooser = Gtk.FileChooserNative.new(
        _("A picture as the style"), parent, Gtk.FileChooserAction.OPEN, None, None
    )
    only = Gtk.FileFilter()
    only.set_name(_("Pictures and saved styles"))
    for ending in ENDINGS:
        only.add_pattern(f"*.{ending}")
        only.add_pattern(f"*.{ending.upper()}")
    chooser.add_filter(only)
    if chooser.run() != Gtk.ResponseType.ACCEPT:
        return None
    return Gio.File.new_for_path(chooser.get_filename())
