"""What holds for every folder of a watcher, and where things lie in one."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUTPUT = "impasto"
RECIPE = "recipe.toml"


@dataclass(frozen=True)
class Settings:
    """What holds for every folder of a watcher.

    Attributes:
        recipe: a TOML file, or None for `recipe.toml` in the folder, which may be missing.
        options: tables "look" and "output" whose values win over the recipe's.
        output: folder of the paintings, or None for “impasto” in each folder.
        state: folder of the journals, or None for “.impasto” in each folder.
        move: move originals to “processed” and “failed” in the folder; else they stay.
        repaint: paint anew what another recipe painted, what failed, and whose painting is missing.
        once: end when what is there has been painted.
        settle: seconds for which a file must stay as it is before it is read.
    """

    recipe: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    output: Path | None = None
    state: Path | None = None
    move: bool = False
    repaint: bool = False
    once: bool = False
    settle: float = 2.0


def state_folder(root: Path, state: Path | None) -> Path:
    """Where the journal of the folder `root` lies."""
    if state is None:
        return root / ".impasto"
    return state / f"{root.name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"
