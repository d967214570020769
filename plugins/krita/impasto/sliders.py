"""The look's numbers: a slider and a field each."""

from __future__ import annotations

from typing import Any

from .qt import Qt, QtCore, QtWidgets
from .settings import LIMITS, USUAL
from .texts import _

STEPS = 100
"""Of a slider for one unit."""


class Sliders(QtWidgets.QWidget):
    """Edits strength, scale, keep-color and detail; `changed` is emitted after changes by the user."""

    changed = QtCore.pyqtSignal(str, float)

    def __init__(self) -> None:
        super().__init__()
        texts = {
            "strength": (_("Strength"), _("How much is painted")),
            "scale": (_("Stroke size"), _("Size of the strokes, for the size of the picture")),
            "keep_color": (_("Keep color"), _("How much of the layer's own colors stays")),
            "detail": (_("Detail"), _("How much of the layer's fine structure returns")),
        }
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self.fields: dict[str, Any] = {}
        self._sliders: dict[str, Any] = {}
        for row, (name, (label, tip)) in enumerate(texts.items()):
            low, high = LIMITS[name]
            slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
            slider.setRange(round(low * STEPS), round(high * STEPS))
            field = QtWidgets.QDoubleSpinBox()
            field.setRange(low, high)
            field.setSingleStep(0.05)
            for widget in (slider, field):
                widget.setToolTip(tip)
            slider.valueChanged.connect(lambda value, field=field: field.setValue(value / STEPS))
            field.valueChanged.connect(lambda value, name=name: self._edited(name, value))
            grid.addWidget(QtWidgets.QLabel(label), row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(field, row, 2)
            self.fields[name], self._sliders[name] = field, slider
        self.show_look(USUAL)

    def show_look(self, look: Any) -> None:
        """Show values that were set elsewhere; what is missing stays."""
        for name, field in self.fields.items():
            if name in look:
                for widget, value in ((field, look[name]), (self._sliders[name], round(look[name] * STEPS))):
                    widget.blockSignals(True)
                    widget.setValue(value)
                    widget.blockSignals(False)

    def _edited(self, name: str, value: float) -> None:
        slider = self._sliders[name]
        slider.blockSignals(True)
        slider.setValue(round(value * STEPS))
        slider.blockSignals(False)
        self.changed.emit(name, round(value, 2))
