"""Crops of style pictures for training: at several scales, turned and mirrored, in other colours."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from impasto.engines import pictures
from impasto.models import gallery
from pictures import shorter_side, to_tensor


class Paintings:
    """The gallery's paintings and those of a folder, each decoded once.

    Args:
        data: holds paintings/.
        more: the folder, or None.
        side: shorter side in pixels of a painting.
        chance: draws them and their crops.
    """

    def __init__(self, data: Path, more: Path | None, side: int, chance: random.Random) -> None:
        self.paths = [data / "paintings" / style.painting for style in gallery.styles()]
        self.paths += sorted(more.iterdir()) if more else []
        self.side, self.chance = side, chance
        self.decoded: dict[Path, Image.Image] = {}

    def crop(self, size: int) -> Tensor:
        """See `random_crop`."""
        path = self.chance.choice(self.paths)
        if path not in self.decoded:
            with Image.open(path) as picture:
                self.decoded[path] = shorter_side(picture.convert("RGB"), self.side)
        return random_crop(self.decoded[path], size, self.chance)


def recoloured(image: Tensor, chance: random.Random) -> Tensor:
    """Channels in another order, other contrast and brightness, at times nearly gray: (3, H, W)."""
    order = chance.sample(range(3), 3)
    mean = image.mean((1, 2), keepdim=True)
    gain = torch.tensor([chance.uniform(0.6, 1.3) for _ in range(3)])[:, None, None]
    shift = torch.tensor([chance.uniform(-0.15, 0.15) for _ in range(3)])[:, None, None]
    image = ((image - mean) * gain + mean + shift)[order]
    if chance.random() < 0.2:
        image = 1 - image
    if chance.random() < 0.25:
        gray = image.mean(0, keepdim=True)
        image = gray + (image - gray) * chance.uniform(0, 0.4)
    return image.clamp(0, 1)


def in_colours_of(image: Tensor, other: Tensor) -> Tensor:
    """The image with the mean and covariance of another's colours, both (3, H, W)."""
    picture, wanted = (x.permute(1, 2, 0).numpy() for x in (image, other))
    return torch.from_numpy(pictures.recoloured(picture, wanted, None)).permute(2, 0, 1)


def random_crop(picture: Image.Image, size: int, chance: random.Random) -> Tensor:
    """A square of 0.4 to all of the shorter side, at times turned or mirrored: (3, size, size) in 0..1."""
    shortest = min(picture.size)
    side = round(shortest * chance.uniform(0.4, 1.0))
    left = chance.randint(0, picture.width - side)
    top = chance.randint(0, picture.height - side)
    box = (left, top, left + side, top + side)
    crop = picture.resize((size, size), Image.Resampling.LANCZOS, box)
    turn = chance.choice([None, None, *Image.Transpose])
    return to_tensor(crop if turn is None else crop.transpose(turn))
