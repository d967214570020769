"""A picture bent at random before it is painted, and straightened afterwards.

The painter's coarse layers make cells of 8 x 8 pixels, and where a photograph is flat its strokes stand in
rank and file. On bent ground they lie as a hand would set them, while all that the photograph shows comes
back to its place.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyvips

from impasto.raster.sampling import image, pixels, resized, scaled

PERIOD = 32
"""Pixels between the points that are moved at random; what lies between follows them smoothly."""

FARTHEST = 7.0
"""Pixels by which a point is moved along each axis at most: far less than `PERIOD`, so that nothing folds."""

POINTS = 64
"""After which the moves repeat, farther than anybody could see."""

COARSE = 4
"""Pixels for which the way back is looked for at once."""

STEPS = 8
"""In which it is found: each comes nearer by half or more."""

REMEMBERED = 2_000_000
"""Pixels of pictures whose moves are remembered for the next of their size."""


def warp(height: int, width: int, seed: int) -> Warp:
    """For pictures of a size, in pixels; another seed gives other moves."""
    return _remembered(height, width, seed) if height * width <= REMEMBERED else Warp(height, width, seed)


@lru_cache(maxsize=1)
def _remembered(height: int, width: int, seed: int) -> Warp:
    made = Warp(height, width, seed)
    made.there, made.back = made.there.copy_memory(), made.back.copy_memory()
    return made


class Warp:
    """Smooth random moves of a picture's pixels, the same at the same distance from its middle."""

    def __init__(self, height: int, width: int, seed: int) -> None:
        # With a margin, for at the border an enlargement knows half of its neighbours.
        reach = [-(-side // (2 * PERIOD)) + 2 for side in (height, width)]
        rows, columns = (np.arange(-points, points) % POINTS for points in reach)
        moves = np.random.default_rng(seed).uniform(-FARTHEST, FARTHEST, (POINTS, POINTS, 2))
        moves = moves.astype(np.float32)[np.ix_(rows, columns)]
        coarse = resized(moves, *(side * PERIOD // COARSE for side in moves.shape[1::-1]))
        top, left = (points * PERIOD - side // 2 for points, side in zip(reach, (height, width), strict=True))
        self.there, self.back = (
            _places(each, top, left, height, width) for each in (coarse, _inverse(coarse))
        )

    def bent(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, C) float32 in 0..1."""
        return _moved(picture, self.there)

    def straight(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, C) float32 in 0..1: whatever `bent` has moved stands where it was."""
        return _moved(picture, self.back)


def _places(moves: np.ndarray, top: int, left: int, height: int, width: int) -> pyvips.Image:
    """From where each pixel of a picture is taken."""
    full = scaled(image(moves), COARSE * moves.shape[1], COARSE * moves.shape[0], "linear")
    return (pyvips.Image.xyz(width, height) + full.crop(left, top, width, height)).cast("float")


def _inverse(moves: np.ndarray) -> np.ndarray:
    """The moves that take back these, (h, w, 2) float32, of every `COARSE`-th pixel."""
    grid = np.stack(np.meshgrid(*map(np.arange, moves.shape[1::-1])), -1).astype(np.float32)
    linear = pyvips.Interpolate.new("bilinear")
    back = -moves
    for _ in range(STEPS):
        places = image(grid + back / COARSE)
        back = -pixels(image(moves).mapim(places, interpolate=linear, extend="copy"))
    return back


def _moved(picture: np.ndarray, places: pyvips.Image) -> np.ndarray:
    cubic = pyvips.Interpolate.new("bicubic")
    return pixels(image(picture).mapim(places, interpolate=cubic, extend="copy")).clip(0, 1)
