"""The dialog of Stylize."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
import extras  # noqa: E402
import settings  # noqa: E402
from client.courier import Stale  # noqa: E402
from client.looks import LAYER, PICTURE, job  # noqa: E402
from client.qualities import FAST, previewed  # noqa: E402
from copies import small_copy  # noqa: E402
from gi.repository import GimpUi, GLib, Gtk  # noqa: E402
from layers import Trouble  # noqa: E402
from painter import open_courier  # noqa: E402
from texts import _  # noqa: E402

from ui.choosers import choose_picture  # noqa: E402
from ui.gallery import Shelf  # noqa: E402
from ui.palette import Palette  # noqa: E402
from ui.quality import QualityBox  # noqa: E402
from ui.stage import Stage  # noqa: E402

DELAY = 60
"""Milliseconds after a change until the preview follows: a slider moves many times a second."""

DRAFT = 2.0
"""Times the stroke size of a draft: a quarter of the work, shown until the true preview is there. That
of a slow engine is painted by the fast one, at its own stroke size."""

QUICK = 0.4
"""Seconds within which a preview needs no draft before it."""

PREVIEW = (480, 400)
"""Most pixels across and down of the preview."""

SLIDERS = ("strength", "scale", "keep-color", "detail")


class StylizeDialog:
    """Asks for a look; it is in `config` when `run` returns true."""

    def __init__(self, procedure: Any, config: Any, image: Any, layer: Any) -> None:
        self._config = config
        self._small = small_copy(image, layer, *PREVIEW)
        self._took = 1.0
        self._timer = 0
        self._shown: tuple[Any, ...] = ()
        self._shelf = Shelf()
        self._couriers = open_courier(), open_courier()
        self.dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Stylize with Impasto"))
        self.dialog.set_ok_label(_("_Paint"))
        self._stage = Stage(self._small)
        self._palette = Palette(self._shelf, self._set_style, self._choose_file, self._choose_layer, layer)
        self._quality = QualityBox(config, self._shelf)
        self._arrange()
        config.connect("notify", lambda _config, what: self._noticed(what.name))
        self._palette.take(extras.of_config(config))
        self._follow()
        self._stage.wait(_("Looking for the daemon…"))
        self._shelf.load(self._couriers[0], self._loaded, self._stage.say)
        self._later()

    def run(self) -> bool:
        """Show it until the user has decided."""
        agreed = self.dialog.run()
        for courier in self._couriers:
            courier.close()
        self._shown = ()
        if self._timer:
            GLib.source_remove(self._timer)
        self.dialog.destroy()
        return agreed

    def _arrange(self) -> None:
        left = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        left.pack_start(self._stage, True, True, 0)
        for name in SLIDERS:
            slider = self.dialog.get_scale_entry(name, 1.0)
            left.pack_start(slider, False, False, 0)
        left.pack_start(self._quality, False, False, 0)
        sides = Gtk.Box(spacing=12, border_width=12)
        sides.pack_start(left, True, True, 0)
        sides.pack_start(self._palette, True, True, 0)
        self.dialog.get_content_area().pack_start(sides, True, True, 0)
        sides.show_all()

    def _loaded(self) -> None:
        self._palette.refill()
        self._quality.fill()
        if not settings.style_of(self._config) and self._shelf.styles:
            self._set_style(self._shelf.styles[0]["name"])

    def _set_style(self, text: str) -> None:
        settings.set_style(self._config, text)

    def _noticed(self, what: str) -> None:
        if what == "style":
            self._follow()
        self._later()

    def _follow(self) -> None:
        """Show the style that is set: by a preset, by Reset, by what was used last."""
        self._palette.show_style(settings.style_of(self._config))

    def _choose_file(self) -> bool:
        file = choose_picture(self.dialog)
        if file is not None:
            self._config.set_property("style-file", file)
            self._palette.take({PICTURE: file})
        return file is not None

    def _choose_layer(self, layer: Any) -> bool:
        self._config.set_property("style-layer", layer)
        self._palette.take({LAYER: layer})
        return True

    def _later(self) -> None:
        if self._timer:
            GLib.source_remove(self._timer)
        self._timer = GLib.timeout_add(DELAY, self._refresh)

    def _refresh(self) -> bool:
        self._timer = 0
        try:
            parcel, look = settings.package(self._config)
        except Trouble as trouble:
            self._stage.say(str(trouble))
            return False
        key = (repr(look), len(parcel.enclosures))
        if not look.get("style") or key == self._shown:
            return False
        self._shown = key
        self._stage.wait(_("Painting the preview…"))
        small, enclosures = self._small, parcel.enclosures
        slow = look.get("engine", FAST) != FAST
        if slow:
            rough = look | {"engine": FAST}
        else:
            rough = look | {"scale": min(look.get("scale", 1.0) * DRAFT, 4.0)}

        def paint(client: Any, stale: Stale, own: dict[str, Any], sketch: Any = None) -> tuple[bytes, float]:
            from time import monotonic

            began = monotonic()
            _meta, data = client.run(
                job(own), small.meta(), small.data, None, stale, "interactive", enclosures, sketch
            )
            return bytes(data), monotonic() - began

        def show_sketch(jpeg: bytes) -> None:
            if key == self._shown:
                self._stage.show_sketch(jpeg)

        def sketched(jpeg: bytes) -> None:
            GLib.idle_add(show_sketch, jpeg)

        def done(answer: tuple[bytes, float]) -> None:
            data, self._took = answer
            self._stage.show_painting(data)
            self._stage.say("")

        def draft(client: Any, stale: Stale) -> bytes | None:
            return paint(client, stale, rough)[0] if self._took > QUICK else None

        def drafted(data: bytes | None) -> None:
            if data is not None:
                self._stage.show_painting(data)
            self._couriers[1].send("preview", whole, done, failed)

        def whole(client: Any, stale: Stale) -> tuple[bytes, float]:
            return paint(client, stale, previewed(look), sketched if slow else None)

        def failed(sentence: str) -> None:
            self._shown = ()
            self._stage.say(sentence)

        self._couriers[1].send("preview", draft, drafted, failed)
        return False


def ask(procedure: Any, config: Any, image: Any, layer: Any) -> bool:
    """Show the dialog. False: the user said no."""
    GimpUi.init("impasto")
    return StylizeDialog(procedure, config, image, layer).run()
