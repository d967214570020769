"""Things with fine outlines, drawn with a known matte and laid over a photograph; how well a mask fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from impasto.raster import Raster

EXAMPLES = Path(__file__).parents[1] / "examples"

WIDTH, HEIGHT = 1600, 1067

SHARPER = 3
"""Times that mattes are drawn larger, to be smooth."""

SHADE = 0.45
"""Of the photograph that the thing in front is cut from; what grows before the sky is darker than it."""

Draw = Callable[[ImageDraw.ImageDraw, float, float, np.random.Generator], None]


def branches(draw: ImageDraw.ImageDraw, width: float, height: float, random: np.random.Generator) -> None:
    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        if thick < 1.2 * SHARPER:
            return
        for _ in range(6):
            x1, y1 = x + np.cos(angle) * length / 6, y + np.sin(angle) * length / 6
            draw.line((x, y, x1, y1), 255, int(thick))
            x, y, angle, thick = x1, y1, angle + random.normal(0, 0.12), thick * 0.965
        for side in (-1, 1):
            turn, shorter = side * random.uniform(0.25, 0.6), random.uniform(0.72, 0.9)
            grow(x, y, angle + turn, length * shorter, thick * 0.72)

    for share in (0.3, 0.72):
        grow(share * width, height, -np.pi / 2, height * 0.24, 34 * SHARPER)


def railings(draw: ImageDraw.ImageDraw, width: float, height: float, random: np.random.Generator) -> None:
    top, bottom = int(height * 0.42), int(height * 0.8)
    draw.rectangle((0, bottom, width, height), 255)
    draw.rectangle((0, top, width, top + 9 * SHARPER), 255)
    for x in range(20 * SHARPER, int(width), 46 * SHARPER):
        draw.rectangle((x, top, x + 7 * SHARPER, bottom), 255)


def hair(draw: ImageDraw.ImageDraw, width: float, height: float, random: np.random.Generator) -> None:
    x0, y0, radius = width / 2, height * 0.55, height * 0.22
    draw.ellipse((x0 - radius, y0 - radius, x0 + radius, y0 + radius * 1.2), 255)
    draw.rectangle((x0 - radius * 1.4, y0 + radius * 1.1, x0 + radius * 1.4, height), 255)
    for root in random.uniform(np.pi, 2 * np.pi, 700):
        x, y = x0 + np.cos(root) * radius * 0.95, y0 + np.sin(root) * radius * 0.95
        angle = root + random.normal(0, 0.5)
        for _ in range(14):
            x1, y1 = x + np.cos(angle) * radius * 0.045, y + np.sin(angle) * radius * 0.045
            draw.line((x, y, x1, y1), 255, int(1.6 * SHARPER))
            x, y, angle = x1, y1, angle + random.normal(0.02, 0.16)


def matte(thing: Draw, seed: int = 0) -> np.ndarray:
    """(`HEIGHT`, `WIDTH`) float32 in 0..1."""
    large = Image.new("L", (WIDTH * SHARPER, HEIGHT * SHARPER))
    thing(ImageDraw.Draw(large), large.width, large.height, np.random.default_rng(seed))
    return np.asarray(large.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float32) / 255


def photograph(name: str) -> np.ndarray:
    """(`HEIGHT`, `WIDTH`, 3) float32 in 0..1."""
    with Image.open(EXAMPLES / f"{name}.jpg") as picture:
        return np.asarray(picture.convert("RGB").resize((WIDTH, HEIGHT)), np.float32) / 255


def composite(alpha: np.ndarray, front: str, behind: str) -> Raster:
    """The front photograph, darkened, through the matte over the other."""
    cover = alpha[..., None]
    mixed = SHADE * photograph(front) * cover + photograph(behind) * (1 - cover)
    return Raster(np.rint(mixed * 255).astype(np.uint8))


def outline(mask: np.ndarray) -> np.ndarray:
    """Where a boolean mask changes."""
    edge = np.zeros_like(mask)
    edge[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    edge[1:] |= mask[1:] != mask[:-1]
    return edge


def near(edge: np.ndarray, distance: int) -> np.ndarray:
    """Pixels within `distance` of an edge."""
    padded = np.pad(edge, distance)
    found = np.zeros_like(edge)
    for y in range(2 * distance + 1):
        for x in range(2 * distance + 1):
            if (y - distance) ** 2 + (x - distance) ** 2 <= distance**2:
                found |= padded[y : y + edge.shape[0], x : x + edge.shape[1]]
    return found


def boundary_score(mask: np.ndarray, truth: np.ndarray, distance: int = 2) -> float:
    """F-score of the outlines at one half that lie within `distance` pixels of each other."""
    ours, true = outline(mask > 0.5), outline(truth > 0.5)
    precision = (ours & near(true, distance)).sum() / max(1, ours.sum())
    recall = (true & near(ours, distance)).sum() / max(1, true.sum())
    return float(2 * precision * recall / max(precision + recall, 1e-9))
