#!/usr/bin/env python3
"""Measure how the loss bends where a style code changes, by which `engines.fitting` divides its steps, and
choose the photographs that it paints.

    scripts/train/curvature.py --data DIR --paintings FOLDER

To be run after each training of the arbitrary painter or of the loss network; takes a quarter of an hour.
The mean second derivatives are those of Gauss and Newton: of the residuals of style and content, projected at
random (Martens, Sutskever & Swersky 2012, "Estimating the Hessian by Back-propagating Curvature"). Styles are
crops of the gallery's paintings and of those in --paintings; photographs come from DIR/photos and
DIR/content. Of the bundled photographs those are chosen whose slopes are together nearest to the mean slope
of many others.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from impasto.engines import loss_network
from impasto.engines.fitting import CONTENT_WEIGHT
from impasto.models import arbitrary, fitting, gallery
from impasto.runtime.torch_executor import TorchOps
from loss_network import Pictures
from pictures import EXAMPLES, Photographs, shorter_side, to_tensor
from style_crops import Paintings

SIDE = 128
"""Of a photograph in pixels."""

SMOOTHING, FLOOR = 1.0, 0.1
"""Of each number's own curvature, and of the mean one, that is added to it: the directions in which little
was measured must not take great steps."""

OTHERS = 56
"""Photographs whose mean slope is wanted."""

STYLES = 18
"""In which it is."""

STARTS = 40
"""Choices from which a better one is looked for, photograph by photograph."""


class Slopes:
    """Of the loss by a code, in units of "usual.scale"."""

    def __init__(self, pictures: Pictures) -> None:
        self.painter = pictures.painter
        self.ops = TorchOps({name: torch.from_numpy(x) for name, x in fitting.loss_network().items()})
        self.scale = self.painter.exported()["usual.scale"][:, 0, 0]

    def features(self, images: Tensor) -> list[Tensor]:
        return loss_network.features(self.ops, images)

    def residuals(self, photos: Tensor, style: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """What a code of (1, 3, h, w) is moved by for each of (N, 3, H, W) photographs, (N, L); by how much
        Gram matrices at each level are missed, (N, C, C), and features, (N, C, H / 8, W / 8)."""
        with torch.no_grad():
            code = self.painter.encode(style)
            wanted = [self.gram(x) for x in self.features(style)]
            seen, kept = self.painter.see(photos), self.features(photos)[-1]
        moved = torch.zeros(len(photos), code.shape[1]).requires_grad_()
        found = self.features(self.painter.paint(seen, code + moved * self.scale))
        apart = [(self.gram(x) - y) / y.norm() for x, y in zip(found, wanted, strict=True)]
        return moved, apart, found[-1] - kept

    def gram(self, x: Tensor) -> Tensor:
        return loss_network.products(self.ops, x) / x[0, 0].numel()

    def projected(self, photos: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Of random projections of the residuals of style and content: (L,) each."""
        moved, apart, away = self.residuals(photos, style)
        # Of the logarithm: each photograph's residuals are relative to what they are together.
        size = squares(apart).detach().sqrt()[:, None, None]
        styles = torch.stack([(x / size * torch.randn_like(x)).sum() for x in apart]).sum()
        size = squares([away]).detach().sqrt()[:, None, None, None]
        content = (away / size * torch.randn_like(away)).sum()
        first, second = (
            torch.autograd.grad(part, moved, retain_graph=True)[0].sum(0) / len(photos) ** 0.5
            for part in (styles, content)
        )
        return first, second

    def each(self, photos: Tensor, style: Tensor) -> Tensor:
        """Of the loss, for each photograph: (N, L)."""
        moved, apart, away = self.residuals(photos, style)
        loss = squares(apart).log() + float(CONTENT_WEIGHT) * squares([away]).log()
        return torch.autograd.grad(loss.sum(), moved)[0]


def squares(residuals: Sequence[Tensor]) -> Tensor:
    """The sum of all squares of each of N: (N,)."""
    return torch.stack([x.square().flatten(1).sum(1) for x in residuals]).sum(0)


