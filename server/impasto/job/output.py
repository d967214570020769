"""What to hand back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from impasto import values
from impasto.job.tables import checked, non_default

FORMATS = ("jpeg", "png", "tiff", "webp", "avif")
DELIVERIES = ("", "layers", "masks", "segments")


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
        data = checked(cls, data, "output")
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
        return non_default(self)


PLAIN = Output()
"""As the input is."""
