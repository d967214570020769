"""The Filter menu's entries and the actions that can have shortcuts."""

from __future__ import annotations

from typing import Any

from .docker import NAME, ImpastoDocker
from .qt import Krita, krita
from .settings import MOST_FAVOURITES
from .texts import _


class Impasto(krita.Extension):
    def setup(self) -> None:
        """Krita requires it."""

    def createActions(self, window: Any) -> None:  # noqa: N802 - Krita calls it so
        """Called for each window."""
        for name, text, act in (
            ("impasto_show", "Impasto…", lambda docker: None),
            ("impasto_again", _("Impasto: Paint Again"), ImpastoDocker.paint_again),
        ):
            _add(window, name, text, "filter", act)
        for number in range(1, MOST_FAVOURITES + 1):
            text = _("Impasto: Paint with Favorite {number}").format(number=number)
            _add(
                window, f"impasto_favorite_{number}", text, "",
                lambda docker, number=number: docker.paint_favourite(number),
            )  # fmt: skip


def _add(window: Any, name: str, text: str, menu: str, act: Any) -> None:
    def triggered(_checked: bool = False) -> None:
        # Not `window`, which Krita may have deleted since.
        for docker in Krita.instance().activeWindow().dockers():
            if docker.objectName() == NAME:
                docker.setVisible(True)
                docker.raise_()
                act(docker)

    window.createAction(name, text, menu).triggered.connect(triggered)


def register() -> None:
    """Tell Krita of the docker and the entries."""
    application = Krita.instance()
    place = (
        krita.DockWidgetFactoryBase.DockPosition.DockRight
        if hasattr(krita.DockWidgetFactoryBase, "DockPosition")
        else krita.DockWidgetFactoryBase.DockRight
    )
    application.addDockWidgetFactory(krita.DockWidgetFactory(NAME, place, ImpastoDocker))
    application.addExtension(Impasto(application))
