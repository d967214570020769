"""What a region consists of, in words: “sky | (person & !points:40,60)”. Knows no pixels.

    sky, person, ...          a semantic class, see `CLASSES`
    subject, background       what the picture is of, and all the rest
    points:X,Y;-X,Y           the object at X, Y that is not at the point with the minus
    box:X0,Y0,X1,Y1           the object in a box
    segment:ID                one of `impasto segment --everything`
    mask:FILE, attachment:N   a painted mask: its alpha when it has one, else its lightness
    luminance:LOW-HIGH        from dark 0 to light 1
    color:#RRGGBB[,AMOUNT]    near a colour, at most AMOUNT away (0.1 of Oklab)
    !a   a & b   a | b   a - b   (a)
    grow(a, PX)   shrink(a, PX)   feather(a, PX)

A minus between selectors has a space on each side, a file name with spaces stands in double
quotes. Coordinates and distances are pixels of the whole picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from impasto.errors import JobError, did_you_mean

CLASSES = (
    "sky",
    "building",
    "vegetation",
    "ground",
    "water",
    "mountain",
    "person",
    "animal",
    "vehicle",
    "interior",
    "other",
)
WHOLES = ("subject", "background")
KINDS = ("points", "point", "box", "segment", "mask", "attachment", "luminance", "color")
FUNCTIONS = ("grow", "shrink", "feather")
TOLERANCE = 0.1
FARTHEST = 10_000.0
"""Pixels that a mask can be grown, shrunk or feathered by."""

LONGEST = 10_000
"""Characters of a selector."""

DEEPEST = 50
"""Parentheses, functions and “!” within each other."""

TOKEN = re.compile(
    r"""\s*(?:
        (?P<minus>-(?=\s))
      | (?P<sign>[()&|!,])
      | (?P<word>[A-Za-z][\w-]*(?::(?:"(?:[^"\\]|\\.)*"|(?:[^\s()&|!",]|,(?=[^\s]))*))?)
      | (?P<number>\d+(?:\.\d+)?)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Named:
    """A class, the subject or the background."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Points:
    """An object by clicks: x, y, and whether the point lies on it."""

    points: tuple[tuple[float, float, bool], ...]

    def __str__(self) -> str:
        return "points:" + ";".join(f"{'' if on else '-'}{x:.10g},{y:.10g}" for x, y, on in self.points)


@dataclass(frozen=True)
class Box:
    """An object by a box around it: left, top, right, bottom."""

    corners: tuple[float, float, float, float]

    def __str__(self) -> str:
        return "box:" + ",".join(f"{value:.10g}" for value in self.corners)


@dataclass(frozen=True)
class Segment:
    """One of the segments that a picture falls into, by its number from 1."""

    number: int

    def __str__(self) -> str:
        return f"segment:{self.number}"


@dataclass(frozen=True)
class Painted:
    """A painted mask: a file's path, or `attachment:N`."""

    ref: str

    def __str__(self) -> str:
        if self.ref.startswith("attachment:"):
            return self.ref
        plain = re.fullmatch(r"[^\s()&|!\",]+", self.ref)
        return f"mask:{self.ref if plain else json.dumps(self.ref, ensure_ascii=False)}"


@dataclass(frozen=True)
class Luminance:
    """A range of lightness, each in 0..1."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"luminance:{self.low:.10g}-{self.high:.10g}"


@dataclass(frozen=True)
class Colour:
    """Colours no farther than `tolerance` in Oklab from an sRGB colour, 0..255 each."""

    rgb: tuple[int, int, int]
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        amount = "" if self.tolerance == TOLERANCE else f",{self.tolerance:.10g}"
        return "color:#" + bytes(self.rgb).hex() + amount


@dataclass(frozen=True)
class Not:
    inner: Selector

    def __str__(self) -> str:
        return f"!{_tight(self.inner)}"


@dataclass(frozen=True)
class Pair:
    """Two selectors and what joins them: “&”, “|” or “-”."""

    sign: str
    left: Selector
    right: Selector

    def __str__(self) -> str:
        return f"{_tight(self.left)} {self.sign} {_tight(self.right)}"


@dataclass(frozen=True)
class Changed:
    """A selector grown, shrunk or feathered by some pixels."""

    function: str
    inner: Selector
    amount: float

    def __str__(self) -> str:
        return f"{self.function}({self.inner}, {self.amount:.10g})"


Selector = Named | Points | Box | Segment | Painted | Luminance | Colour | Not | Pair | Changed


def _tight(selector: Selector) -> str:
    return f"({selector})" if isinstance(selector, Pair) else str(selector)


def parts(selector: Selector) -> Iterator[Selector]:
    """A selector and all that it is made of."""
    yield selector
    if isinstance(selector, Not | Changed):
        yield from parts(selector.inner)
    elif isinstance(selector, Pair):
        yield from parts(selector.left)
        yield from parts(selector.right)


def with_masks(selector: Selector, rename: Callable[[str], str]) -> Selector:
    """The selector with each painted mask's reference replaced by what `rename` makes of it."""
    if isinstance(selector, Painted):
        return Painted(rename(selector.ref))
    if isinstance(selector, Not | Changed):
        return replace(selector, inner=with_masks(selector.inner, rename))
    if isinstance(selector, Pair):
        left, right = (with_masks(side, rename) for side in (selector.left, selector.right))
        return replace(selector, left=left, right=right)
    return selector


