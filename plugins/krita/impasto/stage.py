"""The preview: the layer before or after, and where regions are clicked."""

from __future__ import annotations

from typing import Any

from .client.picks import Picks
from .client.planes import Small
from .pictures import on_checks, painted, shown, sketched, stained
from .qt import Qt, QtCore, QtGui, QtWidgets
from .texts import _

ACROSS, DOWN = 320, 230
"""Most pixels of the small copy."""
COLOUR = (255, 60, 60)
NEAR = 4
"""Pixels within which a drag is a click."""


class Stage(QtWidgets.QLabel):
    """Shows a small copy of a layer, its painting, or a region's mask.

    A press shows the original; while `clickable`, `picked` is emitted with the copy's point and
    whether it adds, `boxed` with a box that was dragged.
    """

    picked = QtCore.pyqtSignal(int, int, bool)
    boxed = QtCore.pyqtSignal(int, int, int, int)

    def __init__(self) -> None:
        super().__init__()
        self.small: Small | None = None
        self.clickable = False
        self._before: Any = None
        self._after: Any = None
        self._mask: bytes | None = None
        self._picks: Picks | None = None
        self._pressed: Any = None
        self._band = QtWidgets.QRubberBand(QtWidgets.QRubberBand.Shape.Rectangle, self)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.clear_picture()

    def clear_picture(self) -> None:
        """Show that there is no layer."""
        self.small = self._before = self._after = self._mask = None
        self.setMinimumHeight(60)
        self.setText(_("Open a picture to see a preview"))

    def take(self, small: Small) -> None:
        """Show another copy."""
        self.small, self._before = small, shown(small)
        self._after = self._mask = None
        self.setMinimumHeight(small.height)
        self.setToolTip(_("Press to see the original"))
        self._draw()

    def show_painting(self, data: bytes) -> None:
        """Show painted pixels of the small copy."""
        assert self.small is not None
        # The layer that will be added lies over the one that is painted.
        self._after = on_checks(painted(self._before, self.small, data))
        self._draw()

    def show_sketch(self, sketch: Any) -> None:
        """Show a picture of how the painting stands."""
        assert self.small is not None
        self._after = on_checks(sketched(self._before, self.small, sketch))
        self._draw()

    def show_mask(self, mask: bytes | None, picks: Picks | None) -> None:
        """Show a mask, a byte a pixel, and clicks in pixels of the copy; None shows the painting again."""
        self._mask, self._picks = mask, picks
        self._draw()

    @property
    def is_painted(self) -> bool:
        return self._after is not None

    def _draw(self, original: bool = False) -> None:
        if self._before is None:
            return
        if self._mask is not None or self._picks is not None:
            image = (
                stained(self._before, self._mask, COLOUR) if self._mask is not None else self._before.copy()
            )
            if self._picks is not None:
                _mark(image, self._picks)
        else:
            image = self._before if original or self._after is None else self._after
        self.setPixmap(QtGui.QPixmap.fromImage(image))

    def _place(self, event: Any) -> tuple[int, int]:
        """Where an event is on the copy, which lies in the middle of the label."""
        assert self.small is not None
        point = event.position().toPoint() if hasattr(event, "position") else event.pos()
        x = point.x() - (self.width() - self.small.width) // 2
        y = point.y() - (self.height() - self.small.height) // 2
        return min(max(x, 0), self.small.width - 1), min(max(y, 0), self.small.height - 1)

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802 - Qt calls it so
        if self.small is None:
            return
        self._pressed = self._place(event)
        if not self.clickable:
            self._draw(original=True)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802
        if self._pressed is not None and self.clickable and self.small is not None:
            here, left = self._place(event), (self.width() - self.small.width) // 2
            top = (self.height() - self.small.height) // 2
            points = [QtCore.QPoint(x + left, y + top) for x, y in (self._pressed, here)]
            self._band.setGeometry(QtCore.QRect(*points).normalized())
            self._band.show()

    def mouseReleaseEvent(self, event: Any) -> None:  # noqa: N802
        if self._pressed is None or self.small is None:
            return
        began, here, self._pressed = self._pressed, self._place(event), None
        self._band.hide()
        if not self.clickable:
            self._draw()
        elif max(abs(began[0] - here[0]), abs(began[1] - here[1])) <= NEAR:
            adds = event.button() == Qt.MouseButton.LeftButton
            shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self.picked.emit(*began, adds and not shift)
        else:
            self.boxed.emit(*began, *here)


def _mark(image: Any, picks: Picks) -> None:
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    for x, y, adds in picks.points:
        painter.setPen(QtGui.QPen(Qt.GlobalColor.white, 2))
        painter.setBrush(QtGui.QColor(40, 160, 60) if adds else QtGui.QColor(60, 60, 200))
        painter.drawEllipse(QtCore.QPoint(x, y), 5, 5)
    if picks.box:
        x0, y0, x1, y1 = picks.box
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QtGui.QPen(Qt.GlobalColor.white, 2))
        painter.drawRect(x0, y0, x1 - x0, y1 - y0)
    painter.end()
