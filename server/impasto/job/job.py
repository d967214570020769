"""`Job`, which holds all of it, to and from TOML and JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any, Self

from impasto import values
from impasto.errors import JobError, did_you_mean
from impasto.job.look import USUAL, Look
from impasto.job.output import PLAIN, Output
from impasto.job.region import Region
from impasto.job.tables import checked, listed

VERSION = 1
MAX_REGIONS = 256
MAX_VARIANTS = 64
LISTS = {"region": "regions", "variant": "variants"}
"""What the fields of a job are called where one table of several is written at a time."""


@dataclass(frozen=True)
class Job:
    """A look, regions with looks of their own, and what to hand back.

    Without a style, the look leaves what is in no region as it is. Later regions lie over earlier
    ones. Variants are jobs that take the place of this one, see `for_picture`. `version` is that of
    this description; `[[region]]` and `[[variant]]` are the keys of regions and variants.
    """

    look: Look = USUAL
    output: Output = PLAIN
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
        data = checked(cls, data, "the job", ["region", "variant"])
        version = data.get("version", VERSION)
        if type(version) is not int or version != VERSION:
            raise JobError(f"This job has version {version!r}; this Impasto knows version {VERSION}.")
        look = Look.from_dict(data.get("look", {}))
        tables = listed(data, "regions", MAX_REGIONS)
        regions = tuple(Region.from_dict(region, look) for region in tables)
        job = cls(look, Output.from_dict(data.get("output", {})), regions)
        variants = tuple(job._variant(own, tables) for own in listed(data, "variants", MAX_VARIANTS))
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
