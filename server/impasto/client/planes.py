"""Pixels as bytes, rearranged by slices: an editor's Python may come without numpy."""

from __future__ import annotations

from typing import NamedTuple

MAX_PIXELS = 1 << 28
"""Of the largest picture that the daemon takes, 268 million: 16384 x 16384."""


class Small(NamedTuple):
    """A small copy of a layer: 8 bits, perceptual, sRGB, `channels` as the daemon counts them.

    Attributes:
        scale: its pixels for one of the layer.
        mask: the selection over it, a byte a pixel, or None for all.
    """

    width: int
    height: int
    channels: int
    data: bytes
    scale: float
    mask: bytes | None = None

    @property
    def cover(self) -> bytes | None:
        """How much of each pixel a painting covers, a byte a pixel: its own alpha, thinned by the
        selection. None where it is all."""
        if self.channels in (1, 3):
            return self.mask
        alpha = bytes(self.data[self.channels - 1 :: self.channels])
        return alpha if self.mask is None else multiplied(alpha, self.mask)

    def meta(self) -> dict[str, object]:
        """What the daemon is told of it."""
        sides = {"width": self.width, "height": self.height, "channels": self.channels}
        return {"kind": "pixels", **sides, "dtype": "uint8"}

    def enclosed_mask(self, mask: bytes) -> tuple[dict[str, object], bytes]:
        """A mask of it, a byte a pixel, as what goes along with a job."""
        return {**self.meta(), "channels": 1}, mask

    def to_layer(self, x: float, y: float, width: int, height: int) -> tuple[int, int]:
        """The pixel of a layer of that size that lies under a point of this copy."""
        across = min(max(int(x / self.width * width), 0), width - 1)
        return across, min(max(int(y / self.height * height), 0), height - 1)


def fitted(width: int, height: int, most_across: int, most_down: int) -> tuple[int, int, float]:
    """Size and scale of a copy that fits, at most as large as the original, at least 1 x 1."""
    scale = min(1.0, most_across / width, most_down / height)
    return max(1, round(width * scale)), max(1, round(height * scale)), scale


def rgba(data: bytes | memoryview, channels: int, mask: bytes | None = None) -> bytes:
    """Pixels of 1 to 4 channels as RGBA; `mask`, a byte a pixel, thins their alpha."""
    pixels = len(data) // channels
    data = bytes(data)
    whole = bytearray(b"\xff" * (4 * pixels))
    for plane in range(3):
        whole[plane::4] = data[plane if channels > 2 else 0 :: channels]
    if channels in (2, 4):
        whole[3::4] = data[channels - 1 :: channels]
    if mask is not None:
        whole[3::4] = multiplied(bytes(whole[3::4]), mask) if channels in (2, 4) else mask
    return bytes(whole)


def multiplied(one: bytes, other: bytes) -> bytes:
    """Two masks laid over each other, a byte a pixel."""
    assert len(one) == len(other)
    if one.count(255) == len(one):
        return other
    if other.count(255) == len(other):
        return one
    return bytes((a * b + 127) // 255 for a, b in zip(one, other, strict=True))


def stain(mask: bytes, colour: tuple[int, int, int], strength: float) -> bytes:
    """RGBA pixels of one colour, as opaque as the mask times `strength` says."""
    fade = bytes(round(value * strength) for value in range(256))
    whole = bytearray(bytes((*colour, 0)) * len(mask))
    whole[3::4] = mask.translate(fade)
    return bytes(whole)


def as_bytes(mask: bytes | memoryview, dtype: str) -> bytes:
    """A mask as a byte a pixel; 16 bits lose their lower half."""
    import sys

    data = bytes(mask)
    if dtype == "uint8":
        return data
    assert dtype == "uint16", dtype
    return data[1 if sys.byteorder == "little" else 0 :: 2]