def inverse(slopes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The inverse of the mean curvature, (L, L) float."""
    styles, contents = (torch.stack(each).double() for each in zip(*slopes, strict=True))
    curvature = (styles.T @ styles + float(CONTENT_WEIGHT) * contents.T @ contents) / len(slopes)
    own = curvature.diagonal()
    return torch.linalg.inv(curvature + torch.diag(SMOOTHING * own + FLOOR * own.mean())).float()


def nearest(slopes: Tensor, wanted: Tensor, count: int) -> list[int]:
    """Which slopes have the mean that is nearest to the wanted one.

    Args:
        slopes: (styles, N, L) float, in units in which all numbers count alike.
        wanted: (styles, L) float.
        count: how many of the N.
    """

    def miss(chosen: Sequence[int]) -> float:
        return float((slopes[:, list(chosen)].mean(1) - wanted).square().sum())

    best, least = list(range(count)), miss(range(count))
    for start in range(STARTS):
        chosen = random.Random(start).sample(range(slopes.shape[1]), count)
        missed, before = miss(chosen), float("inf")
        while missed < before:
            before = missed
            for place, other in itertools.product(range(count), range(slopes.shape[1])):
                changed = [*chosen[:place], other, *chosen[place + 1 :]]
                if len(set(changed)) == count and miss(changed) < missed:
                    chosen, missed = changed, miss(changed)
        if missed < least:
            best, least = chosen, missed
    return sorted(best)


def square(path: Path) -> Tensor:
    """The middle of a photograph: (3, `SIDE`, `SIDE`) float in 0..1."""
    with Image.open(path) as picture:
        small = to_tensor(shorter_side(picture.convert("RGB"), SIDE))
    top, left = ((side - SIDE) // 2 for side in small.shape[1:])
    return small[:, top : top + SIDE, left : left + SIDE]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, metavar="FOLDER", help="of more styles")
    parser.add_argument("--styles", type=int, default=500)
    parser.add_argument("--each", type=int, default=3, help="photographs painted in a style")
    parser.add_argument("--photographs", type=int, default=8, help="painted when a code is fitted")
    parser.add_argument("--style-crop", type=int, default=512, help="side of a style picture in pixels")
    parser.add_argument("--hold-out", type=int, default=24, help="keep every n-th small photograph back")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--export", type=Path, default=fitting.CURVATURE)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    photographs = Photographs(options.data, options.hold_out, options.seed)
    chance = random.Random(options.seed)
    paintings = Paintings(options.data, options.paintings, 2 * options.style_crop, chance)
    pictures = Pictures(photographs, paintings, SIDE, "cpu")
    slopes = Slopes(pictures)
    drawn: list[tuple[Tensor, Tensor]] = []
    for index in range(options.styles):
        photos, style = photographs.batch(options.each, SIDE), pictures.style(options.style_crop)[None]
        drawn.append(slopes.projected(photos, style))
        if index % 50 == 49:
            print(f"{index + 1} of {options.styles} styles", flush=True)
    bent = inverse(drawn)

    bundled = sorted((gallery.BUNDLED / "photographs").glob("*.jpg"))
    candidates = [path for path in bundled if not (EXAMPLES / path.name).exists()]
    names = {path.name for path in candidates}
    others = [path for path in photographs.small + photographs.large if path.name not in names]
    others = chance.sample(others, min(OTHERS, len(others)))
    squares_ = torch.stack([square(path) for path in candidates + others])
    found: list[Tensor] = []
    for _ in range(min(STYLES, options.styles)):
        style = pictures.style(options.style_crop)[None]
        found.append(torch.cat([slopes.each(part, style) for part in squares_.split(8)]))
    alike = torch.stack(found) @ torch.linalg.cholesky(bent.double()).float()
    own, wanted = alike[:, : len(candidates)], alike[:, len(candidates) :].mean(1)
    chosen = nearest(own, wanted, options.photographs)
    print("painted:", ", ".join(candidates[index].stem for index in chosen))
    kept = (squares_[chosen] * 255).round().byte().permute(0, 2, 3, 1).contiguous()

    triangle = bent[tuple(torch.triu_indices(*bent.shape))]
    tensors = {"inverse": triangle.half(), "photographs": kept}
    metadata = {"fingerprint": arbitrary.load().fingerprint, "licence": "Apache-2.0, see CREDITS.md"}
    save_file(tensors, options.export, metadata)
    options.export.chmod(0o644)


if __name__ == "__main__":
    main()
