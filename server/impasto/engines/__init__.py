"""Techniques of painting. Each `Engine` states as data what it needs and paints one picture."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import ClassVar, Protocol

import numpy as np

from impasto.engines.options import Option
from impasto.job import Look
from impasto.styles.sources import StyleSource
from impasto.values import Value


class Progress(Protocol):
    def __call__(self, fraction: float, what: str, picture: np.ndarray | None = None) -> None:
        """Told how far a painting is; raises `Cancelled` to stop it.

        Args:
            fraction: done, in 0..1, rising.
            what: is happening, for people.
            picture: the painting so far, (h, w, 3) float32 sRGB in 0..1, at whatever size.
        """
        ...


Check = Callable[[], None]
"""Called every few hundredths of a second; raises `Cancelled` to stop."""

WRAP = 128
"""Pixels of the opposite side that a texture which repeats comes with, on each side; more than any
engine sees of its surroundings, so that what it paints repeats too."""

WORK_PIXELS = 1280 * 720
"""Area at which a picture is painted at scale 1; the gallery's strokes look right at this size."""


class Engine(Protocol):
    """A technique, its weights loaded and made ready on a device.

    Attributes:
        name: as in `Look.engine`, and of its module; the class is called `NameEngine`.
        title: as a setting of quality ("Fast", "Fine", "Master"), or what else it is called.
        paper: where it is described.
        speed: how long a picture takes on a processor, for people.
        weights: names of the models it needs beyond the bundled ones; with any, it needs torch too.
        options: its own options, by name.
        device: where it runs, for the user to read.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    speed: ClassVar[str]
    weights: ClassVar[tuple[str, ...]]
    options: ClassVar[Mapping[str, Option]]
    device: str

    def check(self, styles: tuple[StyleSource, ...], look: Look) -> dict[str, Value]:
        """Make sure that it can paint so, before it does.

        Returns:
            The value of each of its options.

        Raises:
            UsageError: a style that this engine cannot paint in.
            JobError: an option that it does not have.
        """
        ...

    def paint(
        self,
        picture: np.ndarray,
        styles: tuple[StyleSource, ...],
        look: Look,
        check: Check,
        mask: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Paint a whole picture of at least 1 x 1 pixel.

        Args:
            picture: (H, W, 3) float32, sRGB in 0..1; with `look.tile`, `WRAP` pixels on each side
                are those of the opposite one.
            styles: as passed by `check`, at least one.
            look: seed and whatever else is the engine's own. Strength, scale and colour are the
                business of `impasto.paint`.
            check: see `Check`.
            mask: (H, W) float32 in 0..1, or None for all: the picture's statistics are those of the
                region where it is above 0.
            progress: called by an engine that takes its time.

        Returns:
            (H, W, 3) float32, sRGB in 0..1; outside the mask whatever comes of it.

        Raises:
            OutOfMemory: the device does not hold a picture of this size.
        """
        ...


def technique(name: str) -> type[Engine]:
    """The class of the engine called `name`: what it states, without loading any weights."""
    module = importlib.import_module(f"impasto.engines.{name}")
    return getattr(module, f"{name.capitalize()}Engine")


@cache
def engine(name: str) -> Engine:
    """The engine called `name`, made ready once in this process; "auto" is the gallery.

    Raises:
        ModelMissing: a model or a package that it needs is not here.
    """
    return technique("gallery" if name == "auto" else name)()
