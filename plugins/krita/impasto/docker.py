"""What the user sees: the docker, and the Filter menu's entry that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import layers, settings
from .qt import Krita, QtCore, QtWidgets, krita
from .worker import Worker

SLIDERS = {"strength": "Strength", "scale": "Stroke size", "keep_color": "Keep color"}
ROLE = QtCore.Qt.ItemDataRole.UserRole


class ImpastoDocker(krita.DockWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Impasto")
        # Outside the plug-in's folder, which Krita's importer deletes.
        self.path = Path(Krita.getAppDataLocation()) / "impasto.json"
        self.settings = settings.load(self.path)
        self.catalogue: list[dict[str, Any]] = []
        self.source: layers.Source | None = None
        self._build()
        self.worker = Worker()
        self.worker.state.connect(self._on_state)
        self.worker.styles.connect(self._on_styles)
        self.worker.progress.connect(self._on_progress)
        self.worker.done.connect(self._on_done)
        self.worker.failed.connect(self._on_failed)
        self.worker.start()
        QtCore.QCoreApplication.instance().aboutToQuit.connect(self.worker.end)
        self.worker.look(False)

    def _build(self) -> None:
        body = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(body)
        self.state = QtWidgets.QLabel("Looking for the Impasto daemon…")
        self.state.setWordWrap(True)
        self.launch = QtWidgets.QPushButton("Start the daemon")
        self.launch.clicked.connect(lambda: self.worker.look(True))
        self.search = QtWidgets.QLineEdit()
        self.search.setPlaceholderText("Search styles")
        self.search.textChanged.connect(self._list)
        self.list = QtWidgets.QListWidget()
        self.list.itemSelectionChanged.connect(self._on_style)
        for widget in (self.state, self.launch, self.search, self.list):
            column.addWidget(widget)
        form = QtWidgets.QFormLayout()
        self.spins: dict[str, Any] = {}
        for name, label in SLIDERS.items():
            spin = QtWidgets.QDoubleSpinBox()
            spin.setRange(*settings.LIMITS[name])
            spin.setSingleStep(0.05)
            spin.setValue(getattr(self.settings, name))
            form.addRow(label, spin)
            self.spins[name] = spin
        column.addLayout(form)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setVisible(False)
        row = QtWidgets.QHBoxLayout()
        self.paint = QtWidgets.QPushButton("Paint")
        self.paint.setToolTip(
            "Paints 8- and 16-bit RGB as it is. Other colour models go through 16-bit sRGB and back:\n"
            "colours outside sRGB and values above white are lost in the new layer."
        )
        self.paint.clicked.connect(self._on_paint)
        self.cancel = QtWidgets.QPushButton("Cancel")
        self.cancel.clicked.connect(self._on_cancel)
        self.cancel.setEnabled(False)
        row.addWidget(self.paint)
        row.addWidget(self.cancel)
        self.message = QtWidgets.QLabel("")
        self.message.setWordWrap(True)
        column.addWidget(self.bar)
        column.addLayout(row)
        column.addWidget(self.message)
        self.setWidget(body)

    def canvasChanged(self, canvas: Any) -> None:  # noqa: N802 - Krita calls it so
        """Krita requires it; the layer is looked up when it is painted."""

    def _list(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for style in settings.found(self.catalogue, self.search.text()):
            item = QtWidgets.QListWidgetItem(", ".join(filter(None, (style["title"], style.get("artist")))))
            item.setData(ROLE, style["name"])
            self.list.addItem(item)
            if style["name"] == self.settings.style:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)

    def _on_style(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.settings.style = item.data(ROLE)

    def _on_state(self, words: str, runs: bool) -> None:
        self.state.setText(words)
        self.launch.setVisible(not runs)

    def _on_styles(self, styles: list[dict[str, Any]]) -> None:
        self.catalogue = styles
        self._list()

    def _on_paint(self) -> None:
        if self.source is not None:
            return
        for name, spin in self.spins.items():
            setattr(self.settings, name, spin.value())
        if not self.settings.style:
            self.message.setText("No style is picked; click one in the list.")
            return
        try:
            source = layers.read()
        except layers.Unsuitable as error:
            self.message.setText(str(error))
            return
        self._busy(True)
        try:
            settings.save(self.path, self.settings)
        except OSError as error:
            self.message.setText(f"{self.path} cannot be written ({error.strerror}); make it writable.")
        self.source = source
        self.worker.paint(source, self.settings.job(), source.width, source.height, source.depth, source.data)

    def _on_cancel(self) -> None:
        self.worker.stop.set()
        self.cancel.setEnabled(False)

    def _busy(self, busy: bool) -> None:
        self.paint.setEnabled(not busy)
        self.cancel.setEnabled(busy)
        self.bar.setVisible(busy)
        self.bar.setValue(0)
        if busy:
            self.message.setText("")

    def _on_progress(self, fraction: float, text: str) -> None:
        self.bar.setValue(round(1000 * fraction))
        self.message.setText(text)

    def _on_done(self, source: layers.Source, data: bytes) -> None:
        self.source = None
        self._busy(False)
        try:
            layers.add(source, data, f"Impasto: {self.settings.style}")
            self.message.setText("Painted.")
        except layers.Unsuitable as error:
            self.message.setText(str(error))

    def _on_failed(self, _: layers.Source, sentence: str) -> None:
        self.source = None
        self._busy(False)
        self.message.setText(sentence)


class Impasto(krita.Extension):
    def setup(self) -> None:
        """Krita requires it."""

    def createActions(self, window: Any) -> None:  # noqa: N802 - Krita calls it so
        action = window.createAction("impasto_show", "Impasto…", "filter")
        action.triggered.connect(self._show)

    def _show(self, _: bool = False) -> None:
        for docker in Krita.instance().dockers():
            if docker.objectName() == "impasto":
                docker.setVisible(True)
                docker.raise_()


def register() -> None:
    """Tell Krita of the docker and the entry."""
    application = Krita.instance()
    place = (
        krita.DockWidgetFactoryBase.DockPosition.DockRight
        if hasattr(krita.DockWidgetFactoryBase, "DockPosition")
        else krita.DockWidgetFactoryBase.DockRight
    )
    application.addDockWidgetFactory(krita.DockWidgetFactory("impasto", place, ImpastoDocker))
    application.addExtension(Impasto(application))
