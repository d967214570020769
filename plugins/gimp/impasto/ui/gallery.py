"""The styles that the daemon knows, to choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.courier import Courier, Stale
from gi.repository import GdkPixbuf, GLib, Gtk, Pango
from texts import _

from ui import picture

SIDE = 88
"""Width and height of a thumbnail in the gallery."""

PICTURE, TITLE, NAME, WORDS = range(4)


class Shelf:
    """What the daemon offers: styles with their pictures, engines, classes."""

    def __init__(self) -> None:
        self.catalogue: dict[str, Any] = {}
        self.pictures: dict[str, Any] = {}

    @property
    def styles(self) -> list[dict[str, Any]]:
        return self.catalogue.get("styles", [])

    def load(self, courier: Courier, ready: Callable[[], object], failed: Callable[[str], object]) -> None:
        """Ask the daemon for all of it."""

        def fetch(client: Any, _stale: Stale) -> tuple[dict[str, Any], dict[str, bytes]]:
            catalogue = client.catalogue()
            return catalogue, {
                style["name"]: client.thumbnail(style["name"]) for style in catalogue["styles"]
            }

        def take(answer: tuple[dict[str, Any], dict[str, bytes]]) -> None:
            self.catalogue, files = answer
            for name, data in files.items():
                self.pictures[name] = picture.from_file(data, SIDE) if data else None
            ready()

        courier.send("", fetch, take, failed)

    def picture(self, name: str, side: int = SIDE) -> Any:
        """A style's picture as a square of `side`."""
        own = self.pictures.get(name) or picture.blank(name, SIDE)
        return own if side == SIDE else own.scale_simple(side, side, GdkPixbuf.InterpType.BILINEAR)

    def title(self, name: str) -> str:
        """A style's title, or its name where it has none."""
        return next((style["title"] for style in self.styles if style["name"] == name), name)


class Gallery(Gtk.Box):
    """Thumbnails with a search; `chosen(name)` is called when one is clicked."""

    def __init__(self, shelf: Shelf, chosen: Callable[[str], object], columns: int = -1) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._shelf = shelf
        self._chosen = chosen
        self._quiet = False
        self._search = Gtk.SearchEntry(placeholder_text=_("Search styles, artists, techniques"))
        self._search.connect("search-changed", lambda _entry: self._filter.refilter())
        self._store = Gtk.ListStore(GdkPixbuf.Pixbuf, str, str, str)
        self._filter = self._store.filter_new()
        self._filter.set_visible_func(self._matches)
        self._view = Gtk.IconView(
            model=self._filter,
            pixbuf_column=PICTURE,
            tooltip_column=WORDS,
            item_width=SIDE + 8,
            item_padding=3,
            column_spacing=2,
            row_spacing=2,
            margin=2,
            columns=columns,
        )
        # A text column would make the cells as wide as the longest title.
        title = Gtk.CellRendererText(
            ellipsize=Pango.EllipsizeMode.END, width=SIDE + 4, xalign=0.5, scale=0.85, yalign=0
        )
        self._view.pack_start(title, False)
        self._view.add_attribute(title, "text", TITLE)
        self._view.connect("selection-changed", self._selected)
        scroller = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        scroller.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
        scroller.set_size_request(4 * (SIDE + 16) + 24, 250)
        scroller.add(self._view)
        self.pack_start(self._search, False, False, 0)
        self.pack_start(scroller, True, True, 0)
        self.fill()

    def fill(self) -> None:
        """Show what is on the shelf."""
        self._quiet = True
        self._store.clear()
        for style in self._shelf.styles:
            name = style["name"]
            facts = [style.get(key, "") for key in ("title", "artist", "year", "technique")]
            words = GLib.markup_escape_text("\n".join(filter(None, facts)))
            self._store.append([self._shelf.picture(name), style["title"], name, words])
        self._quiet = False

    def mark(self, name: str) -> None:
        """Show a style as chosen, or none for an unknown name."""
        self._quiet = True
        self._view.unselect_all()
        for row in self._filter:
            if row[NAME] == name:
                self._view.select_path(row.path)
                self._view.scroll_to_path(row.path, False, 0, 0)
        self._quiet = False

    def _matches(self, model: Any, at: Any, _data: Any) -> bool:
        wanted = self._search.get_text().casefold().split()
        text = f"{model[at][NAME]} {model[at][WORDS]}".casefold()
        return all(word in text for word in wanted)

    def _selected(self, view: Any) -> None:
        if not self._quiet and (paths := view.get_selected_items()):
            self._chosen(self._filter[paths[0]][NAME])
