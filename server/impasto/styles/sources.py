"""The ingredients of a look: each style that it names, found and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from impasto.errors import JobError, UnknownStyle, did_you_mean
from impasto.job import StyleRef
from impasto.models import arbitrary, gallery
from impasto.raster import Raster, load
from impasto.styles import saved
from impasto.styles.references import ATTACHMENT, names_file

LONGER_SIDE = 1024
"""Pixels; a larger style picture is scaled down, for no engine looks closer."""


@dataclass(frozen=True)
class StyleCode:
    """What steers a painter.

    Attributes:
        painter: fingerprint of the painter that it steers.
        values: (L,) float32.
    """

    painter: str
    values: np.ndarray


@dataclass(frozen=True)
class StyleSource:
    """One ingredient.

    Attributes:
        ref: as in the look.
        credit: what it was learned or taken from, for the picture's metadata.
        weight: all weights of a look sum to 1.
        code: what it was trained or saved as, or None where only the picture is known.
        picture: (h, w, 3) float32, sRGB in 0..1, or None where only the code is known.
        note: a sentence for the user where the style is not what was kept.
    """

    ref: str
    credit: str
    weight: float
    code: StyleCode | None
    picture: np.ndarray | None
    note: str = ""


@dataclass(frozen=True)
class Attachment:
    """A file or picture that came along with a job.

    Attributes:
        name: of the file, for messages and credit.
        style: reads it as a `.style` file, or is None when it is a picture.
        pixels: gives the picture, (h, w, 3) float32, sRGB in 0..1.
        raster: gives the picture as it is, for a mask; None where it is a `.style` file.
    """

    name: str
    style: Callable[[], saved.SavedStyle] | None
    pixels: Callable[[], np.ndarray]
    raster: Callable[[], Raster] | None = None


def check_known(ref: str) -> None:
    """Make sure that a style exists, without reading it.

    Raises:
        UnknownStyle: it does not, with the nearest names.
    """
    if names_file(ref):
        if not Path(ref).expanduser().is_file():
            raise UnknownStyle(f"There is no file “{ref}” to take a style from.")
    elif ref not in gallery.names() and ref not in saved.names():
        near = did_you_mean(ref, [*gallery.names(), *saved.names()])
        raise UnknownStyle(f"There is no style “{ref}”{near}; “impasto styles” lists them all.")


def sources(styles: tuple[StyleRef, ...], attachments: Sequence[Attachment] = ()) -> tuple[StyleSource, ...]:
    """Find the styles of a look.

    Raises:
        UnknownStyle: one does not exist, with the nearest names.
        JobError: an attachment that did not come along.
        UnreadablePicture: a damaged picture or `.style` file.
    """
    total = sum(style.weight for style in styles)
    return tuple(
        _source(style.ref, style.weight / total, attachments) for style in styles if style.weight > 0
    )


def _source(ref: str, weight: float, attachments: Sequence[Attachment]) -> StyleSource:
    if ref.startswith(ATTACHMENT):
        number = ref.removeprefix(ATTACHMENT)
        if not (number.isdecimal() and int(number) < len(attachments)):
            raise JobError(f"The style “{ref}” did not come along with the job.")
        attached = attachments[int(number)]
        if attached.style is None:
            return StyleSource(ref, attached.name, weight, None, attached.pixels())
        return _saved(ref, attached.name, attached.style(), weight)
    if names_file(ref):
        raise UnknownStyle(f"The style “{ref}” is a file that did not come along with the job.")
    check_known(ref)
    if ref in gallery.names():
        index = gallery.find(ref)
        credit = gallery.styles()[index].credit
        code = StyleCode(gallery.load().fingerprint, gallery.load().codes[index])
        return StyleSource(ref, credit, weight, code, _reproduction(ref))
    return _saved(ref, ref, saved.load(ref), weight)


@lru_cache(maxsize=8)
def _reproduction(name: str) -> np.ndarray:
    return load(gallery.PAINTINGS / f"{name}.jpg").to_srgb()


def _saved(ref: str, name: str, style: saved.SavedStyle, weight: float) -> StyleSource:
    if style.painter in (gallery.load().fingerprint, arbitrary.load().fingerprint):
        return StyleSource(ref, style.credit, weight, StyleCode(style.painter, style.code), style.picture)
    note = f"“{name}” was kept for another version of the painter, so its picture is looked at anew"
    note += ", and what was taught or blended is lost: teach or save it again."
    return StyleSource(ref, style.credit, weight, None, style.picture, note)
