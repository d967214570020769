"""A `Job` is the one description of work: what to paint with, and what to hand back.

The same dataclasses serve the command line, recipes (TOML), the daemon (JSON) and plug-ins.
They know nothing of pixels. `Job.from_dict` refuses unknown keys and values out of range with
one sentence; `Job.to_dict` leaves out what has its default value, so that a recipe stays short.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any, Self

from impasto import selector, values
from impasto.errors import JobError, did_you_mean

VERSION = 1
FORMATS = ("jpeg", "png", "tiff", "webp", "avif")
ENGINES = ("auto", "gallery", "refine", "optimise", "adain", "wct")
"""Techniques; each but "auto" is a module of `impasto.engines`."""

DELIVERIES = ("", "layers", "masks", "segments")
NO_STYLE = "none"
"""As the style of a region: it stays as it is."""

MAX_REGIONS = 256
MAX_VARIANTS = 64
LISTS = {"region": "regions", "variant": "variants"}
"""What the fields of a job are called where one table of several is written at a time."""


def _checked(cls: type, data: Any, where: str, others: Sequence[str] = ()) -> dict[str, Any]:
    """Return `data` when it is a table with none but the fields of `cls`, and tell of `others` too."""
    if not isinstance(data, dict):
        raise JobError(f"{where} must be a table of keys and values, not {type(data).__name__}.")
    known = [field.name for field in fields(cls)]
    for key in data:
        if key not in known:
            raise JobError(f"Unknown key “{key}” in {where}{did_you_mean(str(key), [*known, *others])}.")
    return data


def _non_default(instance: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from their defaults, by name."""
    found = ((field, getattr(instance, field.name)) for field in fields(instance))
    return {field.name: value for field, value in found if value != field.default}


