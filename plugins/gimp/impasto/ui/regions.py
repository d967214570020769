"""The dialog of Stylize regions."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
import extras  # noqa: E402
import settings  # noqa: E402
from client.courier import Stale  # noqa: E402
from client.looks import LAYER, NO_STYLE, PICTURE, job, title  # noqa: E402
from client.looks import parse as parts  # noqa: E402
from client.picks import Picks, parse  # noqa: E402
from client.qualities import previewed  # noqa: E402
from gi.repository import GimpUi, GLib, Gtk  # noqa: E402
from layers import Trouble  # noqa: E402
from painter import open_courier  # noqa: E402
from texts import _  # noqa: E402

from ui import picture, subjects  # noqa: E402
from ui.finder import Finder  # noqa: E402
from ui.gallery import Shelf  # noqa: E402
from ui.picker import COLOURS, Picker  # noqa: E402
from ui.quality import QualityBox  # noqa: E402
from ui.region_form import RegionForm  # noqa: E402
from ui.region_list import RegionList  # noqa: E402
from ui.style_window import StyleWindow  # noqa: E402

SIZE = (560, 470)
"""Most pixels across and down of the picture."""

THUMBNAIL = 32
REST = -1
"""Index of what is in no region."""


class RegionsDialog:
    """Asks for regions and their styles; they are in `config` when `run` returns true."""

    def __init__(self, procedure: Any, config: Any, image: Any, layer: Any) -> None:
        self._config, self._image, self._layer = config, image, layer
        self._regions = settings.regions(config)
        self._masks: dict[int, bytes] = {}
        self._keeping = False
        self._shelf = Shelf()
        self._courier, self._finding = open_courier(), open_courier()
        self._finder = Finder(self._finding, image, layer)
        self.dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Stylize regions with Impasto"))
        self.dialog.set_ok_label(_("_Paint"))
        self._picker = Picker(self._finder.small, self._finder.size, *SIZE, self._pick)
        self._list = RegionList(self._describe, self._choose, self._add, self._move, self._remove)
        self._form = RegionForm(image, layer, self._choose_subject, self._ask_style, self._set_numbers)
        self._styles = StyleWindow(self.dialog, self._shelf, layer, self._set_style, self._take)
        self._quality = QualityBox(config, self._shelf)
        self._preview = Gtk.ToggleButton(label=_("_Preview the painting"), use_underline=True)
        self._arrange()
        if not self._regions:
            self._regions = [self._fresh()]
        self._list.build(len(self._regions), len(self._regions) - 1)
        self._fill()
        self._picker.wait(_("Looking for the daemon…"))
        self._shelf.load(self._courier, self._loaded, self._picker.say)
        self._finder.warm()
        config.connect("notify::regions", lambda *_: self._follow())
        config.connect("notify::engine", lambda *_: self._show())

    def run(self) -> bool:
        """Show it until the user has decided."""
        agreed = self.dialog.run()
        self._courier.close()
        self._finding.close()
        self._styles.destroy()
        self.dialog.destroy()
        return agreed

    def _arrange(self) -> None:
        self._preview.connect("toggled", lambda _button: self._show())
        right = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=10)
        right.pack_start(self._list, True, True, 0)
        right.pack_start(self._form, False, False, 0)
        right.pack_start(self._quality, False, False, 0)
        right.pack_start(self._preview, False, False, 0)
        sides = Gtk.Box(spacing=12, border_width=12)
        sides.pack_start(self._picker, True, True, 0)
        sides.pack_start(right, False, False, 0)
        self.dialog.get_content_area().pack_start(sides, True, True, 0)
        sides.show_all()

    # What the widgets show, and what the user does with them.

    def _loaded(self) -> None:
        self._quality.fill()
        self._styles.refill()
        for region in self._regions:
            if not region.get("style") and self._shelf.styles:
                region["style"] = self._unused_style()
        self._picker.say("")
        self._changed()
        self._show()

    def _follow(self) -> None:
        """The settings were set elsewhere: by a preset or by Reset."""
        if not self._keeping:
            self._regions = settings.regions(self._config) or [self._fresh()]
            self._masks.clear()
            self._list.build(len(self._regions), len(self._regions) - 1)
            self._fill()
            self._show()

    def _fresh(self) -> dict[str, Any]:
        return {"select": "", "style": self._unused_style(), "strength": 1.0, "feather": self._soft()}

    def _soft(self) -> float:
        """A feather that fits the layer's size."""
        return float(round(max(self._finder.size) / 300))

    def _unused_style(self) -> str:
        used = {part.ref for region in self._regions for part in parts(region.get("style") or "")}
        names = [style["name"] for style in self._shelf.styles]
        return next((name for name in names if name not in used), names[0] if names else "")

    def _style_of(self, index: int) -> str:
        if index == REST:
            return settings.style_of(self._config) or NO_STYLE
        return self._regions[index].get("style") or NO_STYLE

    def _extras_of(self, index: int) -> dict[str, Any]:
        own = {} if index == REST else extras.of_region(self._regions[index])
        return extras.of_config(self._config) | own

    def _style_title(self, index: int) -> str:
        names = {style["name"]: style["title"] for style in self._shelf.styles}
        return title(self._style_of(index), names | extras.names(self._extras_of(index)))

    def _what(self, index: int) -> str:
        if index == REST:
            return _("The rest")
        return subjects.title(self._regions[index]["select"], self._image, self._layer)

    def _describe(self, index: int) -> tuple[tuple[int, int, int] | None, Any, str]:
        ref = next((part.ref for part in parts(self._style_of(index))), NO_STYLE)
        found = self._extras_of(index)
        thumbnail = picture.of_extra(ref, found[ref], THUMBNAIL) if ref in found else None
        if ref != NO_STYLE:
            thumbnail = thumbnail or self._shelf.picture(ref, THUMBNAIL)
        colour = None if index == REST else COLOURS[index % len(COLOURS)]
        text = _("{region}: {style}").format(region=self._what(index), style=self._style_title(index))
        return colour, thumbnail, text

    def _fill(self) -> None:
        """Show the chosen region's values."""
        index = self._list.index
        region = {} if index == REST else self._regions[index]
        strength = self._config.get_property("strength") if index == REST else region.get("strength", 1.0)
        self._form.fill(region, strength, self._style_title(index), index == REST)

    def _changed(self) -> None:
        """Put what was edited into the settings, and show it in the list."""
        self._keep()
        self._list.build(len(self._regions), self._list.index)
        self._fill()

    def _keep(self) -> None:
        """Put the regions into the settings, with what their layers will be called."""
        told = [region for region in self._regions if region["select"]]
        for region in told:
            region["name"] = subjects.title(region["select"], self._image, self._layer)
        self._keeping = True
        settings.set_regions(self._config, told)
        self._keeping = False

    def _choose(self, _index: int) -> None:
        self._fill()
        self._show()

    def _add(self) -> None:
        self._regions.append(self._fresh())
        self._list.build(len(self._regions), len(self._regions) - 1)
        self._fill()
        self._preview.set_active(False)
        self._show()

    def _move(self, index: int, by: int) -> None:
        other = index + by
        self._regions[index], self._regions[other] = self._regions[other], self._regions[index]
        self._masks[index], self._masks[other] = self._masks.get(other, b""), self._masks.get(index, b"")
        self._list.build(len(self._regions), other)
        self._changed()
        self._show()

    def _remove(self, index: int) -> None:
        del self._regions[index]
        self._masks = {n - (n > index): mask for n, mask in self._masks.items() if n != index}
        self._list.build(len(self._regions), len(self._regions) - 1)
        self._changed()
        self._show()

    def _pick(self, picks: Picks) -> None:
        if self._list.index == REST:
            self._add()
            picks = Picks(picks.points[-1:], picks.box)
        self._preview.set_active(False)
        self._regions[self._list.index]["select"] = picks.text()
        self._changed()
        self._show(picks)

    def _choose_subject(self, select: str) -> None:
        if self._list.index == REST:
            return
        self._regions[self._list.index]["select"] = select
        self._changed()
        self._show()

    def _ask_style(self) -> None:
        index = self._list.index
        self._styles.show(self._what(index), self._style_of(index), self._extras_of(index))

    def _set_style(self, style: str) -> None:
        index = self._list.index
        if index == REST:
            settings.set_style(self._config, "" if style == NO_STYLE else style)
        else:
            region = self._regions[index]
            region["style"] = style
            used = {part.ref for part in parts(style)}
            for ref in {PICTURE, LAYER} - used:
                region.pop(ref, None)
        self._changed()
        self._show()

    def _take(self, ref: str, source: Any) -> None:
        """A file or a layer is to be a style, or a part of it."""
        if self._list.index == REST:
            self._config.set_property(extras.ARGUMENTS[ref], source)
        else:
            self._regions[self._list.index][ref] = extras.kept(ref, source)

    def _set_numbers(self, numbers: dict[str, float]) -> None:
        if self._list.index == REST:
            self._config.set_property("strength", numbers["strength"])
        else:
            self._regions[self._list.index] |= numbers
            self._keep()
        self._show()

    # What the picture shows: the masks of all regions, or their painting.

    def _show(self, picks: Picks | None = None) -> None:
        if self._preview.get_active():
            self._show_painting()
            return
        index = self._list.index
        if index == REST or not self._regions[index]["select"]:
            self._masks.pop(index, None)
            self._show_masks(picks)
            self._picker.say("")
            return
        region = self._regions[index]

        def done(mask: bytes) -> None:
            self._masks[index] = mask
            self._show_masks(picks)
            self._picker.say("" if any(mask) else _("Nothing was found there; click somewhere else."))

        self._picker.wait(_("Looking…"))
        self._show_masks(picks)
        numbers = region.get("feather", 0), region.get("grow", 0)
        self._finder.find(region["select"], *numbers, done, self._picker.say)

    def _show_masks(self, picks: Picks | None) -> None:
        stains = [
            (mask, COLOURS[index % len(COLOURS)]) for index, mask in sorted(self._masks.items()) if mask
        ]
        index = self._list.index
        if picks is None and index != REST:
            picks = parse(self._regions[index]["select"])
        self._picker.show_masks(stains, picks)

    def _show_painting(self) -> None:
        try:
            package, look = settings.package(self._config)
        except Trouble as trouble:
            self._picker.say(str(trouble))
            return
        told = [self._finder.told(region, package) for region in self._regions if region["select"]]
        if not told and not look.get("style"):
            self._picker.say(_("Click on a thing first, or choose a style for the rest."))
            return
        small = self._finder.small
        text = job(previewed(look), told)

        def paint(client: Any, stale: Stale) -> bytes:
            def sketched(jpeg: bytes) -> None:
                GLib.idle_add(show_sketch, jpeg, stale)

            _meta, data = client.run(
                text, small.meta(), small.data, None, stale, "interactive", package.enclosures, sketched
            )
            return bytes(data)

        def show_sketch(jpeg: bytes, stale: Stale) -> None:
            if self._preview.get_active() and not stale():
                self._picker.show_sketch(jpeg)

        def done(data: bytes) -> None:
            self._picker.say("")
            if self._preview.get_active():
                self._picker.show_painting(data)

        self._picker.wait(_("Painting the preview…"))
        self._courier.send("preview", paint, done, self._picker.say)


def ask(procedure: Any, config: Any, image: Any, layer: Any) -> bool:
    """Show the dialog. False: the user said no."""
    GimpUi.init("impasto")
    return RegionsDialog(procedure, config, image, layer).run()
