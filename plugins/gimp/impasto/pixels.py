"""Pixel layouts, selections and jobs as plain values: nothing here needs GIMP."""

from __future__ import annotations

from typing import Any, NamedTuple

MODELS = {1: "Y'", 2: "Y'A", 3: "R'G'B'", 4: "R'G'B'A"}
DEPTHS = {"uint8": ("u8", 1), "uint16": ("u16", 2), "float32": ("float", 4)}


class Box(NamedTuple):
    """A rectangle; x and y may be negative."""

    x: int
    y: int
    width: int
    height: int

    def common(self, other: Box) -> Box | None:
        """The part that both cover, or None."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


class Layout(NamedTuple):
    """How pixels travel: 1 to 4 channels (gray, gray + alpha, RGB, RGBA), always perceptual."""

    channels: int
    dtype: str

    @property
    def babl(self) -> str:
        """GEGL's name of this format."""
        return f"{MODELS[self.channels]} {DEPTHS[self.dtype][0]}"

    def size(self, width: int, height: int) -> int:
        """Bytes of so many pixels."""
        return width * height * self.channels * DEPTHS[self.dtype][1]

    def meta(self, width: int, height: int) -> dict[str, Any]:
        """What the daemon is told of the pixels."""
        return {
            "kind": "pixels",
            "width": width,
            "height": height,
            "channels": self.channels,
            "dtype": self.dtype,
        }


def layout(precision: str, gray: bool, alpha: bool, srgb: bool = True) -> Layout:
    """The layout that loses nothing of a layer.

    Args:
        precision: GIMP's nick for it, such as "u8-non-linear" or "half-linear".
        gray, alpha: of the layer.
        srgb: whether the image has sRGB's primaries. Values travel as sRGB; only floats hold a
            wider gamut's colours, which lie outside 0..1 there.
    """
    depth, _, curve = precision.partition("-")
    if not srgb or depth not in ("u8", "u16") or (depth, curve) == ("u16", "linear"):
        dtype = "float32"
    else:  # linear bits are more than as many perceptual ones
        dtype = "uint8" if depth == "u8" and curve != "linear" else "uint16"
    return Layout((1 if gray else 3) + alpha, dtype)
