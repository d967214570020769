"""What each procedure does. All return whether the user went through with it."""

from __future__ import annotations

from functools import partial
from typing import Any

import layers
import painter
import results
import settings
from client.looks import Package, job, region_title, with_selection
from client.picks import parse
from client.planes import as_bytes
from client.subjects import titles
from gi.repository import Gimp
from masks import CHANNEL, GIMPS_OWN, enclose_mask, selected
from texts import _
from watching import Watch

LAST = "impasto-last"
"""Parasite of GIMP itself: the procedure that painted last."""


def stylize(procedure: Any, mode: Any, image: Any, layer: Any, config: Any) -> bool:
    """Paint a layer, or regions of it, into a group above it."""
    layers.check(image, layer)
    if mode == Gimp.RunMode.INTERACTIVE and not _ask(procedure, config, image, layer):
        return False
    source = layers.read(image, layer)  # after the dialog, during which one may draw and select
    results.place(image, layer, paint(mode, image, layer, source, config))
    Gimp.attach_parasite(Gimp.Parasite.new(LAST, 1, list(procedure.get_name().encode())))
    return True


def again(_procedure: Any, _mode: Any, image: Any, layer: Any, _config: Any) -> bool:
    """Do what was done last, with the same settings.

    Raises:
        Trouble: nothing was painted yet.
    """
    parasite = Gimp.get_parasite(LAST)
    name = bytes(parasite.get_data()).decode() if parasite else ""
    last = Gimp.get_pdb().lookup_procedure(name) if name else None
    if last is None:
        raise layers.Trouble(_("Nothing was painted yet; use Filters > Impasto > Stylize."))
    own = last.create_config()
    own.set_property("run-mode", Gimp.RunMode.WITH_LAST_VALS)
    own.set_property("image", image)
    own.set_core_object_array("drawables", [layer])
    result = last.run(own)
    if result.index(0) == Gimp.PDBStatusType.CANCEL:
        return False
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise layers.Trouble(result.index(1) or _("Painting again has failed."))
    return True


def repaint(procedure: Any, mode: Any, image: Any, layer: Any, config: Any) -> bool:
    """Paint anew what a layer of ours was painted from, with its settings, and put it in its place.

    Raises:
        Trouble: it is none of ours, or what it was painted from has gone.
    """
    old = results.look_of(layer)
    if old is None:
        raise layers.Trouble(_("This layer was not painted by Impasto; use Filters > Impasto > Stylize."))
    origin = image.get_layer_by_tattoo(old.get("source", 0)) if old.get("source") else None
    if origin is None:
        raise layers.Trouble(
            _("The layer that “{name}” was painted from has gone; stylize another layer instead.").format(
                name=layer.get_name()
            )
        )
    settings.put(config, old)
    layers.check(image, origin, selection=False)
    if mode == Gimp.RunMode.INTERACTIVE and not _ask(procedure, config, image, origin):
        return False
    source = layers.read(image, origin, selection=False)
    results.replace(image, layer, paint(mode, image, origin, source, config))
    return True


def paint(mode: Any, image: Any, layer: Any, source: layers.Source, config: Any) -> list[results.Piece]:
    """Have a layer painted by the settings in `config`; the result's layers, from bottom to top.

    An engine that takes its time shows sketches, unless a script has called.
    """
    package, look = settings.package(config)
    regions = settings.regions(config)
    if not look.get("style") and not regions:
        raise layers.Trouble(_("No style is chosen; choose one in Filters > Impasto > Stylize."))
    kept = settings.remembered(config) | {"source": layer.get_tattoo()}
    told = [_told(region, image, layer, source, package) for region in regions]
    text = job(look, told, "layers" if told else "")
    Gimp.progress_init(_("Impasto is painting"))
    if mode == Gimp.RunMode.NONINTERACTIVE:
        meta, data = painter.paint(text, source, package.enclosures, _progress())
    else:
        watch = Watch(image, layer, _progress())
        meta, data = watch.over(partial(painter.paint, text, source, package.enclosures))
    Gimp.progress_end()
    if not told:
        title = settings.label(config)
        return [results.Piece(title, source.box, source.layout, data, source.selection, kept)]
    titles = [region_title(region, settings.names(config, region)) for region in regions]
    return [_piece(entry, data, source, titles, settings.label(config), kept) for entry in meta["layers"]]


def _piece(
    entry: dict[str, Any],
    data: Any,
    source: layers.Source,
    titles: list[str],
    base: str,
    kept: dict[str, Any],
) -> results.Piece:
    """One of the daemon's layers as one of GIMP's."""
    box = source.box._replace(
        x=source.box.x + entry["x"], y=source.box.y + entry["y"], width=entry["width"], height=entry["height"]
    )
    pixels = data[entry["offset"] : entry["offset"] + entry["size"]]
    if entry["region"] < 0:
        return results.Piece(base, box, source.layout, pixels, source.selection, kept)
    mask = entry["mask"]
    kind = {"uint8": "Y u8", "uint16": "Y u16"}[mask["dtype"]]
    own = (kind, data[mask["offset"] : mask["offset"] + mask["size"]])
    return results.Piece(titles[entry["region"]], box, source.layout, pixels, own, kept)


def _told(
    region: dict[str, Any], image: Any, layer: Any, source: layers.Source, package: Package
) -> dict[str, Any]:
    """A region as the daemon takes it: GIMP's masks go along, and the selection limits it."""
    select = region["select"]
    if select in GIMPS_OWN or select.startswith(CHANNEL):
        select = package.enclose(select, enclose_mask(select, image, layer))
    if source.selection:
        select = with_selection(select, package.enclose("selection", selected(source)))
    return package.region(settings.sent(region)) | {"select": select}


def select(procedure: Any, mode: Any, image: Any, layer: Any, config: Any) -> bool:
    """Turn a thing into a selection or a channel."""
    layers.check(image, layer, selection=False)
    if mode == Gimp.RunMode.INTERACTIVE:
        from ui.select import ask

        if not ask(procedure, config, image, layer):
            return False
    source = layers.read(image, layer, selection=False)
    wanted = config.get_property("select")
    if not wanted:
        raise layers.Trouble(_("Nothing was chosen; click on the thing that you want to select."))
    Gimp.progress_init(_("Impasto is selecting"))
    meta, data = painter.paint(
        job({}, [{"select": wanted, "style": "none"}], "masks"), source, [], _progress()
    )
    Gimp.progress_end()
    entry = meta["layers"][0]
    found = as_bytes(data[entry["offset"] : entry["offset"] + entry["size"]], entry["dtype"])
    if not any(found):
        raise layers.Trouble(_("Nothing was found there; click somewhere else."))
    name = _("Clicked thing") if parse(wanted) else titles(_).get(wanted, wanted)
    results.place_mask(image, source.box, found, config.get_property("outcome"), name)
    return True


def _ask(procedure: Any, config: Any, image: Any, layer: Any) -> bool:
    """Show the dialog that fits the procedure, or the settings that a layer remembers."""
    if config.find_property("regions") and (
        procedure.get_name().endswith("regions") or config.get_property("regions")
    ):
        from ui.regions import ask
    else:
        from ui.stylize import ask
    return ask(procedure, config, image, layer)


def _progress() -> Any:
    """What shows GIMP's progress bar."""
    last = ""

    def progress(fraction: float, text: str) -> None:
        nonlocal last
        if text != last:
            Gimp.progress_set_text(f"Impasto: {_(text)}" if text else "Impasto")
            last = text
        Gimp.progress_update(min(fraction, 1.0))

    return progress
