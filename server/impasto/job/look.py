"""How to paint: styles and their weights, and what else there is to set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from impasto import values
from impasto.errors import JobError
from impasto.job.tables import checked, non_default

ENGINES = ("auto", "gallery", "refine", "optimise", "adain", "wct")
"""Techniques; each but "auto" is a module of `impasto.engines`."""


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
        data = checked(cls, data, "style")
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
        data = checked(cls, data, where, others)
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
        data = non_default(self)
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


USUAL = Look()
"""As trained, and without a style."""
