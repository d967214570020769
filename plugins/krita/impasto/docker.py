"""What the user sees: the docker beside the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import settings
from .animation import Frames
from .client.picks import Picks
from .client.picks import parse as parse_picks
from .desk import Desk, wrapped
from .gallery import Gallery
from .history import SIDE, History, HistoryPanel
from .jobs import Jobs
from .layers import active
from .painting import Painter
from .palette import Palette
from .pictures import square
from .preview import Preview
from .qt import Krita, QtCore, QtWidgets, krita
from .quality import QualityBox
from .recipes import Recipe
from .regions import RegionsPanel, is_clicked
from .service import Poster, guarded, open_client
from .sliders import Sliders
from .stage import ACROSS, Stage
from .texts import Unsuitable, _, sentence

NAME = "impasto"
POLL = 150
"""Milliseconds between two looks at the active layer and selection: Krita does not tell of changes."""
RETRY = 20
"""Looks between two tries to find a daemon that was not there."""
STYLE, REGIONS, HISTORY = range(3)


class ImpastoDocker(krita.DockWidget):
    """Holds the widgets together; each keeps to its own business."""

    def __init__(self) -> None:
        super().__init__()
        from .client.courier import Courier

        self.setWindowTitle("Impasto")
        # Outside the plug-in's folder, which Krita's importer deletes.
        self.folder = Path(Krita.getAppDataLocation()) / "impasto"
        self.file = self.folder / "settings.json"
        self.settings = settings.load(self.file)
        self._start = False
        self._runs = False
        self._looks = 0
        self._poster = Poster()
        self._courier = Courier(lambda: open_client(self._start), self._poster.post, sentence)
        self.jobs = Jobs()
        self.gallery = Gallery(self.settings)
        self.painter = Painter(self.jobs, self.gallery.title, self.say, self._painted)
        self.stage = Stage()
        self.palette = Palette(self.gallery, self.folder / "styles", self.settings.names, self.say)
        self.regions = RegionsPanel(self.gallery.title, self.say)
        self.sliders = Sliders()
        self.quality = QualityBox()
        self.history = HistoryPanel(History(self.folder))
        self.preview = Preview(self.stage, lambda: self.recipe, self.regions.masks, self.jobs)
        self._build()
        self._join()
        self._show_edited()
        self.find_daemon(False)

    @property
    def recipe(self) -> Recipe:
        """What Paint would paint."""
        regions = [region for region in self.regions.regions if region["select"]]
        return Recipe(self.settings.look, regions)

    def canvasChanged(self, canvas: Any) -> None:  # noqa: N802 - Krita calls it so
        """Another document is shown."""
        QtCore.QTimer.singleShot(0, self.preview.look)

    def paint(self, recipe: Recipe | None = None) -> Any:
        """Paint the active layer."""
        self.desk.message.setText("")
        self._save()
        recipe = recipe or self.recipe
        task = self.painter.paint(recipe, self.regions.masks)
        if recipe.is_slow:
            self.preview.watch()
        return task

    def paint_favourite(self, number: int) -> None:
        """Paint the active layer with a favourite, 1 to 9, and the other settings as they are."""
        if number > len(self.settings.favourites):
            self.say(
                _("There is no favorite {number} yet; right-click a style to make it one.").format(
                    number=number
                )
            )
            return
        style = self.settings.favourites[number - 1]
        self.paint(Recipe({**self.settings.look, "style": [[style, 1.0]]}, []))

    def paint_again(self) -> None:
        """Paint the active layer like the last one."""
        entries = self.history.history.entries
        if not entries:
            self.say(_("Nothing was painted yet; press Paint in the docker."))
            return
        self.paint(self.history.history.recipe(entries[0]))

    def paint_frames(self) -> None:
        """Paint all frames of the active layer."""
        self.desk.message.setText("")
        self._save()
        recipe = self.recipe
        try:
            if not recipe.paints:
                raise Unsuitable(_("No style is picked; click one in the gallery."))
            Frames(self.jobs, recipe, self.painter.title(recipe), self.say).begin()
        except Unsuitable as error:
            self.say(str(error))

    def cancel(self) -> None:
        """Stop the painting that is chosen in the queue, or the first."""
        tasks = self.jobs.tasks
        row = max(self.desk.queue.currentRow(), 0)
        if row < len(tasks):
            self.jobs.cancel(tasks[row])

    def say(self, sentence: str) -> None:
        """Tell the user something."""
        self.desk.message.setText(sentence)

    def find_daemon(self, start: bool) -> None:
        """Ask the daemon what it can do; start one if told."""
        if start:
            self.state.setText(_("Starting the Impasto daemon…"))
            self.state.show()
            self._start = True

        @guarded
        def fetch(client: Any, _stale: Any) -> Any:
            catalogue = client.catalogue()
            return catalogue, {
                style["name"]: client.thumbnail(style["name"]) for style in catalogue["styles"]
            }

        def failed(sentence: str) -> None:
            self._start = False
            self._show_state(sentence)

        def done(answer: Any) -> None:
            ran = self._runs
            self._show_state("")
            if ran:  # a preview that failed would be sent again for ever
                return
            catalogue, thumbnails = answer
            self.gallery.take(catalogue["styles"], thumbnails)
            self.quality.take(catalogue.get("engines", []))
            self.regions.refresh()
            self._show_edited()

        self._courier.send("catalogue", fetch, done, failed)

    def _build(self) -> None:
        body = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(body)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        self.state = wrapped()
        self.launch = QtWidgets.QPushButton(_("Start the daemon"))
        style = QtWidgets.QWidget()
        inner = QtWidgets.QVBoxLayout(style)
        inner.setContentsMargins(2, 2, 2, 2)
        inner.addWidget(self.palette, 1)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.addTab(style, _("Style"))
        self.tabs.addTab(self.regions, _("Regions"))
        self.tabs.addTab(self.history, _("History"))
        self.edited = wrapped()
        self.desk = Desk()
        for widget in (self.state, self.launch, self.stage):
            column.addWidget(widget)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.edited)
        column.addWidget(self.sliders)
        scroller = QtWidgets.QScrollArea()
        scroller.setWidgetResizable(True)
        scroller.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroller.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroller.setWidget(body)
        scroller.setMinimumWidth(ACROSS + 24)
        whole = QtWidgets.QWidget()
        outer = QtWidgets.QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.setSpacing(4)
        outer.addWidget(scroller, 1)
        outer.addWidget(self.quality)  # always in sight: it decides how long Paint takes
        outer.addWidget(self.desk)
        self.setWidget(whole)
        self._show_state(_("Looking for the Impasto daemon…"))
        self._show_tasks()

    def _join(self) -> None:
        self.launch.clicked.connect(lambda _checked=False: self.find_daemon(True))
        self.desk.paint.clicked.connect(lambda _checked=False: self.paint())
        self.desk.frames.clicked.connect(lambda _checked=False: self.paint_frames())
        self.desk.cancel.clicked.connect(lambda _checked=False: self.cancel())
        self.palette.changed.connect(self._set_style)
        self.sliders.changed.connect(self._set_number)
        self.quality.changed.connect(self._set_engine)
        self.gallery.favoured.connect(self._save)
        self.regions.chosen.connect(self._show_edited)
        self.regions.changed.connect(self.preview.change)
        self.tabs.currentChanged.connect(lambda _index: self._show_edited())
        self.history.taken.connect(self._restore)
        self.history.again.connect(self.paint)
        self.stage.picked.connect(self._pick)
        self.stage.boxed.connect(self._box)
        self.preview.failed.connect(self._preview_failed)
        self.jobs.changed.connect(self._show_tasks)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._poll)
        self._timer.start(POLL)
        QtCore.QCoreApplication.instance().aboutToQuit.connect(self.close_all)

    def close_all(self) -> None:
        """Krita ends: stop the threads."""
        self._timer.stop()
        self.preview.close()
        self.jobs.close()
        self._courier.close()

    def enterEvent(self, event: Any) -> None:  # noqa: N802 - Qt calls it so
        """The user comes from the canvas, where the layer may have been changed."""
        self.preview.look(anew=True)

    def _poll(self) -> None:
        if not self.isVisible():
            return
        self.preview.look()
        try:
            self.desk.frames.setVisible(bool(active()[1].animated()))
        except Unsuitable:
            self.desk.frames.hide()
        self._looks += 1
        if not self._runs and self._looks % RETRY == 0:
            self.find_daemon(False)

    def _show_state(self, sentence: str) -> None:
        """Say what is wrong with the daemon; nothing when it runs."""
        self._runs = not sentence
        if self.desk.message.text() == self.state.text():
            self.desk.message.setText("")
        self.state.setText(sentence)
        self.state.setVisible(bool(sentence))
        self.launch.setVisible(bool(sentence))

    def _preview_failed(self, sentence: str) -> None:
        if self._runs:
            self.say(sentence)
            self.find_daemon(False)  # perhaps the daemon has gone: asking shows it

    def _show_tasks(self) -> None:
        self.desk.show_tasks(self.jobs.tasks)
        self.preview.follow()

    def _show_edited(self) -> None:
        """Show the look of what is edited: a region, or the rest of the layer."""
        region = self.regions.region
        look = self.settings.look if region is None else {**self.settings.look, **region}
        style = look["style"] if isinstance(look["style"], list) else []
        self.palette.show_parts(style)
        self.sliders.show_look(look)
        self.quality.show_engine(self.settings.look["engine"])
        self.edited.setVisible(region is not None)
        if region is not None:
            self.edited.setText(_("Settings of the region “{name}”:").format(name=region["name"]))
        on_regions = self.tabs.currentIndex() == REGIONS
        self.preview.region = region if on_regions else None
        self.stage.clickable = on_regions and region is not None and is_clicked(region)
        self.preview.forget()
        self.preview.later()

    def _set_style(self) -> None:
        owner = self.regions.region if self.regions.region is not None else self.settings.look
        owner["style"] = [list(part) for part in self.palette.parts]
        self.regions.refresh()
        self.preview.change()

    def _set_engine(self, name: str) -> None:
        self.settings.look["engine"] = name
        self.preview.change()

    def _set_number(self, name: str, value: float) -> None:
        owner = self.regions.region if self.regions.region is not None else self.settings.look
        owner[name] = value
        self.preview.change()

    def _pick(self, x: int, y: int, adds: bool) -> None:
        self._set_picks(lambda picks: picks.clicked(*self._in_document(x, y), adds))

    def _box(self, x0: int, y0: int, x1: int, y1: int) -> None:
        self._set_picks(lambda picks: picks.dragged(*self._in_document(x0, y0), *self._in_document(x1, y1)))

    def _set_picks(self, change: Any) -> None:
        region = self.regions.region
        if region is not None:
            picks = change(parse_picks(region["select"]) or Picks())
            self.regions.set("select", picks.text() or region["select"])

    def _in_document(self, x: int, y: int) -> tuple[int, int]:
        document, _node = active()
        assert self.stage.small is not None
        return self.stage.small.to_layer(x, y, document.width(), document.height())

    def _restore(self, recipe: Recipe) -> None:
        self.settings.look = recipe.look
        self.regions.restore(recipe.regions)
        self._show_edited()

    def _painted(self, title: str, recipe: Recipe, node: Any) -> None:
        self.say(_("Painted."))
        if not self._runs:
            self.find_daemon(False)
        try:
            self.history.history.add(title, recipe, square(node.thumbnail(2 * SIDE, 2 * SIDE), SIDE))
        except OSError as error:
            self.say(self._unwritable(error))
        self.history.fill()

    def _save(self) -> None:
        try:
            settings.save(self.file, self.settings)
        except OSError as error:
            self.say(self._unwritable(error))

    def _unwritable(self, error: OSError) -> str:
        text = _("{path} cannot be written ({reason}); make it writable.")
        return text.format(path=self.folder, reason=error.strerror)