def parse(text: str) -> Selector:
    """Read a selector; `str` writes it back.

    Raises:
        JobError: it is not understood; with what is wrong and the nearest known word.
    """
    return _Parser(text).whole()


class _Parser:
    """Precedence from loose to tight: “|” and “-”, “&”, “!”."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.depth = 0
        if len(text) > LONGEST:
            raise JobError(f"A selector has at most {LONGEST} characters, not {len(text)}.")
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                self.fail(f"“{text[at:].strip()[:20]}” is not understood")
            assert found.lastgroup
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def fail(self, why: str) -> NoReturn:
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        raise JobError(f"The selector “{shown}”: {why}.")

    def peek(self) -> str:
        return self.tokens[0][1] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        if not self.tokens or (wanted and self.peek() != wanted):
            seen = f", not “{self.peek()}”" if self.tokens else ""
            self.fail(f"“{wanted or 'a name'}” is expected{seen or ' at its end'}")
        return self.tokens.pop(0)[1]

    def whole(self) -> Selector:
        selector = self.union()
        if self.tokens:
            self.fail(f"“{self.peek()}” is not expected")
        return selector

    def union(self) -> Selector:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"it is nested deeper than {DEEPEST}")
        left = self.intersection()
        while self.peek() in ("|", "-"):
            left = Pair(self.take(), left, self.intersection())
        self.depth -= 1
        return left

    def intersection(self) -> Selector:
        left = self.inverse()
        while self.peek() == "&":
            left = Pair(self.take(), left, self.inverse())
        return left

    def inverse(self) -> Selector:
        turns = 0
        while self.peek() == "!":
            self.take()
            turns += 1
        selector = self.atom()
        return Not(selector) if turns % 2 else selector

    def atom(self) -> Selector:
        if self.peek() == "(":
            self.take()
            inner = self.union()
            self.take(")")
            return inner
        if not self.tokens or self.tokens[0][0] != "word":
            seen = f"before “{self.peek()}”" if self.tokens else "at its end"
            self.fail(f"a name is missing {seen}")
        word = self.take()
        kind, colon, rest = word.partition(":")
        if not colon and self.peek() == "(":
            return self.function(kind)
        if not colon and kind in (*CLASSES, *WHOLES):
            return Named(kind)
        if not colon or kind not in KINDS:
            known = [*CLASSES, *WHOLES, *(f"{name}:" for name in KINDS)]
            self.fail(f"“{kind}” is no class{did_you_mean(kind, known) or ' (' + ', '.join(known) + ')'}")
        return self.argument(kind, rest)

    def function(self, name: str) -> Selector:
        if name not in FUNCTIONS:
            self.fail(f"“{name}” is no function{did_you_mean(name, list(FUNCTIONS))}")
        self.take("(")
        inner = self.union()
        self.take(",")
        amount = self.number(self.take(), "a distance in pixels", 0, FARTHEST)
        self.take(")")
        return Changed(name, inner, amount)

    def argument(self, kind: str, text: str) -> Selector:
        if kind == "mask":
            return Painted(self.path(text))
        if kind == "attachment":
            return Painted(f"attachment:{int(self.number(text, 'an attachment', 0, 1e6, whole=True))}")
        if kind == "segment":
            return Segment(int(self.number(text, "a segment", 1, 65_535, whole=True)))
        if kind == "luminance":
            ends = re.fullmatch(r"([\d.]+)-([\d.]+)", text)
            if not ends:
                self.fail("luminance needs a range, such as “luminance:0.6-1”")
            low, high = (self.number(end, "luminance", 0, 1) for end in ends.groups())
            return Luminance(min(low, high), max(low, high))
        if kind == "color":
            return self.colour(text)
        if kind == "box":
            corners = [self.number(word, "a corner of a box", -1e6, 1e6) for word in text.split(",")]
            if len(corners) != 4:
                self.fail("a box has four numbers, such as “box:10,20,200,300”")
            x0, y0, x1, y1 = corners
            return Box((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
        return Points(tuple(self.point(group) for group in text.split(";")))

    def point(self, text: str) -> tuple[float, float, bool]:
        words = text.strip().removeprefix("-").split(",")
        if len(words) != 2:
            self.fail("a point has two numbers, such as “points:120,80;-200,90”")
        x, y = (self.number(word, "a point", -1e6, 1e6) for word in words)
        return x, y, not text.strip().startswith("-")

    def colour(self, text: str) -> Selector:
        code, comma, amount = text.partition(",")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", code):
            self.fail("a colour is written as “color:#4080c0”")
        red, green, blue = bytes.fromhex(code[1:])
        tolerance = self.number(amount, "a colour's tolerance", 0, 2) if comma else TOLERANCE
        return Colour((red, green, blue), tolerance)

    def path(self, text: str) -> str:
        if text.startswith('"'):
            try:
                text = json.loads(text)
            except ValueError:
                self.fail(f"the file name {text} is not understood")
        if not text or "\0" in text:
            self.fail("a file is missing after “mask:”")
        return text

    def number(self, text: str, what: str, low: float, high: float, whole: bool = False) -> float:
        try:
            value = float(int(text) if whole else text)
        except (ValueError, OverflowError):
            self.fail(f"{what} needs a {'whole ' if whole else ''}number, not “{text}”")
        if not low <= value <= high:  # nor is NaN
            self.fail(f"{what} must lie between {low:.10g} and {high:.10g}, not {text}")
        return value
