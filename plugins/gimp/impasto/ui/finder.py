"""Masks of what a selector means on a layer, found by the daemon on a copy, or read from GIMP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import settings
from client.courier import Courier, Stale
from client.looks import Package, job
from client.picks import parse
from client.planes import Small, as_bytes
from copies import mask_copy, small_copy
from masks import CHANNEL, GIMPS_OWN, LAYER_MASK, source_of

SIDE = 1024
"""Longer side of the copy: Segment Anything looks at no more."""


def _is_gimps_own(select: str) -> bool:
    return select in GIMPS_OWN or select.startswith(CHANNEL)


class Finder:
    """Finds masks on a small copy of a layer, and remembers them."""

    def __init__(self, courier: Courier, image: Any, layer: Any) -> None:
        self._courier, self._image, self._layer = courier, image, layer
        self.small: Small = small_copy(image, layer, SIDE, SIDE)
        self._known: dict[tuple[str, float, float], bytes] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the layer."""
        return self._layer.get_width(), self._layer.get_height()

    def on_copy(self, select: str) -> str:
        """A selector with the layer's pixels, for the copy's."""
        picks = parse(select)
        return picks.scaled(self.small.scale, self.small.scale).text() if picks else select

    def known(self, region: dict[str, Any]) -> bytes | None:
        """The mask of a region, grown and feathered, if it was found before."""
        return self._known.get((region["select"], region.get("feather", 0), region.get("grow", 0)))

    def warm(self) -> None:
        """Have the picture looked at before the first click, which is then answered sooner."""
        middle = f"points:{self.small.width // 2},{self.small.height // 2}"
        text, small = job({}, [{"select": middle, "style": "none"}], "masks"), self.small

        def look(client: Any, stale: Stale) -> None:
            client.run(text, small.meta(), small.data, None, stale, "interactive")

        def nothing(_answer: object) -> None:  # what is wrong is said at the first click
            pass

        self._courier.send("warm", look, nothing, nothing)

    def find(
        self,
        select: str,
        feather: float,
        grow: float,
        done: Callable[[bytes], object],
        failed: Callable[[str], object],
    ) -> None:
        """Find the mask of a selector: a byte a pixel of the copy. What is still searched is dropped."""
        key = (select, feather, grow)
        if key in self._known:
            done(self._known[key])
            return
        if _is_gimps_own(select):
            done(self._gimps_own(select))
            return
        region: dict[str, Any] = {"select": self.on_copy(select), "style": "none"}
        if feather:
            region["feather"] = feather * self.small.scale
        if grow:
            region["grow"] = grow * self.small.scale
        text, small = job({}, [region], "masks"), self.small

        def ask(client: Any, stale: Stale) -> bytes:
            meta, data = client.run(text, small.meta(), small.data, None, stale, "interactive")
            entry = meta["layers"][0]
            return as_bytes(data[entry["offset"] : entry["offset"] + entry["size"]], entry["dtype"])

        def take(mask: bytes) -> None:
            self._known[key] = mask
            done(mask)

        self._courier.send("pick", ask, take, failed)

    def told(self, region: dict[str, Any], package: Package) -> dict[str, Any]:
        """A region for the copy, as the daemon takes it; what was found before is not looked for again."""
        select, sent, found = region["select"], settings.sent(region), self.known(region)
        if found is not None:
            bare = {key: value for key, value in sent.items() if key not in ("feather", "grow")}
            key = f"{select} {region.get('feather')} {region.get('grow')}"
            return package.region(bare) | {"select": package.enclose(key, self.small.enclosed_mask(found))}
        if _is_gimps_own(select):
            select = package.enclose(select, self.small.enclosed_mask(self._gimps_own(select)))
        told = package.region(sent) | {"select": self.on_copy(select)}
        return told | {key: told[key] * self.small.scale for key in ("feather", "grow") if told.get(key)}

    def _gimps_own(self, select: str) -> bytes:
        mask = source_of(select, self._image, self._layer)
        if mask is None:
            return bytes(self.small.width * self.small.height)
        _ok, x, y = self._layer.get_offsets()
        x, y = (0, 0) if select == LAYER_MASK else (x, y)
        return mask_copy(mask, x, y, self.small)
