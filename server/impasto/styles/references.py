"""What a style's reference can be: a name, a file, or an attachment. Knows no pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath

from impasto.files import SUFFIXES
from impasto.job import Look

ATTACHMENT = "attachment:"
"""What a reference to a picture that came along with the job begins with; its number follows."""

STYLE_SUFFIX = ".style"


def names_file(ref: str) -> bool:
    """Whether a reference is the path of a picture or a `.style` file, and not a name."""
    path = PurePath(ref)
    return path.suffix.lower() in {*SUFFIXES, STYLE_SUFFIX} or len(path.parts) > 1


def located(look: Look, folder: Path) -> Look:
    """The look of a recipe in `folder`, with the files that it names found from there."""
    styles = (
        replace(style, ref=str(folder / Path(style.ref).expanduser())) if names_file(style.ref) else style
        for style in look.style
    )
    return replace(look, style=tuple(styles))
