"""What is to be painted, as the daemon takes it; nothing here knows Krita or Qt.

A region is a dictionary: `select` (the daemon's words, or `mask:KEY` for a mask of Krita's),
`name`, and optionally `style` (like a look's, or "none"), `strength` and `feather`; what is
missing is as in the look.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .client.looks import NO_STYLE, Enclosure, Package, Part, job, with_selection
from .client.picks import parse as parse_picks
from .client.qualities import FAST
from .settings import USUAL
from .texts import Unsuitable, _

MASK = "mask:"

_files: dict[tuple[str, int], Enclosure] = {}


class Recipe(NamedTuple):
    """A look (see `settings.new_look`) and its regions, from bottom to top."""

    look: dict[str, Any]
    regions: list[dict[str, Any]]

    def copied(self) -> Recipe:
        """The same, which no later change reaches."""
        return copy.deepcopy(self)

    @property
    def masks(self) -> list[str]:
        """Keys of Krita's masks that the regions need."""
        selects = (region["select"] for region in self.regions)
        return [select[len(MASK) :] for select in selects if select.startswith(MASK)]

    @property
    def paints(self) -> bool:
        """Whether there is anything to paint."""
        return bool(self.look["style"]) or any(_style(region) for region in self.regions)

    @property
    def is_slow(self) -> bool:
        """Whether the painting takes its time, and shows sketches."""
        return self.look["engine"] != FAST

    @property
    def finest(self) -> float:
        """The smallest stroke size."""
        return min(look.get("scale", USUAL["scale"]) for look in (self.look, *self.regions))

    def packed(
        self,
        masks: Mapping[str, Enclosure],
        selection: Enclosure | None = None,
        scale: float = 1.0,
        deliver: str = "",
    ) -> tuple[str, list[Enclosure]]:
        """The daemon's job, and what goes along with it.

        Args:
            masks: as large as the picture, for each of `masks`.
            selection: limits the regions.
            scale: the picture's size by the document's; below 1 for a preview.

        Raises:
            Unsuitable: a style's file cannot be read.
        """
        refs = [part[0] for owner in (self.look, *self.regions) for part in _style(owner)]
        package = Package({ref: file(ref) for ref in refs if is_file(ref)})
        look = package.look({**self.look, "style": [Part(*part) for part in self.look["style"]]})
        return job(
            look,
            [self._region(region, package, masks, selection, scale) for region in self.regions],
            deliver if self.regions else "",
        ), package.enclosures

    def _region(
        self,
        region: dict[str, Any],
        package: Package,
        masks: Mapping[str, Enclosure],
        selection: Enclosure | None,
        scale: float,
    ) -> dict[str, Any]:
        select = scaled(region["select"], scale)
        if select.startswith(MASK):
            select = package.enclose(select, masks[select[len(MASK) :]])
        if selection is not None:
            select = with_selection(select, package.enclose("selection", selection))
        told = {**region, "select": select}
        if isinstance(region.get("style"), list):
            told["style"] = [Part(*part) for part in region["style"]]
        if region.get("feather"):
            told["feather"] = region["feather"] * scale
        return package.region(told)


def scaled(select: str, scale: float) -> str:
    """A selector on a picture of another size."""
    picks = parse_picks(select)
    return picks.scaled(scale, scale).text() if picks and scale != 1.0 else select


def _style(owner: Mapping[str, Any]) -> list[Any]:
    style = owner.get("style")
    return style if isinstance(style, list) else []


def is_file(ref: str) -> bool:
    """Whether a style is a picture on disk, rather than one that the daemon knows by name."""
    return Path(ref).is_absolute()


def file(ref: str) -> Enclosure:
    """A style's file, as it goes along with a job.

    Raises:
        Unsuitable: it cannot be read.
    """
    path = Path(ref)
    try:
        key = (ref, path.stat().st_mtime_ns)
        if key not in _files:
            _files.clear()  # previews ask for the same one again and again
            _files[key] = {"kind": "file", "name": path.name}, path.read_bytes()
    except OSError as error:
        raise Unsuitable(
            _("The style picture “{name}” cannot be read ({reason}); choose another.").format(
                name=path.name, reason=error.strerror
            )
        ) from None
    return _files[key]


def title(style: Any, name: Callable[[str], str]) -> str:
    """What a style is called."""
    return _("none") if style == NO_STYLE else " + ".join(name(part[0]) for part in style or [])
