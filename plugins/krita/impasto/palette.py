"""A style or a blend of up to three: from the gallery, a file, a layer or the clipboard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client.looks import MOST_STYLES
from .gallery import Gallery
from .masks import nodes
from .pictures import icon, square
from .qt import Krita, Qt, QtCore, QtGui, QtWidgets
from .texts import Unsuitable, _

SMALL = 28
"""Width and height of a thumbnail in the list."""

STYLE_SIDE = 1024
"""Longer side of a layer that serves as a style: no engine looks at more."""

PICTURES = "*.jpg *.jpeg *.png *.tif *.tiff *.webp *.avif *.style"


class Palette(QtWidgets.QWidget):
    """Edits a list of [style, weight]. `changed` is emitted after each change by the user."""

    changed = QtCore.pyqtSignal()

    def __init__(
        self, gallery: Gallery, folder: Path, names: dict[str, str], say: Callable[[str], object]
    ) -> None:
        """`folder` takes pictures of layers and of the clipboard, `names` what files are called."""
        super().__init__()
        self.gallery = gallery
        self._folder, self._names, self._say = folder, names, say
        self.parts: list[list[Any]] = []
        self._active = 0
        gallery.chosen.connect(self.pick)
        self._lines = QtWidgets.QVBoxLayout()
        self._lines.setSpacing(2)
        buttons = QtWidgets.QHBoxLayout()
        self.more = _button(_("+ Blend"), _("Blend in another style"), self._add)
        file = _button(_("File…"), _("Take the style from a picture on disk"), self._choose_file)
        self.layer = _button(_("Layer"), _("Take the style from a layer of an open document"), None)
        self._menu = QtWidgets.QMenu(self)
        self._menu.aboutToShow.connect(self._offer_layers)
        self.layer.setMenu(self._menu)
        self.layer.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        clipboard = _button(_("Clipboard"), _("Take the style from the copied picture"), self.take_clipboard)
        for button in (self.more, file, self.layer, clipboard):
            buttons.addWidget(button)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(gallery, 1)
        column.addLayout(self._lines)
        column.addLayout(buttons)
        self._build()

    def show_parts(self, parts: list[list[Any]]) -> None:
        """Show a style that was set elsewhere."""
        self.parts = [list(part) for part in parts]
        self._active = min(self._active, max(len(self.parts) - 1, 0))
        self._build()

    def pick(self, ref: str) -> None:
        """Put a style in the place of the one that is edited."""
        if self.parts:
            self.parts[self._active][0] = ref
        else:
            self.parts = [[ref, 1.0]]
        self._edited()

    def take_file(self, path: str) -> None:
        """Take the style from a picture on disk."""
        self._names[path] = Path(path).name
        self.pick(path)

    def take_clipboard(self) -> None:
        """Take the style from the copied picture."""
        image = QtWidgets.QApplication.clipboard().image()
        if image.isNull():
            self._say(_("The clipboard holds no picture; copy one first."))
            return
        self._take_image(image, _("Clipboard"))

    def take_layer(self, node: Any) -> None:
        """Take the style from a layer."""
        bounds = node.bounds()
        if bounds.isEmpty():
            self._say(_("“{name}” is empty; click a layer with something on it.").format(name=node.name()))
            return
        scale = min(1.0, STYLE_SIDE / max(bounds.width(), bounds.height()))
        image = node.thumbnail(max(1, int(bounds.width() * scale)), max(1, int(bounds.height() * scale)))
        self._take_image(image, node.name())

    def _take_image(self, image: Any, name: str) -> None:
        image = image.scaled(
            min(image.width(), STYLE_SIDE), min(image.height(), STYLE_SIDE),
            Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation,
        )  # fmt: skip
        buffer = QtCore.QBuffer()
        buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")
        data = bytes(buffer.data())
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise Unsuitable(_unwritable(path, error)) from None
        self._names[str(path)] = name
        self.pick(str(path))

    def _choose_file(self) -> None:
        path, _kind = QtWidgets.QFileDialog.getOpenFileName(
            self, _("Take the style from a picture"), "", f"{_('Pictures')} ({PICTURES})"
        )
        if path:
            self.take_file(path)

    def _offer_layers(self) -> None:
        self._menu.clear()
        documents = Krita.instance().documents()
        for document in documents:
            for node in nodes(document.rootNode()):
                if not node.type().endswith("mask") and not node.bounds().isEmpty():
                    name = document.name() or Path(document.fileName()).name or _("Unnamed")
                    action = self._menu.addAction(f"{name}: {node.name()}")
                    action.triggered.connect(lambda _checked=False, own=node: self.take_layer(own))
        if self._menu.isEmpty():
            self._menu.addAction(_("No layer is open")).setEnabled(False)

    def _add(self) -> None:
        used = {part[0] for part in self.parts}
        free = [style["name"] for style in self.gallery.styles if style["name"] not in used]
        if free and len(self.parts) < MOST_STYLES:
            self.parts.append([free[0], 0.5])
            self._active = len(self.parts) - 1
            self._edited()

    def _remove(self, index: int) -> None:
        del self.parts[index]
        self._active = 0
        self._edited()

    def _activate(self, index: int) -> None:
        self._active = index
        self._build()

    def weigh(self, index: int, weight: float) -> None:
        """Set a style's share of the blend."""
        self.parts[index][1] = round(weight, 2)
        self.changed.emit()

    def _edited(self) -> None:
        self._build()
        self.changed.emit()

    def _build(self) -> None:
        while self._lines.count():
            self._lines.takeAt(0).widget().deleteLater()
        for index in range(len(self.parts)):
            self._lines.addWidget(self._line(index))
        self.more.setEnabled(0 < len(self.parts) < MOST_STYLES)
        self.gallery.mark(self.parts[self._active][0] if self.parts else "")

    def _line(self, index: int) -> Any:
        ref, weight = self.parts[index]
        row = QtWidgets.QWidget()
        line = QtWidgets.QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        name = QtWidgets.QToolButton()
        name.setAutoRaise(True)
        name.setCheckable(True)
        name.setChecked(len(self.parts) > 1 and index == self._active)
        name.setIcon(icon(square(self.gallery.picture(ref), SMALL)))
        name.setIconSize(QtCore.QSize(SMALL, SMALL))
        name.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        metrics = QtGui.QFontMetrics(name.font())
        title = self.gallery.title(ref)
        name.setText(metrics.elidedText(title, Qt.TextElideMode.ElideRight, 150))
        name.setToolTip(title)
        name.clicked.connect(lambda _checked=False: self._activate(index))
        line.addWidget(name)
        line.addStretch(1)
        if len(self.parts) > 1:
            share = QtWidgets.QSlider(Qt.Orientation.Horizontal)
            share.setRange(1, 20)
            share.setValue(min(round(20 * weight), 20))
            share.setToolTip(_("Share of this style in the blend"))
            share.valueChanged.connect(lambda value: self.weigh(index, value / 20))
            line.addWidget(share)
            line.addWidget(_button("−", _("Take this style out of the blend"), lambda: self._remove(index)))
        return row


def _button(text: str, tip: str, pressed: Callable[[], object] | None) -> Any:
    button = QtWidgets.QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    if pressed is not None:
        button.clicked.connect(lambda _checked=False: pressed())
    return button


def _unwritable(path: Path, error: OSError) -> str:
    return _("{path} cannot be written ({reason}); make it writable.").format(
        path=path, reason=error.strerror
    )
