"""A `Job` is the one description of work: what to paint with, and what to hand back.

The same dataclasses serve the command line, recipes (TOML), the daemon (JSON) and plug-ins.
They know nothing of pixels. `Job.from_dict` refuses unknown keys and values out of range with
one sentence; `Job.to_dict` leaves out what has its default value, so that a recipe stays short.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePath
from string import Formatter
from typing import Any, Self

from impasto import selector
from impasto.errors import JobError, did_you_mean

VERSION = 1
FORMATS = ("jpeg", "png", "tiff", "webp", "avif")
ENGINES = ("auto", "gallery", "adain", "optimise")
DELIVERIES = ("", "layers", "masks", "segments")
NO_STYLE = "none"
"""As the style of a region: it stays as it is."""

MAX_REGIONS = 256


def _checked(cls: type, data: Any, where: str, others: Sequence[str] = ()) -> dict[str, Any]:
    """Return `data` when it is a table with none but the fields of `cls`, and tell of `others` too."""
    if not isinstance(data, dict):
        raise JobError(f"{where} must be a table of keys and values, not {type(data).__name__}.")
    known = [field.name for field in fields(cls)]
    for key in data:
        if key not in known:
            raise JobError(f"Unknown key “{key}” in {where}{did_you_mean(str(key), [*known, *others])}.")
    return data


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JobError(f"{where} must be a number, not {value!r}.")
    if not low <= value <= high:  # nor is NaN
        raise JobError(f"{where} must lie between {low:g} and {high:g}, not {value!r}.")
    return float(value)


def _whole(value: Any, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise JobError(f"{where} must be a whole number between {low} and {high}, not {value!r}.")
    return value


def _text(value: Any, where: str) -> str:
    try:
        if isinstance(value, str) and value and "\0" not in value and value.encode():
            return value
    except UnicodeEncodeError:  # half a character, which neither TOML nor a socket can carry
        pass
    raise JobError(f"{where} must be text, not {value!r}.")


def _pattern(value: Any, where: str) -> str:
    """A file name in which only the bare {stem} and {style} are filled in."""
    text = _text(value, where)
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        parts = [("", "", "", None)]
    # A format such as {stem:>999999999} could fill the memory, an attribute tell internals.
    plain = all(part[1:] in ((None, None, None), ("stem", "", None), ("style", "", None)) for part in parts)
    if not plain or "/" in text or "\\" in text:
        raise JobError(f"{where} must be a pattern such as “{{stem}}-{{style}}”, not {value!r}.")
    return text


def _choice(value: Any, where: str, known: tuple[Any, ...]) -> Any:
    # By type as well, because 8.0 and True equal whole numbers.
    if not any(type(value) is type(choice) and value == choice for choice in known):
        choices = [str(choice) for choice in known if choice is not None]
        near = did_you_mean(str(value), choices)
        raise JobError(f"{where} must be one of {', '.join(choices)}, not {value!r}{near}.")
    return value


def _non_default(instance: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from their defaults, by name."""
    values = ((field, getattr(instance, field.name)) for field in fields(instance))
    return {field.name: value for field, value in values if value != field.default}


