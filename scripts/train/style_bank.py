"""Style pictures for the encoder: crops of paintings and photographs, recoloured, with their Gram matrices.

The paintings are few, so each supplies crops at several scales, turned and mirrored, half of them with
other colours and some blended with another painting; photographs teach what a style is that is no painting.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from impasto.engines.vgg import Vgg
from perception import gram, pyramid
from pictures import shorter_side, to_tensor


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


def random_crop(picture: Image.Image, size: int, chance: random.Random) -> Tensor:
    shortest = min(picture.size)
    side = round(shortest * chance.uniform(0.4, 1.0))
    left = chance.randint(0, picture.width - side)
    top = chance.randint(0, picture.height - side)
    box = (left, top, left + side, top + side)
    crop = picture.resize((size, size), Image.Resampling.LANCZOS, box)
    turn = chance.choice([None, None, *Image.Transpose])
    return to_tensor(crop if turn is None else crop.transpose(turn))


class StyleBank:
    """Style pictures (uint8) and their Gram matrices (float16), computed once and kept in a file."""

    def __init__(
        self,
        file: Path,
        vgg: Vgg,
        paintings: list[Path],
        photographs: list[Path],
        crops: int,
        size: int,
        seed: int,
    ) -> None:
        """
        Args:
            crops: of each painting; of a photograph one.
            size: side in pixels of a crop as the loss network sees it; the encoder sees half of it.
        """
        if not file.exists():
            chance = random.Random(seed)
            cut = [crop for path in paintings for crop in self._crops(path, crops, size, chance)]
            for index in range(3, len(cut), 4):
                share = chance.uniform(0.35, 0.65)
                cut[index] = share * cut[index] + (1 - share) * chance.choice(cut)
            cut += [crop for path in photographs for crop in self._crops(path, 1, size, chance)]
            pictures, grams = [], {}
            with torch.no_grad():
                for crop in cut:
                    image = crop[None].contiguous(memory_format=torch.channels_last)
                    for name, features in pyramid(vgg, image).items():
                        grams.setdefault(name, []).append(gram(features)[0].half())
                    small = torch.nn.functional.avg_pool2d(image, 2)[0]
                    pictures.append((small * 255).round().byte())
            stacked = {name: torch.stack(list_) for name, list_ in grams.items()}
            torch.save({"pictures": torch.stack(pictures), "grams": stacked}, file)
        saved = torch.load(file, weights_only=True)
        self.pictures: Tensor = saved["pictures"]
        self.grams: dict[str, Tensor] = saved["grams"]

    @staticmethod
    def _crops(path: Path, count: int, size: int, chance: random.Random) -> list[Tensor]:
        with Image.open(path) as picture:
            rgb = shorter_side(picture.convert("RGB"), 2 * size if count > 1 else size)
        crops = [random_crop(rgb, size, chance) for _ in range(count)]
        return [recoloured(crop, chance) if index % 2 else crop for index, crop in enumerate(crops)]

    def sample(self, count: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (count, 3, size / 2, size / 2) in 0..1, mirrored at random, and their Gram matrices."""
        which = torch.randint(len(self.pictures), (count,))
        pictures = self.pictures[which].float() / 255
        flipped = torch.where(torch.rand(count, 1, 1, 1) < 0.5, pictures.flip(3), pictures)
        return flipped, {name: values[which].float() for name, values in self.grams.items()}
