"""How well to paint, which is how long it takes: the choice of an engine."""

from __future__ import annotations

from typing import Any

from .client.qualities import FAST, choices
from .qt import QtCore, QtWidgets
from .texts import _


class QualityBox(QtWidgets.QWidget):
    """Edits the name of an engine; `changed` is emitted after changes by the user."""

    changed = QtCore.pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._engines: list[dict[str, Any]] = []
        self._chosen = FAST
        self.box = QtWidgets.QComboBox()
        self.box.setToolTip(_("Fine and Master show sketches above while they paint"))
        self.box.activated.connect(self._activated)
        line = QtWidgets.QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(QtWidgets.QLabel(_("Quality")))
        line.addWidget(self.box, 1)
        self._build()

    def take(self, engines: list[dict[str, Any]]) -> None:
        """Offer the engines of a catalogue."""
        self._engines = engines
        self._build()

    def show_engine(self, name: str) -> None:
        """Show an engine that was set elsewhere."""
        self._chosen = name
        self._build()

    def _build(self) -> None:
        self.box.clear()
        for name, text in choices(self._engines, self._chosen, _):
            self.box.addItem(text, name)
        self.box.setCurrentIndex(self.box.findData(self._chosen))

    def _activated(self, index: int) -> None:
        self._chosen = self.box.itemData(index)
        self.changed.emit(self._chosen)
