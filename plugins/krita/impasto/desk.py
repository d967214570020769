"""What is painted and what waits, and the buttons that begin and end it."""

from __future__ import annotations

from typing import Any

from .jobs import Task
from .qt import QtCore, QtWidgets
from .texts import _


class Desk(QtWidgets.QWidget):
    """The lower end of the docker. Whoever made it connects the buttons.

    Attributes:
        bar: how far the first task is.
        queue: the tasks, where there are several.
        paint, frames, cancel: buttons.
        message: a label for what the user is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 1000)
        self.queue = QtWidgets.QListWidget()
        self.queue.setMaximumHeight(64)
        self.paint = QtWidgets.QPushButton(_("Paint"))
        self.paint.setToolTip(
            _(
                "Paints 8- and 16-bit sRGB as it is. Other color models, profiles and floats go through\n"
                "sRGB and back: colors outside sRGB and values above white are lost in the new layer."
            )
        )
        self.frames = QtWidgets.QPushButton(_("Paint frames"))
        self.frames.setToolTip(_("Paint each frame of the animated layer onto a new animated layer"))
        self.cancel = QtWidgets.QPushButton(_("Cancel"))
        row = QtWidgets.QHBoxLayout()
        for button in (self.paint, self.frames, self.cancel):
            row.addWidget(button)
        self.message = wrapped()
        self.message.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        column.addWidget(self.queue)
        column.addLayout(row)
        column.addWidget(self.message)
        self.show_tasks([])

    def show_tasks(self, tasks: list[Task]) -> None:
        """Show what is painted, the first, and what waits."""
        self.bar.setVisible(bool(tasks))
        self.queue.setVisible(len(tasks) > 1)
        self.cancel.setEnabled(bool(tasks))
        if tasks:
            first = tasks[0]
            self.bar.setValue(round(1000 * first.fraction))
            self.bar.setFormat(f"{first.title}: {_(first.text) if first.text else '…'} %p%")
        waiting = _("{style}: waiting")
        titles = [waiting.format(style=task.title) if row else task.title for row, task in enumerate(tasks)]
        if titles != [self.queue.item(row).text() for row in range(self.queue.count())]:
            self.queue.clear()
            self.queue.addItems(titles)


def wrapped() -> Any:
    """A label for sentences."""
    label = QtWidgets.QLabel("")
    label.setWordWrap(True)
    return label
