"""What was painted before, with thumbnails, to be painted again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from .qt import USER_ROLE, QtCore, QtGui, QtWidgets
from .recipes import MASK, Recipe
from .settings import checked_look, read_json, write_json
from .texts import _

MOST = 60
SIDE = 72


class History:
    """Recipes in a folder: `history.json`, and a thumbnail for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "history.json"
        entries = read_json(self._file)
        self.entries: list[dict[str, Any]] = [
            entry
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict)
            and isinstance(entry.get("id"), str)
            and isinstance(entry.get("title"), str)
        ]

    def add(self, title: str, recipe: Recipe, thumbnail: Any) -> None:
        """Keep a recipe; the oldest of too many goes. Regions that were Krita's masks are not kept.

        Raises:
            OSError: the folder cannot be written.
        """
        regions = [region for region in recipe.regions if not region["select"].startswith(MASK)]
        entry = {"id": uuid4().hex, "title": title, "time": time.time()}
        entry |= {"look": recipe.look, "regions": regions}
        self._folder.mkdir(parents=True, exist_ok=True)
        thumbnail.save(str(self.thumbnail(entry)), "PNG")
        self.entries.insert(0, entry)
        for old in self.entries[MOST:]:
            self.thumbnail(old).unlink(missing_ok=True)
        del self.entries[MOST:]
        write_json(self._file, self.entries)

    def recipe(self, entry: dict[str, Any]) -> Recipe:
        """What was painted."""
        regions = entry.get("regions")
        kept = [
            region
            for region in (regions if isinstance(regions, list) else [])
            if isinstance(region, dict) and isinstance(region.get("select"), str)
        ]
        return Recipe(
            checked_look(entry.get("look")), [{"name": region["select"], **region} for region in kept]
        ).copied()

    def thumbnail(self, entry: dict[str, Any]) -> Path:
        return self._folder / f"{entry['id']}.png"


class HistoryPanel(QtWidgets.QWidget):
    """Shows a history. `taken` is emitted with a recipe to set, `again` with one to paint."""

    taken = QtCore.pyqtSignal(object)
    again = QtCore.pyqtSignal(object)

    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history
        self.list = QtWidgets.QListWidget()
        self.list.setIconSize(QtCore.QSize(SIDE, SIDE))
        self.list.setMinimumHeight(SIDE + 10)
        self.list.itemClicked.connect(lambda item: self.taken.emit(self._recipe(item)))
        self.list.itemDoubleClicked.connect(lambda item: self.again.emit(self._recipe(item)))
        hint = QtWidgets.QLabel(
            _("A click takes its settings, a double click paints the active layer with them.")
        )
        hint.setWordWrap(True)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list, 1)
        column.addWidget(hint)
        self.fill()

    def _recipe(self, item: Any) -> Recipe:
        return self.history.recipe(self.history.entries[item.data(USER_ROLE)])

    def fill(self) -> None:
        """Show what the history holds."""
        self.list.clear()
        for index, entry in enumerate(self.history.entries):
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.get("time", 0)))
            icon = QtGui.QIcon(str(self.history.thumbnail(entry)))
            item = QtWidgets.QListWidgetItem(icon, f"{entry['title']}\n{when}")
            item.setData(USER_ROLE, index)
            self.list.addItem(item)
