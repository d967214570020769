"""The dialog of Stylize: the gallery with thumbnails and search, beside GIMP's own controls."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import GdkPixbuf, GimpUi, GLib, Gtk  # noqa: E402
from texts import _  # noqa: E402

NAME, SHOWN, SEARCHED, THUMBNAIL = range(4)


def ask(procedure: Any, config: Any, _source: Any) -> bool:
    """Show the dialog; the user's choice is in `config` afterwards. False: they said no."""
    GimpUi.init("impasto")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Stylize with Impasto"))
    sides = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12, border_width=12)
    sides.pack_start(gallery(config), True, True, 0)
    dialog.get_content_area().pack_start(sides, True, True, 0)
    dialog.fill(["style", "style-file", "strength", "scale", "keep-color", "seed"])
    dialog.set_default_size(760, 620)
    sides.show_all()
    agreed = dialog.run()
    dialog.destroy()
    return agreed


def gallery(config: Any) -> Gtk.Widget:
    """Thumbnails of all styles, and an entry that narrows them; a click puts the name in `config`."""
    store = Gtk.ListStore(str, str, str, GdkPixbuf.Pixbuf)
    column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
    try:
        for row in rows():
            store.append(row)
    except Exception as error:  # without a daemon the dialog still serves; the sentence says why
        note = Gtk.Label(label=str(error), wrap=True, xalign=0.0)
        column.pack_start(note, False, False, 0)
    search = Gtk.SearchEntry(placeholder_text=_("Search styles"))
    matching = store.filter_new()
    matching.set_visible_func(lambda model, at, _data: search.get_text().lower() in model[at][SEARCHED])
    search.connect("search-changed", lambda _entry: matching.refilter())
    view = Gtk.IconView(model=matching, text_column=SHOWN, pixbuf_column=THUMBNAIL, item_width=132)

    def chosen(icons: Gtk.IconView) -> None:
        names = [matching[path][NAME] for path in icons.get_selected_items()]
        if names:
            config.set_property("style", names[0])

    view.connect("selection-changed", chosen)
    scroller = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN, min_content_height=300)
    scroller.add(view)
    column.pack_start(search, False, False, 0)
    column.pack_start(scroller, True, True, 0)
    return column


def rows() -> list[list[Any]]:
    """Name, shown text, text to search and thumbnail of each style that the daemon knows."""
    from painter import open_client

    found: list[list[Any]] = []
    with open_client() as client:
        for style in client.catalogue()["styles"]:
            words = " ".join(str(style[key]) for key in ("name", "title", "artist", "year", "technique"))
            picture = pixbuf(client.thumbnail(style["name"]))
            found.append([style["name"], style["title"], words.lower(), picture])
    return found


def pixbuf(jpeg: bytes) -> Any:
    """A decoded picture, or None."""
    loader = GdkPixbuf.PixbufLoader()
    try:
        loader.write(jpeg)
        loader.close()
    except GLib.Error:
        return None
    return loader.get_pixbuf()