def _tables(data: dict[str, Any], name: str, most: int) -> list[Any]:
    """The list called `name`, "regions" or "variants"."""
    tables = data.get(name, [])
    if not isinstance(tables, list) or len(tables) > most:
        raise JobError(f"{name.capitalize()} are a list of at most {most} tables: [[{name[:-1]}]].")
    return tables


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
        ref = values.text(data.get("ref"), "The name (“ref”) of a style")
        weight = values.number(data.get("weight", 1.0), f"The weight of style “{ref}”", 0.0, 1e6)
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
        tile: the picture is a texture that repeats, and so is the painting: its edges meet.
        sprite: only what is opaque counts, and its colours go on where the picture is transparent,
            so that a filtered edge shows no other.
        options: the engine's own, in alphabetical order; “impasto engines NAME” lists them.
    """

    style: tuple[StyleRef, ...] = ()
    strength: float = 1.0
    scale: float = 1.0
    keep_color: float = 0.0
    detail: float = 0.6
    engine: str = "auto"
    seed: int = 0
    tile: bool = False
    sprite: bool = False
    options: tuple[tuple[str, values.Value], ...] = ()

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
            strength=values.number(data.get("strength", 1.0), "strength", 0.0, 1.0),
            scale=values.number(data.get("scale", 1.0), "scale", 0.25, 4.0),
            keep_color=values.number(data.get("keep_color", 0.0), "keep_color", 0.0, 1.0),
            detail=values.number(data.get("detail", cls.detail), "detail", 0.0, 1.0),
            engine=values.choice(data.get("engine", "auto"), "engine", ENGINES),
            seed=values.whole(data.get("seed", 0), "seed", 0, 2**63 - 1),
            tile=values.flag(data.get("tile", False), "tile"),
            sprite=values.flag(data.get("sprite", False), "sprite"),
            options=values.options(data.get("options", {})),
        )

    def to_dict(self) -> dict[str, Any]:
        data = _non_default(self)
        if self.style:
            refs = [ref.to_dict() for ref in self.style]
            data["style"] = refs[0] if len(refs) == 1 else refs
        if self.options:
            data["options"] = dict(self.options)
        return data

    def base_of(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The table that a region's or variant's changes are made to: another engine has other options."""
        base = self.to_dict()
        if changes.get("engine", self.engine) != self.engine:
            base.pop("options", None)
        return base


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
        look = Look.from_dict(base.base_of(changes) | changes, "region", [*own])
        return cls(
            select=str(selector.parse(values.text(data.get("select"), "The “select” of a region"))),
            look=look,
            feather=values.number(data.get("feather", 0.0), "feather", 0.0, selector.FARTHEST),
            grow=values.number(data.get("grow", 0.0), "grow", -selector.FARTHEST, selector.FARTHEST),
        )

    def to_dict(self, base: Look = Look()) -> dict[str, Any]:
        """The inverse of `from_dict` with the same `base`."""
        usual = {field.name: field.default for field in fields(Look)} | {"options": {}}
        usual |= base.base_of({"engine": self.look.engine})
        complete = {field.name: getattr(self.look, field.name) for field in fields(Look)}
        complete["options"] = dict(self.look.options)
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
        size: pixels that the longer side has at most, or None to keep the input's.
        name: pattern of the file name, without ending; {stem} and {style} are filled in.
        variants: "all" paints each variant of a job, "one" a picture's own, always the same.
        deliver: "" for the painted picture; of bare pixels also "layers", each region for itself,
            "masks", what the regions select, with nothing painted, or "segments", a map of all
            objects; see `backends.delivery`.
    """

    format: str | None = None
    depth: int | None = None
    quality: int = 92
    size: int | None = None
    name: str = "{stem}-{style}"
    deliver: str = ""
    variants: str = "all"

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        data = _checked(cls, data, "output")
        return cls(
            format=values.choice(data.get("format"), "format", (None, *FORMATS)),
            depth=values.choice(data.get("depth"), "depth", (None, 8, 16, 32)),
            quality=values.whole(data.get("quality", cls.quality), "quality", 1, 100),
            size=None if data.get("size") is None else values.whole(data["size"], "size", 1, 1 << 16),
            name=values.pattern(data.get("name", cls.name), "The output name"),
            deliver=values.choice(data.get("deliver", ""), "deliver", DELIVERIES),
            variants=values.choice(data.get("variants", "all"), "variants", ("all", "one")),
        )

    def to_dict(self) -> dict[str, Any]:
        return _non_default(self)


@dataclass(frozen=True)
class Job:
    """A look, regions with looks of their own, and what to hand back.

    Without a style, the look leaves what is in no region as it is. Later regions lie over earlier
    ones. Variants are jobs that take the place of this one, see `for_picture`. `version` is that of
    this description; `[[region]]` and `[[variant]]` are the keys of regions and variants.
    """

    look: Look = Look()
    output: Output = Output()
    regions: tuple[Region, ...] = ()
    variants: tuple[Job, ...] = ()
    version: int = VERSION

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Check and take a job as decoded from TOML or JSON.

        Raises:
            JobError: an unknown key (with the nearest known one), a value of the wrong type or
                out of range, or a version that this program does not know.
        """
        if isinstance(data, dict):
            data = {LISTS.get(key, key): value for key, value in data.items()}
        data = _checked(cls, data, "the job", ["region", "variant"])
        version = data.get("version", VERSION)
        if type(version) is not int or version != VERSION:
            raise JobError(f"This job has version {version!r}; this Impasto knows version {VERSION}.")
        look = Look.from_dict(data.get("look", {}))
        tables = _tables(data, "regions", MAX_REGIONS)
        regions = tuple(Region.from_dict(region, look) for region in tables)
        job = cls(look, Output.from_dict(data.get("output", {})), regions)
        variants = tuple(job._variant(own, tables) for own in _tables(data, "variants", MAX_VARIANTS))
        if job.output.variants == "all":
            _check_names(variants)
        return replace(job, variants=variants)

    def _variant(self, changes: Any, regions: list[Any]) -> Job:
        """This job with the keys of a look and an output changed, and perhaps the regions."""
        if not isinstance(changes, dict):
            raise JobError(f"A variant must be a table of keys and values, not {type(changes).__name__}.")
        look, output = ({field.name for field in fields(part)} for part in (Look, Output))
        output -= {"variants"}
        for key in changes:
            if key not in look | output | {"region"}:
                near = did_you_mean(str(key), sorted(look | output))
                raise JobError(f"Unknown key “{key}” in variant{near}.")
        given = {key: value for key, value in changes.items() if value is not None}
        return Job.from_dict(
            {
                "look": self.look.base_of(given) | {key: given[key] for key in look & given.keys()},
                "output": replace(self.output, variants="all").to_dict()
                | {key: given[key] for key in output & given.keys()},
                "region": given.get("region", regions),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        regions = [region.to_dict(self.look) for region in self.regions]
        parts: dict[str, Any] = {
            "look": self.look.to_dict(),
            "region": regions,
            "output": self.output.to_dict(),
            "variant": [self._changes(variant, regions) for variant in self.variants],
        }
        return {"version": self.version} | {name: part for name, part in parts.items() if part}

    def _changes(self, variant: Job, regions: list[Any]) -> dict[str, Any]:
        """The inverse of `_variant`."""
        changes: dict[str, Any] = {}
        same = replace(
            self.look, options=self.look.options if variant.look.engine == self.look.engine else ()
        )
        for own, base in ((variant.look, same), (variant.output, self.output)):
            known = {"options": {}} | own.to_dict()
            for field in fields(own):
                value = getattr(own, field.name)
                if value != getattr(base, field.name) and field.name != "variants":
                    changes[field.name] = known.get(field.name, value)
        if self._variant(changes, regions).regions != variant.regions:
            changes["region"] = [region.to_dict(variant.look) for region in variant.regions]
        return changes

    def for_picture(self, digest: bytes) -> tuple[Job, ...]:
        """The jobs, without variants, that this one means for a picture.

        Args:
            digest: of the picture's bytes; where each picture gets one of the variants, it decides.
        """
        if not self.variants:
            return (self,)
        if self.output.variants == "all":
            return self.variants
        return (self.variants[int.from_bytes(digest) % len(self.variants)],)

    def looks(self) -> Iterator[Look]:
        """The looks that paint: the base look's if it has a style, and those of regions and variants."""
        yield from (look for look in (self.look, *(r.look for r in self.regions)) if look.style)
        for variant in self.variants:
            yield from variant.looks()

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
        return values.toml(self.to_dict())


def _check_names(variants: Sequence[Job]) -> None:
    """Make sure that the paintings of one picture have names of their own."""
    seen: dict[str, list[tuple[int, str | None]]] = {}
    for number, job in enumerate(variants, 1):
        others = seen.setdefault(job.output.name.format(stem="{stem}", style=job.label), [])
        for other, format_name in others:
            if None in (format_name, job.output.format) or format_name == job.output.format:
                raise JobError(
                    f"Variants {other} and {number} would have one name; give one of them another: name = …"
                )
        others.append((number, job.output.format))
