"""The list of regions: what each one is, their order, and how soft their edges are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from . import masks
from .client.looks import NO_STYLE
from .client.picks import parse
from .client.subjects import titles
from .layers import active
from .masks import LABELS, Mask
from .qt import Qt, QtCore, QtGui, QtWidgets
from .recipes import MASK, title
from .texts import Unsuitable, _

MOST_FEATHER = 500


def is_clicked(region: dict[str, Any]) -> bool:
    """Whether clicks on the picture make a region."""
    return not region["select"] or parse(region["select"]) is not None


class RegionsPanel(QtWidgets.QWidget):
    """Edits a list of regions (see `recipes`), the uppermost first, and the rest of the layer last.

    `chosen` is emitted when another one is edited, `changed` after each change by the user.
    """

    chosen = QtCore.pyqtSignal()
    changed = QtCore.pyqtSignal()

    def __init__(self, name: Callable[[str], str], say: Callable[[str], object]) -> None:
        """`name(ref)` is what a style is called; `say` tells the user what went wrong."""
        super().__init__()
        self._name, self._say = name, say
        self.regions: list[dict[str, Any]] = []
        self.masks: dict[str, Mask] = {}
        self.list = QtWidgets.QListWidget()
        self.list.setMinimumHeight(90)
        self.list.currentRowChanged.connect(self._selected)
        add = QtWidgets.QToolButton()
        add.setText(_("Add region") + "   ")  # some styles draw the menu's arrow over the text's end
        self._menu = QtWidgets.QMenu(self)
        self._menu.aboutToShow.connect(self.offer)
        add.setMenu(self._menu)
        add.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(add)
        self._buttons = [
            self._button("↑", _("Lay it over the one above"), lambda: self.move_region(1)),
            self._button("↓", _("Lay it under the one below"), lambda: self.move_region(-1)),
            self._button("−", _("Remove this region"), self.remove),
        ]
        for button in self._buttons:
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.feather = QtWidgets.QSpinBox()
        self.feather.setRange(0, MOST_FEATHER)
        self.feather.setSuffix(" px")
        self.feather.setToolTip(_("How soft the region's edge is"))
        self.feather.valueChanged.connect(lambda value: self.set("feather", value))
        self.stays = QtWidgets.QCheckBox(_("Stays as it is"))
        self.stays.setToolTip(_("This region is not painted"))
        self.stays.toggled.connect(self._toggle)
        line = QtWidgets.QHBoxLayout()
        line.addWidget(QtWidgets.QLabel(_("Feather")))
        line.addWidget(self.feather)
        line.addWidget(self.stays)
        line.addStretch(1)
        self.hint = QtWidgets.QLabel()
        self.hint.setWordWrap(True)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list, 1)
        column.addLayout(buttons)
        column.addLayout(line)
        column.addWidget(self.hint)
        self.index = -1
        self._quiet = False
        self._build()

    @property
    def region(self) -> dict[str, Any] | None:
        """The region that is edited, or None for the rest of the layer."""
        return self.regions[self.index] if self.index >= 0 else None

    def set(self, key: str, value: Any) -> None:
        """Change the region that is edited."""
        if self.region is not None and not self._quiet:
            self.region[key] = value
            self._build()
            self.changed.emit()

    def restore(self, regions: list[dict[str, Any]]) -> None:
        """Take the regions of an earlier painting."""
        self.regions, self.index = regions, -1
        self._build()
        self.chosen.emit()

    def refresh(self) -> None:
        """What a style is called has changed."""
        self._build()

    def add(self, select: str, name: str) -> None:
        """Add a region on top, and edit it."""
        self.regions.append({"select": select, "name": name})
        self.index = len(self.regions) - 1
        self._build()
        self.chosen.emit()
        self.changed.emit()

    def add_mask(self, make: Callable[[], Mask]) -> None:
        """Add a region that a mask of Krita's makes."""
        try:
            mask = make()
        except Unsuitable as error:
            self._say(str(error))
            return
        key = uuid4().hex
        self.masks[key] = mask
        self.add(MASK + key, mask.name)

    def add_labels(self) -> None:
        """Add a region for each colour label in use."""
        try:
            document, _node = active()
        except Unsuitable as error:
            self._say(str(error))
            return
        found = sorted(masks.labelled(document))
        if not found:
            self._say(
                _("No layer has a color label; right-click layers in the Layers docker to give them one.")
            )
        for label in found:
            self.add_mask(lambda label=label: masks.of_label(document, label))

    def move_region(self, by: int) -> None:
        """Lay a region over the next one, or under it."""
        other = self.index + by
        if self.index >= 0 and 0 <= other < len(self.regions):
            self.regions[self.index], self.regions[other] = self.regions[other], self.regions[self.index]
            self.index = other
            self._build()
            self.changed.emit()

    def remove(self) -> None:
        """Take the region that is edited off the list."""
        if self.index >= 0:
            del self.regions[self.index]
            self.index = min(self.index, len(self.regions) - 1)
            self._build()
            self.chosen.emit()
            self.changed.emit()

    def offer(self) -> None:
        """Fill the menu with what a region can be."""
        self._menu.clear()
        self._offer(self._menu, _("What I click on"), lambda: self.add("", _("Clicked thing")))
        self._offer(
            self._menu, _("Selection"), lambda: self.add_mask(lambda: masks.of_selection(active()[0]))
        )
        layers = self._menu.addMenu(_("Mask of a layer or group"))
        try:
            document, _node = active()
            for node in masks.nodes(document.rootNode()):
                make = lambda node=node: masks.of_node(document, node)  # noqa: E731
                self._offer(layers, node.name(), lambda make=make: self.add_mask(make))
        except Unsuitable as error:
            layers.addAction(str(error)).setEnabled(False)
        self._offer(self._menu, _("Layers with color labels"), self.add_labels)
        self._menu.addSeparator()
        for name, text in titles(_).items():
            self._offer(self._menu, text, lambda name=name, text=text: self.add(name, text))

    @staticmethod
    def _offer(menu: Any, text: str, act: Callable[[], object]) -> None:
        menu.addAction(text).triggered.connect(lambda _checked=False: act())

    def _selected(self, row: int) -> None:
        if not self._quiet and row >= 0:
            self.index = len(self.regions) - 1 - row
            self._build()
            self.chosen.emit()

    def _toggle(self, stays: bool) -> None:
        if self.region is None or self._quiet:
            return
        if stays:
            self.region["style"] = NO_STYLE
        else:
            self.region.pop("style", None)
        self._build()
        self.chosen.emit()
        self.changed.emit()

    def _build(self) -> None:
        self._quiet = True
        self.list.clear()
        for region in reversed(self.regions):
            style = title(region["style"], self._name) if "style" in region else _("as the rest")
            self.list.addItem(
                QtWidgets.QListWidgetItem(_swatch(region, self.masks), f"{region['name']}: {style}")
            )
        self.list.addItem(_("The rest of the layer"))
        self.list.setCurrentRow(len(self.regions) - 1 - self.index)
        region = self.region
        for button in self._buttons:
            button.setEnabled(region is not None)
        self.feather.setEnabled(region is not None)
        self.stays.setEnabled(region is not None)
        self.feather.setValue(int(region.get("feather", 0)) if region else 0)
        self.stays.setChecked(region is not None and region.get("style") == NO_STYLE)
        if region is not None and is_clicked(region):
            self.hint.setText(
                _(
                    "Click on the picture above: left adds, right takes away; drag for a box."
                    " Choose its style in “Style”."
                )
            )
        elif region is not None:
            self.hint.setText(_("Choose its style in “Style”."))
        else:
            self.hint.setText("" if self.regions else _("Each region is painted in a style of its own."))
        self._quiet = False

    @staticmethod
    def _button(text: str, tip: str, pressed: Callable[[], object]) -> Any:
        button = QtWidgets.QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: pressed())
        return button


def _swatch(region: dict[str, Any], known: dict[str, Mask]) -> Any:
    """An icon in the colour of a region's label."""
    pixmap = QtGui.QPixmap(12, 12)
    mask = known.get(region["select"][len(MASK) :]) if region["select"].startswith(MASK) else None
    colour = LABELS[mask.label] if mask is not None else ""
    pixmap.fill(QtGui.QColor(colour) if colour else Qt.GlobalColor.transparent)
    return QtGui.QIcon(pixmap)
