"""The styles that the daemon knows, as thumbnails with a search and favourites."""

from __future__ import annotations

from typing import Any

from . import pictures
from .qt import USER_ROLE, Qt, QtCore, QtWidgets
from .settings import Settings, found
from .texts import _

SIDE = 68
"""Width and height of a thumbnail."""


class Gallery(QtWidgets.QWidget):
    """`chosen` is emitted with the style that was clicked, `favoured` after the favourites changed."""

    chosen = QtCore.pyqtSignal(str)
    favoured = QtCore.pyqtSignal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.styles: list[dict[str, Any]] = []
        self._pictures: dict[str, Any] = {}
        self.search = QtWidgets.QLineEdit()
        self.search.setPlaceholderText(_("Search styles, artists, techniques"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.fill)
        self.only = QtWidgets.QToolButton()
        self.only.setText("★")
        self.only.setCheckable(True)
        self.only.setToolTip(_("Show favorites only; a right click on a style makes it one"))
        self.only.toggled.connect(self.fill)
        self.list = QtWidgets.QListWidget()
        self.list.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.list.setIconSize(QtCore.QSize(SIDE, SIDE))
        self.list.setGridSize(QtCore.QSize(SIDE + 12, SIDE + 26))
        self.list.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.list.setMovement(QtWidgets.QListView.Movement.Static)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setMinimumHeight(SIDE + 34)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.list.itemClicked.connect(lambda item: self.chosen.emit(item.data(USER_ROLE)))
        line = QtWidgets.QHBoxLayout()
        line.addWidget(self.search)
        line.addWidget(self.only)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.list)

    def take(self, styles: list[dict[str, Any]], files: dict[str, bytes]) -> None:
        """Show the daemon's styles; `files` are their pictures."""
        self.styles = styles
        self._pictures = {name: pictures.from_file(data, SIDE) for name, data in files.items() if data}
        self.fill()

    def title(self, name: str) -> str:
        """What a style is called."""
        known = next((style["title"] for style in self.styles if style["name"] == name), None)
        return known or self._settings.names.get(name) or name

    def picture(self, name: str) -> Any:
        """A style's picture, `SIDE` pixels wide and high."""
        if name not in self._pictures:
            image = None
            if name in self._settings.names:
                try:
                    with open(name, "rb") as file:  # noqa: PTH123 - a path as text
                        image = pictures.from_file(file.read(), SIDE)
                except OSError:
                    pass  # painting says so
            self._pictures[name] = image
        return self._pictures[name] or pictures.blank(name, SIDE)

    def fill(self, *_args: Any) -> None:
        """Show what the search finds, favourites first."""
        chosen = self.list.currentItem().data(USER_ROLE) if self.list.currentItem() else None
        favourites = self._settings.favourites
        files = [
            {"name": name, "title": self._settings.names.get(name, name)}
            for name in favourites
            if name in self._settings.names
        ]
        shown = found([*files, *self.styles], self.search.text())
        if self.only.isChecked():
            shown = [style for style in shown if style["name"] in favourites]
        shown.sort(key=lambda style: _place(favourites, style["name"]))
        self.list.clear()
        for style in shown:
            name = style["name"]
            star = f"★{favourites.index(name) + 1} " if name in favourites else ""
            item = QtWidgets.QListWidgetItem(pictures.icon(self.picture(name)), star + style["title"])
            item.setData(USER_ROLE, name)
            facts = [style.get(key, "") for key in ("title", "artist", "year", "technique")]
            item.setToolTip("\n".join(filter(None, facts)))
            self.list.addItem(item)
            if name == chosen:
                self.list.setCurrentItem(item)

    def mark(self, name: str) -> None:
        """Show a style as chosen; nothing is emitted."""
        for index in range(self.list.count()):
            item = self.list.item(index)
            if item.data(USER_ROLE) == name:
                self.list.setCurrentItem(item)
                return
        self.list.setCurrentItem(None)

    def favour(self, name: str) -> None:
        """Make a style a favourite, or none."""
        self._settings.favour(name)
        self.fill()
        self.favoured.emit()

    def _menu(self, place: Any) -> None:
        item = self.list.itemAt(place)
        if item is None:
            return
        name = item.data(USER_ROLE)
        menu = QtWidgets.QMenu(self)
        text = _("No favorite any more") if name in self._settings.favourites else _("Make it a favorite")
        menu.addAction(text).triggered.connect(lambda _checked=False: self.favour(name))
        menu.popup(self.list.viewport().mapToGlobal(place))


def _place(favourites: list[str], name: str) -> int:
    return favourites.index(name) if name in favourites else len(favourites)
