"""Techniques of painting. Each `Engine` states as data what it needs and paints one picture."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import ClassVar, Protocol

import numpy as np

from impasto.job import Look

Check = Callable[[], None]
"""Called every few hundredths of a second; raises `Cancelled` to stop."""

ENGINES = {"gallery": "impasto.engines.gallery:GalleryEngine"}


class Engine(Protocol):
    """A technique, its weights loaded and made ready on a device.

    Attributes:
        name: as in `Look.engine`.
        weights: names of the models it needs beyond the bundled ones.
        device: where it runs, for the user to read.
    """

    name: ClassVar[str]
    weights: ClassVar[tuple[str, ...]]
    device: str

    def check(self, look: Look) -> None:
        """Raise `UnknownStyle` for a style that this engine does not have."""
        ...

    def paint(self, picture: np.ndarray, look: Look, check: Check) -> np.ndarray:
        """Paint a whole picture of at least 1 x 1 pixel.

        Args:
            picture: (H, W, 3) float32, sRGB in 0..1.
            look: the styles, as passed by `check`. Strength, scale and colour are the business of
                `impasto.paint`.
            check: see `Check`.

        Returns:
            (H, W, 3) float32, sRGB in 0..1.

        Raises:
            OutOfMemory: the device does not hold a picture of this size.
        """
        ...


@cache
def engine(name: str) -> Engine:
    """The engine called `name`, made ready once in this process; "auto" is the gallery."""
    module, _, attribute = ENGINES["gallery" if name == "auto" else name].partition(":")
    return getattr(importlib.import_module(module), attribute)()
