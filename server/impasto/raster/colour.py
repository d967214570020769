"""Between a picture's own colour space and sRGB.

Profiles that consist of curves and a matrix, or of one curve for gray, are computed here: exact,
and the way back is the true inverse. libvips would have Little CMS build a coarse table for them
(errors of up to 15/255 in dark colours, there and back). All other profiles go through libvips.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from impasto.raster.formats import vips

Floats = npt.NDArray[np.float32]

# Linear sRGB to XYZ under D50, the white of profiles (Bradford adaptation), as in IEC 61966-2-1.
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of red, green and blue in lightness: of linear light, or of encoded values for luma."""

_SAME = 1 / 255  # sRGB profiles of different makers are up to 0.7 / 255 apart, a plain gamma of 2.2 is 6


def linear(encoded: npt.NDArray[np.floating]) -> Floats:
    """sRGB-encoded values, float 0..1 (clipped to it), as linear light."""
    x = np.clip(encoded, 0, 1, dtype=np.float32)
    power = ((x + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(x <= 0.04045, x / np.float32(12.92), power)


def encoded(light: npt.NDArray[np.floating]) -> Floats:
    """Linear light, float 0..1 (clipped to it), as sRGB-encoded values."""
    x = np.clip(light, 0, 1, dtype=np.float32)
    power = np.float32(1.055) * x ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(x <= 0.0031308, x * np.float32(12.92), power)


def luminance(srgb: Floats) -> Floats:
    """sRGB-encoded colours (..., 3) as the sRGB-encoded gray (..., 1) of the same luminance."""
    return encoded((linear(srgb) @ LUMA)[..., None])


class Profile(Protocol):
    """A colour space. Values are float32, encoded, clipped to 0..1."""

    def to_srgb(self, values: Floats) -> Floats:
        """(h, w, 1 or 3) of this space -> (h, w, 3) sRGB."""
        ...

    def from_srgb(self, srgb: Floats) -> Floats:
        """(h, w, 3) sRGB -> (h, w, 1 or 3) of this space."""
        ...


class Curve(Protocol):
    def forward(self, x: Floats) -> Floats: ...
    def inverse(self, y: Floats) -> Floats: ...


@dataclass(frozen=True)
class Power:
    """Y = (aX + b)^g + e from X = d on, cX + f below: the parametric curve of ICC."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def forward(self, x: Floats) -> Floats:
        power = np.maximum(x * np.float32(self.a) + np.float32(self.b), 0) ** np.float32(self.g)
        return np.where(x >= self.d, power + np.float32(self.e), x * np.float32(self.c) + np.float32(self.f))

    def inverse(self, y: Floats) -> Floats:
        power = np.maximum(y - np.float32(self.e), 0) ** np.float32(1 / self.g)
        x = (power - np.float32(self.b)) / np.float32(self.a)
        if self.d <= 0 or self.c == 0:
            return x
        return np.where(y >= self.c * self.d + self.f, x, (y - np.float32(self.f)) / np.float32(self.c))


@dataclass(frozen=True)
class Sampled:
    """A curve through evenly spaced points; it rises."""

    points: npt.NDArray[np.float64]

    def forward(self, x: Floats) -> Floats:
        grid = np.linspace(0, 1, len(self.points))
        return np.interp(x, grid, self.points).astype(np.float32)

    def inverse(self, y: Floats) -> Floats:
        grid = np.linspace(0, 1, len(self.points))
        return np.interp(y, self.points, grid).astype(np.float32)


class GrayProfile:
    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def to_srgb(self, values: Floats) -> Floats:
        return np.repeat(encoded(self._curve.forward(np.clip(values, 0, 1))), 3, axis=2)

    def from_srgb(self, srgb: Floats) -> Floats:
        light = (linear(srgb) @ LUMA)[..., None]
        return np.clip(self._curve.inverse(light), 0, 1)


class MatrixProfile:
    def __init__(self, curves: list[Curve], to_xyz: npt.NDArray[np.float64]) -> None:
        to_linear = np.linalg.solve(_SRGB_TO_XYZ, to_xyz)
        self._curves = curves
        self._to = to_linear.T.astype(np.float32)
        self._from = np.linalg.inv(to_linear).T.astype(np.float32)

    def to_srgb(self, values: Floats) -> Floats:
        x = np.clip(values, 0, 1)
        light = np.empty(x.shape, np.float32)
        for channel, curve in enumerate(self._curves):
            light[..., channel] = curve.forward(x[..., channel])
        return encoded(light @ self._to)

    def from_srgb(self, srgb: Floats) -> Floats:
        light = np.clip(linear(srgb) @ self._from, 0, 1)
        for channel, curve in enumerate(self._curves):
            light[..., channel] = curve.inverse(light[..., channel])
        return np.clip(light, 0, 1, out=light)


class TableProfile:
    """A profile that only a colour engine can follow; 16 bits each way."""

    def __init__(self, icc: bytes, channels: int) -> None:
        self._icc = icc
        self._space = "rgb16" if channels == 3 else "grey16"

    def _image(self, values: Floats, space: str) -> Any:
        whole = np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)
        height, width, bands = whole.shape
        image = vips().Image.new_from_memory(np.ascontiguousarray(whole), width, height, bands, "ushort")
        return image.copy(interpretation=space)

    def to_srgb(self, values: Floats) -> Floats:
        image = self._image(values, self._space)
        image.set_type(vips().GValue.blob_type, "icc-profile-data", self._icc)
        return _transformed(image, "srgb", embedded=True)

    def from_srgb(self, srgb: Floats) -> Floats:
        with TemporaryDirectory() as folder:  # libvips takes profiles to write to by name only
            path = Path(folder) / "own.icc"
            path.write_bytes(self._icc)
            return _transformed(self._image(srgb, "rgb16"), str(path), input_profile="srgb")


def _transformed(image: Any, profile: str, **source: Any) -> Floats:
    result = image.icc_transform(profile, depth=16, intent="relative", **source).numpy()
    return np.atleast_3d(result).astype(np.float32) / np.float32(65535)


class BadProfile(ValueError):
    """Not a profile, or not one for this kind of picture."""


def _curve(tag: bytes) -> Curve:
    kind, count = tag[:4], struct.unpack(">I", tag[8:12])[0]
    if kind == b"curv" and count == 0:
        return Power(1.0)
    if kind == b"curv" and count == 1:
        return Power(struct.unpack(">H", tag[12:14])[0] / 256)
    if kind == b"curv" and count <= 65_536:
        points = np.frombuffer(tag, ">u2", count, 12) / 65535
        if (np.diff(points) < 0).any() or points[-1] <= points[0]:
            raise BadProfile("a curve falls")
        # A curve may start flat; it must rise to have an inverse that gives 0 for 0.
        return Sampled(points + np.linspace(0, 1e-7, count))
    if kind == b"para" and (function := count >> 16) <= 4:
        size = (1, 3, 4, 5, 7)[function]
        g, *rest = (value / 65536 for value in struct.unpack(f">{size}i", tag[12 : 12 + 4 * size]))
        if g <= 0 or (rest and rest[0] <= 0):
            raise BadProfile("a curve has no inverse")
        match function, rest:
            case 1, [a, b]:
                return Power(g, a, b, 0, -b / a)
            case 2, [a, b, c]:
                return Power(g, a, b, 0, -b / a, c, c)
            case _:
                return Power(g, *rest)
    raise BadProfile("unknown kind of curve")


def _parsed(icc: bytes, channels: int) -> Profile | None:
    """See `profile`; may also raise struct.error and ValueError."""
    space, pcs = icc[16:20], icc[20:24]
    if icc[36:40] != b"acsp" or space not in (b"RGB ", b"GRAY") or (channels == 3 and space == b"GRAY"):
        raise BadProfile("not for this picture")
    (count,) = struct.unpack(">I", icc[128:132])
    tags: dict[bytes, bytes] = {}
    for at in range(132, 132 + 12 * min(count, 200), 12):
        name, offset, size = struct.unpack(">4sII", icc[at : at + 12])
        tags[name] = icc[offset : offset + size]
    if pcs != b"XYZ " or b"A2B0" in tags:
        found: Profile = TableProfile(icc, 3 if space == b"RGB " else 1)
        if channels == 1 and space == b"RGB ":
            raise BadProfile("a table for colours cannot stand for gray")
    elif space == b"GRAY":
        found = GrayProfile(_curve(tags[b"kTRC"]))
    elif channels == 1:  # a gray picture with an RGB profile, as many programs write it
        found = GrayProfile(_curve(tags[b"gTRC"]))
    else:
        columns = [np.array(struct.unpack(">3i", tags[f"{c}XYZ".encode()][8:20])) / 65536 for c in "rgb"]
        matrix = np.stack(columns, axis=1)
        if abs(np.linalg.det(matrix)) < 1e-4:
            raise BadProfile("the primaries have no area")
        found = MatrixProfile([_curve(tags[f"{c}TRC".encode()]) for c in "rgb"], matrix)
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    probe = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    values = probe if channels == 3 else steps.reshape(1, 9, 1)
    same = probe if channels == 3 else np.repeat(values, 3, axis=2)
    there = found.to_srgb(values)
    if not np.isfinite(there).all():
        raise BadProfile("a curve leaves the numbers")
    return None if np.abs(there - same).max() < _SAME else found


@lru_cache(maxsize=16)
def profile(icc: bytes, channels: int) -> Profile | None:
    """The space of a picture with `channels` 1 or 3; None when it is sRGB for all that can be seen.

    Raises:
        BadProfile: the bytes cannot be read, or are for another kind of picture.
    """
    try:
        with np.errstate(all="ignore"):
            return _parsed(icc, channels)
    except BadProfile:
        raise
    except (struct.error, ValueError, KeyError, IndexError, vips().Error) as error:
        raise BadProfile(str(error)) from None
