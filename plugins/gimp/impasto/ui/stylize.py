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
from copies import small_copy  # noqa: E402
from gi.repository import GimpUi, GLib, Gtk  # noqa: E402
from layers import Trouble  # noqa: E402
from painter import open_courier  # noqa: E402
from texts import _  # noqa: E402

from ui.choosers import choose_picture  # noqa: E402
from ui.gallery import Shelf  # noqa: E402
from ui.palette import Palette  # noqa: E402
from ui.stage import Stage  # noqa: E402

DELAY = 60
"""Milliseconds after a change until the preview follows: a slider moves many times a second."""

DRAFT = 2.0
"""Times the stroke size of a draft: a quarter of the work, shown until the true preview is there."""

QUICK = 0.4
"""Seconds within which a preview needs no draft before it."""

PREVIEW = (480, 400)
"""Most pixels across and down of the preview."""

SLIDERS = ("strength", "scale", "keep-color", "detail")


def engine_titles() -> dict[str, str]:
    """What the techniques are called, by the daemon's names."""
    return {
        "gallery": _("Gallery network: any style, at once"),
        "adain": _("AdaIN: after a picture"),
        "optimise": _("Optimisation: after a picture, slowly"),
    }


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
        self._engine = Gtk.ComboBoxText()
        self._engine.connect("changed", self._set_engine)
        self._arrange()
        config.connect("notify", lambda _config, what: self._noticed(what.name))
        self._palette.take(extras.of_config(config))
        self._follow()
        self._list_engines()
        self._stage.wait(_("Looking for the daemon…"))
        self._shelf.load(self._couriers[0], self._loaded, self._stage.say)
        self._later()

    def run(self) -> bool:
        """Show it until the user has decided."""
        agreed = self.dialog.run()
        for courier in self._couriers:
            courier.close()
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
        line = Gtk.Box(spacing=6)
        label = Gtk.Label(label=_("_Engine:"), use_underline=True, xalign=0)
        label.set_mnemonic_widget(self._engine)
        line.pack_start(label, False, False, 0)
        line.pack_start(self._engine, True, True, 0)
        left.pack_start(line, False, False, 0)
        sides = Gtk.Box(spacing=12, border_width=12)
        sides.pack_start(left, True, True, 0)
        sides.pack_start(self._palette, True, True, 0)
        self.dialog.get_content_area().pack_start(sides, True, True, 0)
        sides.show_all()

    def _loaded(self) -> None:
        self._palette.refill()
        self._list_engines()
        if not settings.style_of(self._config) and self._shelf.styles:
            self._set_style(self._shelf.styles[0]["name"])

    def _list_engines(self) -> None:
        chosen = self._config.get_property("engine") or "auto"
        self._engine.remove_all()
        self._engine.append("auto", _("Automatic"))
        for engine in self._shelf.catalogue.get("engines", []):
            text = engine_titles().get(engine["name"], engine["name"])
            if not engine.get("ready", True):
                text = _("{engine} (not installed)").format(engine=text)
            self._engine.append(engine["name"], text)
        if not self._engine.set_active_id(chosen):
            self._engine.append(chosen, chosen)
            self._engine.set_active_id(chosen)

    def _set_engine(self, combo: Any) -> None:
        if combo.get_active_id() and combo.get_active_id() != self._config.get_property("engine"):
            self._config.set_property("engine", combo.get_active_id())

    def _set_style(self, text: str) -> None:
        settings.set_style(self._config, text)

    def _noticed(self, what: str) -> None:
        if what == "style":
            self._follow()
        elif what == "engine":
            self._engine.set_active_id(self._config.get_property("engine"))
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

        def paint(client: Any, stale: Stale, factor: float) -> tuple[bytes, float]:
            from time import monotonic

            began = monotonic()
            own = look | {"scale": min(look.get("scale", 1.0) * factor, 4.0)}
            _meta, data = client.run(
                job(own), small.meta(), small.data, None, stale, "interactive", enclosures
            )
            return bytes(data), monotonic() - began

        def done(answer: tuple[bytes, float]) -> None:
            data, self._took = answer
            self._stage.show_painting(data)
            self._stage.say("")

        def draft(client: Any, stale: Stale) -> bytes | None:
            return paint(client, stale, DRAFT)[0] if self._took > QUICK else None

        def drafted(data: bytes | None) -> None:
            if data is not None:
                self._stage.show_painting(data)
            self._couriers[1].send("preview", lambda client, stale: paint(client, stale, 1.0), done, failed)

        def failed(sentence: str) -> None:
            self._shown = ()
            self._stage.say(sentence)

        self._couriers[1].send("preview", draft, drafted, failed)
        return False


def ask(procedure: Any, config: Any, image: Any, layer: Any) -> bool:
    """Show the dialog. False: the user said no."""
    GimpUi.init("impasto")
    return StylizeDialog(procedure, config, image, layer).run()
