"""Styles that a user keeps: a `.style` file holds a style code and a small picture of what it was taken from.

A code steers one painter only. When the program comes with a new painter, the code is predicted
anew from the picture, so that a file made today still paints in years.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impasto.errors import UnknownStyle, UnreadablePicture, UsageError
from impasto.files import data_directory, publish, read
from impasto.styles.references import STYLE_SUFFIX

NAME = re.compile(r"[\w][\w.-]{0,63}", re.UNICODE)

PICTURE_SIDE = 512
"""Longest shorter side of the picture in a file: what the style is predicted from."""

MAX_BYTES = 200_000


@dataclass(frozen=True)
class SavedStyle:
    """What a `.style` file holds.

    Attributes:
        credit: what it was taken from, for people.
        painter: fingerprint of the painter that the code steers.
        code: (L,) float32.
        picture: (h, w, 3) float32, sRGB in 0..1, shorter side at most `PICTURE_SIDE`, or None.
    """

    credit: str
    painter: str
    code: np.ndarray
    picture: np.ndarray | None


def directory() -> Path:
    """Where saved styles are kept: `IMPASTO_STYLES`, or the user's data directory."""
    if chosen := os.environ.get("IMPASTO_STYLES"):
        return Path(chosen)
    return data_directory() / "styles"


def names() -> list[str]:
    """Names of the saved styles, in alphabetical order."""
    try:
        return sorted(path.stem for path in directory().glob(f"*{STYLE_SUFFIX}") if path.is_file())
    except OSError:
        return []


def load(name: str) -> SavedStyle:
    """The saved style called `name`.

    Raises:
        UnknownStyle: there is none.
        UnreadablePicture: its file is damaged.
    """
    path = directory() / f"{name}{STYLE_SUFFIX}"
    if name not in names():
        raise UnknownStyle(f"There is no saved style “{name}”.")
    return decode(read(path), str(path))


def save(name: str, style: SavedStyle, folder: Path | None = None) -> Path:
    """Keep a style as NAME.style in `folder`, by default where it can be used by name.

    Raises:
        UsageError: `name` is no plain name.
        UnwritablePicture: the file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"A style's name has letters, digits, “-”, “_” and “.”, not “{name}”.")
    target = folder or directory()
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{name}{STYLE_SUFFIX}"
    publish(path, encode(style))
    return path


def remove(name: str) -> None:
    """Forget a saved style.

    Raises:
        UnknownStyle: there is none of that name.
    """
    if name not in names():
        raise UnknownStyle(f"There is no saved style “{name}”.")
    (directory() / f"{name}{STYLE_SUFFIX}").unlink()


def encode(style: SavedStyle) -> bytes:
    """The bytes of a `.style` file, at most `MAX_BYTES`."""
    from safetensors.numpy import save as to_bytes

    from impasto.raster import Raster, quantise
    from impasto.raster import encode as encode_picture

    tensors: dict[str, np.ndarray] = {"code": style.code.astype(np.float16)}
    if style.picture is not None:
        for quality in (90, 75, 50, 25):
            small = Raster(quantise(style.picture, np.uint8), format="jpeg")
            jpeg = encode_picture(small, "jpeg", 8, quality)
            if len(jpeg) < MAX_BYTES - 50_000:
                tensors["picture"] = np.frombuffer(jpeg, np.uint8)
                break
    return to_bytes(tensors, {"format": "impasto-style-1", "credit": style.credit, "painter": style.painter})


def decode(data: bytes | memoryview, name: str) -> SavedStyle:
    """Read the bytes of a `.style` file called `name`.

    Raises:
        UnreadablePicture: it is no `.style` file, or a damaged one.
    """
    import json

    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    from impasto.raster import decode as decode_picture

    data = bytes(data)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("too large")
        tensors = from_bytes(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        code = tensors["code"].astype(np.float32)
        if header["format"] != "impasto-style-1" or code.ndim != 1 or not np.isfinite(code).all():
            raise ValueError("not a style")
        picture = tensors.get("picture")
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise UnreadablePicture(f"“{name}” is no complete Impasto style; save or copy it again.") from None
    pixels = None if picture is None else decode_picture(picture.tobytes(), name).to_srgb()
    return SavedStyle(str(header["credit"]), str(header["painter"]), code, pixels)
