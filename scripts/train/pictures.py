"""Training pictures: what a style is learned from, and random crops of photographs at random scales."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.models.gallery import Style

EXAMPLES = Path(__file__).parents[2] / "examples"


def to_tensor(picture: Image.Image) -> Tensor:
    """(3, H, W) float in 0..1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


def shorter_side(picture: Image.Image, size: int) -> Image.Image:
    """Scale so that the shorter side is `size`."""
    factor = size / min(picture.size)
    width, height = (max(size, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def learned_from(style: Style, folder: Path, size: int) -> Image.Image:
    """A style's painting, its shorter side of `size` pixels, or the part of it that the style is of."""
    with Image.open(folder / style.painting) as picture:
        whole = shorter_side(picture.convert("RGB"), size)
    left, top, right, bottom = style.part
    across, down = whole.size
    return whole.crop((round(left * across), round(top * down), round(right * across), round(bottom * down)))


class Photographs:
    """Random square crops; `large` photographs supply half of them, for their sharp detail.

    Never used are the pictures of examples/ and every `hold_out`-th of the small ones.
    """

    def __init__(self, data: Path, hold_out: int, seed: int) -> None:
        small, large = (sorted((data / folder).glob("*.jpg")) for folder in ("content", "photos"))
        held_out = {path.name for path in [*EXAMPLES.glob("*.jpg"), *small[::hold_out]]}
        self.small = [path for path in small if path.name not in held_out]
        self.large = [path for path in large if path.name not in held_out]
        self.random = random.Random(seed)
        self.decoded: dict[Path, Image.Image] = {}

    def _open(self, path: Path) -> Image.Image:
        if path not in self.decoded:
            with Image.open(path) as picture:
                rgb = picture.convert("RGB")
            if min(rgb.size) > 1000:
                rgb = shorter_side(rgb, 1000)
            self.decoded[path] = rgb
        return self.decoded[path]

    def crop(self, size: int) -> Image.Image:
        large = self.random.random() < 0.5
        picture = self._open(self.random.choice(self.large if large else self.small))
        shortest = min(picture.size)
        side = self.random.randint(min(size, shortest), min(shortest, size * 3))
        left = self.random.randint(0, picture.width - side)
        top = self.random.randint(0, picture.height - side)
        resample = Image.Resampling.LANCZOS
        crop = picture.resize((size, size), resample, (left, top, left + side, top + side))
        if self.random.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return crop

    def batch(self, count: int, size: int) -> Tensor:
        """(count, 3, size, size) float in 0..1."""
        return torch.stack([to_tensor(self.crop(size)) for _ in range(count)])
