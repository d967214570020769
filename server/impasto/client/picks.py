"""Clicks on a picture, and the selector's text that says the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[int, int, bool]
"""x, y in pixels of the layer, and whether it adds."""

NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")


class Picks(NamedTuple):
    """Points, or a box as left, top, right, bottom: one of the two, or neither."""

    points: tuple[Point, ...] = ()
    box: tuple[int, int, int, int] | None = None

    def clicked(self, x: int, y: int, adds: bool) -> Picks:
        """One point more; a box makes way."""
        return Picks((*self.points, (x, y, adds)))

    def dragged(self, x0: int, y0: int, x1: int, y1: int) -> Picks:
        """A box; points make way."""
        return Picks((), (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))

    def undone(self) -> Picks:
        """Without the last click or the box."""
        return Picks(self.points[:-1])

    def scaled(self, across: float, down: float) -> Picks:
        """The same on a picture of another size."""
        points = tuple((int(x * across), int(y * down), adds) for x, y, adds in self.points)
        if self.box is None:
            return Picks(points)
        x0, y0, x1, y1 = self.box
        return Picks(points, (int(x0 * across), int(y0 * down), int(x1 * across), int(y1 * down)))

    def text(self) -> str:
        """As a selector; empty where nothing was added."""
        if self.box:
            return "box:" + ",".join(map(str, self.box))
        if not any(adds for _x, _y, adds in self.points):
            return ""
        return "points:" + ";".join(f"{'' if adds else '-'}{x},{y}" for x, y, adds in self.points)


def parse(select: str) -> Picks | None:
    """The picks behind a selector's text; None where it says something else."""
    kind, _, rest = select.strip().partition(":")
    if kind not in ("box", "point", "points") or re.search(r"[^-\d.,;\s]", rest):
        return None
    groups = [NUMBERS.findall(group) for group in rest.split(";")]
    if kind == "box":
        return Picks((), _four(groups[0])) if len(groups) == 1 and len(groups[0]) == 4 else None
    if any(len(group) != 2 for group in groups):
        return None
    return Picks(tuple(_point(group) for group in groups))


def _four(words: Sequence[str]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(float(word)) for word in words)
    return x0, y0, x1, y1


def _point(words: Sequence[str]) -> Point:
    x, y = words
    return int(float(x.lstrip("-"))), int(float(y)), not x.startswith("-")
