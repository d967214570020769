"""A part of the picture with a look of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from impasto import selector, values
from impasto.errors import JobError
from impasto.job.look import USUAL, Look
from impasto.job.tables import non_default

NO_STYLE = "none"
"""As the style of a region: it stays as it is."""


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
    look: Look = USUAL
    feather: float = 0.0
    grow: float = 0.0

    @classmethod
    def from_dict(cls, data: Any, base: Look = USUAL) -> Self:
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

    def to_dict(self, base: Look = USUAL) -> dict[str, Any]:
        """The inverse of `from_dict` with the same `base`."""
        usual = {field.name: field.default for field in fields(Look)} | {"options": {}}
        usual |= base.base_of({"engine": self.look.engine})
        complete = {field.name: getattr(self.look, field.name) for field in fields(Look)}
        complete["options"] = dict(self.look.options)
        complete["style"] = self.look.to_dict().get("style", NO_STYLE if base.style else ())
        data = {key: value for key, value in complete.items() if value != usual[key]}
        rest = {key: value for key, value in non_default(self).items() if key in ("feather", "grow")}
        return {"select": self.select} | data | rest