@dataclass(frozen=True)
class StyleRef:
    """A style and its weight in a blend (any positive number; weights are relative).

    `ref` is a name, the path of a picture or of a `.style` file, or `attachment:N`, a picture
    that came along with the job."""

    ref: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `STYLE` or `STYLE:WEIGHT`; a path may begin with a drive's letter."""
        ref, colon, weight = text.rpartition(":")
        if not colon or (len(ref) == 1 and weight[:1] in ("/", "\\")):
            return cls.from_dict(text)
        try:
            return cls.from_dict({"ref": ref, "weight": float(weight)})
        except ValueError:
            raise JobError(f"The weight of style “{ref}” must be a number, not “{weight}”.") from None

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Take a table `{ref, weight}` or a bare name."""
        if isinstance(data, str):
            data = {"ref": data}
        data = _checked(cls, data, "style")
        ref = _text(data.get("ref"), "The name (“ref”) of a style")
        weight = _number(data.get("weight", 1.0), f"The weight of style “{ref}”", 0.0, 1e6)
        return cls(ref, weight)

    def to_dict(self) -> str | dict[str, Any]:
        return self.ref if self.weight == 1.0 else {"ref": self.ref, "weight": self.weight}


@dataclass(frozen=True)
class Look:
    """How to paint.

    Attributes:
        style: one style or a blend; weights are normalised to a sum of one.
        strength: 0 returns the picture bit for bit, 1 paints as trained.
        scale: size of the strokes relative to the picture, 0.25 to 4; 1 as trained.
        keep_color: how much of the photograph's colour to keep, 0 to 1.
        detail: how much of what the photograph shows finer than the strokes returns, 0 to 1.
        engine: technique that paints; "auto" takes the fastest that knows the style.
        seed: of whatever is random in an engine.
    """

    style: tuple[StyleRef, ...] = ()
    strength: float = 1.0
    scale: float = 1.0
    keep_color: float = 0.0
    detail: float = 0.6
    engine: str = "auto"
    seed: int = 0

    @classmethod
    def from_dict(cls, data: Any, where: str = "look", others: Sequence[str] = ()) -> Self:
        """Check and take a table; a misspelt key is said to stand in `where`, which has `others` too."""
        data = _checked(cls, data, where, others)
        style = data.get("style", [])
        style = style if isinstance(style, list | tuple) else [style]
        refs = tuple(StyleRef.from_dict(ref) for ref in style)
        if refs and sum(ref.weight for ref in refs) <= 0:
            raise JobError("At least one style must have a weight above 0.")
        return cls(
            style=refs,
            strength=_number(data.get("strength", 1.0), "strength", 0.0, 1.0),
            scale=_number(data.get("scale", 1.0), "scale", 0.25, 4.0),
            keep_color=_number(data.get("keep_color", 0.0), "keep_color", 0.0, 1.0),
            detail=_number(data.get("detail", cls.detail), "detail", 0.0, 1.0),
            engine=_choice(data.get("engine", "auto"), "engine", ENGINES),
            seed=_whole(data.get("seed", 0), "seed", 0, 2**63 - 1),
        )

    def to_dict(self) -> dict[str, Any]:
        data = _non_default(self)
        if self.style:
            refs = [ref.to_dict() for ref in self.style]
            data["style"] = refs[0] if len(refs) == 1 else refs
        return data


@dataclass(frozen=True)
class Region:
    """A part of the picture with a look of its own.

    Attributes:
        select: what it consists of, see `impasto.selector`.
        look: how to paint it; a look without a style leaves it as it is.
        feather: pixels of the picture outside of it over which it fades away.
        grow: pixels by which it is grown (or shrunk, where negative) before.
    """

    select: str
    look: Look = Look()
    feather: float = 0.0
    grow: float = 0.0

    @classmethod
    def from_dict(cls, data: Any, base: Look = Look()) -> Self:
        """Take a table; the keys of a look that it does not have are those of `base`."""
        own = {field.name for field in fields(cls)} - {"look"}
        if not isinstance(data, dict):
            raise JobError(f"A region must be a table of keys and values, not {type(data).__name__}.")
        changes = {key: value for key, value in data.items() if key not in own}
        if changes.get("style") == NO_STYLE:
            changes["style"] = []
        look = Look.from_dict(base.to_dict() | changes, "region", [*own])
        return cls(
            select=str(selector.parse(_text(data.get("select"), "The “select” of a region"))),
            look=look,
            feather=_number(data.get("feather", 0.0), "feather", 0.0, selector.FARTHEST),
            grow=_number(data.get("grow", 0.0), "grow", -selector.FARTHEST, selector.FARTHEST),
        )

    def to_dict(self, base: Look = Look()) -> dict[str, Any]:
        """The inverse of `from_dict` with the same `base`."""
        usual = {field.name: field.default for field in fields(Look)} | base.to_dict()
        complete = {field.name: getattr(self.look, field.name) for field in fields(Look)}
        complete["style"] = self.look.to_dict().get("style", NO_STYLE if base.style else ())
        data = {key: value for key, value in complete.items() if value != usual[key]}
        rest = {key: value for key, value in _non_default(self).items() if key in ("feather", "grow")}
        return {"select": self.select} | data | rest


@dataclass(frozen=True)
class Output:
    """What to hand back.

    Attributes:
        format: one of `FORMATS`, or None to keep the input's.
        depth: bits per channel, 8, 16 or 32 (float), or None to keep the input's.
        quality: of a lossy format, 1 to 100.
        name: pattern of the file name, without ending; {stem} and {style} are filled in.
        deliver: "" for the painted picture; of bare pixels also "layers", each region for itself,
            "masks", what the regions select, with nothing painted, or "segments", a map of all
            segments; see `backends.delivery`.
    """

    format: str | None = None
    depth: int | None = None
    quality: int = 92
    name: str = "{stem}-{style}"
    deliver: str = ""

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        data = _checked(cls, data, "output")
        return cls(
            format=_choice(data.get("format"), "format", (None, *FORMATS)),
            depth=_choice(data.get("depth"), "depth", (None, 8, 16, 32)),
            quality=_whole(data.get("quality", cls.quality), "quality", 1, 100),
            name=_pattern(data.get("name", cls.name), "The output name"),
            deliver=_choice(data.get("deliver", ""), "deliver", DELIVERIES),
        )

    def to_dict(self) -> dict[str, Any]:
        return _non_default(self)


@dataclass(frozen=True)
class Job:
    """A look, regions with looks of their own, and what to hand back.

    Without a style, the look leaves what is in no region as it is. Later regions lie over earlier
    ones. `version` is that of this description; `[[region]]` is the key of the regions.
    """

    look: Look = Look()
    output: Output = Output()
    regions: tuple[Region, ...] = ()
    version: int = VERSION

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Check and take a job as decoded from TOML or JSON.

        Raises:
            JobError: an unknown key (with the nearest known one), a value of the wrong type or
                out of range, or a version that this program does not know.
        """
        if isinstance(data, dict) and "region" in data:
            data = {"regions" if key == "region" else key: value for key, value in data.items()}
        data = _checked(cls, data, "the job")
        version = data.get("version", VERSION)
        if type(version) is not int or version != VERSION:
            raise JobError(f"This job has version {version!r}; this Impasto knows version {VERSION}.")
        look = Look.from_dict(data.get("look", {}))
        regions = data.get("regions", [])
        if not isinstance(regions, list) or len(regions) > MAX_REGIONS:
            raise JobError(f"Regions are a list of at most {MAX_REGIONS} tables: [[region]].")
        own = tuple(Region.from_dict(region, look) for region in regions)
        return cls(look, Output.from_dict(data.get("output", {})), own)

    def to_dict(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "look": self.look.to_dict(),
            "region": [region.to_dict(self.look) for region in self.regions],
            "output": self.output.to_dict(),
        }
        return {"version": self.version} | {name: part for name, part in parts.items() if part}

    def looks(self) -> Iterator[Look]:
        """The looks that paint: the base look's if it has a style, and those of regions."""
        yield from (look for look in (self.look, *(r.look for r in self.regions)) if look.style)

    @property
    def label(self) -> str:
        """The styles' names joined by “+”, for a file name: the base look's, else all regions'."""
        styles = self.look.style or [style for look in self.looks() for style in look.style]
        return "+".join(dict.fromkeys(PurePath(style.ref).stem for style in styles)) or "masks"

    @classmethod
    def from_json(cls, text: str) -> Self:
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise JobError(f"The job is not valid JSON: {error}.") from None

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        try:
            return cls.from_dict(tomllib.loads(text))
        except (ValueError, RecursionError) as error:
            raise JobError(f"The recipe is not valid TOML: {error}.") from None

    def to_toml(self) -> str:
        """The job as a recipe; `Job.from_toml` reads it back to an equal job."""

        def value(item: Any) -> str:
            if isinstance(item, list):
                return "[" + ", ".join(value(part) for part in item) + "]"
            if isinstance(item, dict):
                return "{ " + ", ".join(f"{key} = {value(part)}" for key, part in item.items()) + " }"
            if isinstance(item, str):  # a JSON string is a TOML basic string, but for DEL
                return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
            return json.dumps(item)

        data = self.to_dict()
        lines = [f"version = {data.pop('version')}"]
        for name, content in data.items():
            header, tables = (
                (f"[[{name}]]", content) if isinstance(content, list) else (f"[{name}]", [content])
            )
            for table in tables:
                lines += ["", header, *(f"{key} = {value(item)}" for key, item in table.items())]
        return "\n".join(lines) + "\n"
