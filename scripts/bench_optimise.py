#!/usr/bin/env python3
"""Time the engine optimise against a plain torch implementation of the same loss, step by step, in turns.

    scripts/bench_optimise.py CONTENT STYLE [--size 512] [--rounds 5] [--loss-size 192] [--loss-steps 100]

Plain is what a reader of Gatys et al. 2015 writes first: float32, autograd through conv2d, Adam, one size.
Both use the same layers and weights. Prints medians of a step at --size, the ratio of times paired
round by round, and the loss of both after the same number of steps at --loss-size, measured in float32.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import pictures
from impasto.engines.descent import RATES, descend
from impasto.engines.losses import CONTENT_LAYER, LAYER_WEIGHTS, Objective
from impasto.engines.optimise import OPTIONS
from impasto.engines.vgg import LEVELS, Vgg, quick_dtype
from impasto.models.store import require
from impasto.raster import load

WEIGHTS = (
    float(OPTIONS["style_weight"].default),
    float(OPTIONS["content_weight"].default),
    float(OPTIONS["smoothness"].default),
)


class Plain:
    """The same loss, written plainly."""

    def __init__(self, path: Path, photo: Tensor, painting: Tensor) -> None:
        self.saved = torch.load(path, weights_only=True)
        with torch.no_grad():
            self.content = self.features(photo)[CONTENT_LAYER]
            self.grams = {name: self.gram(x) for name, x in self.features(painting).items()}

    def features(self, x: Tensor) -> dict[str, Tensor]:
        x = F.conv2d(x, self.saved["0.weight"], self.saved["0.bias"])
        found = {}
        for number, level in enumerate(LEVELS, start=1):
            for index, name in enumerate(level):
                weight, bias = self.saved[f"{name}.weight"], self.saved[f"{name}.bias"]
                x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, bias))
                if index == 0:
                    found[f"relu{number}_1"] = x
            x = F.max_pool2d(x, 2, ceil_mode=True)
        return found

    @staticmethod
    def gram(x: Tensor) -> Tensor:
        flat = x[0].flatten(1)
        return flat @ flat.T / flat.shape[1]

    def slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        image = image.detach().requires_grad_()
        found = self.features(image)
        style = sum(
            weight * F.mse_loss(self.gram(found[name]), target) / target.square().mean()
            for weight, (name, target) in zip(LAYER_WEIGHTS, self.grams.items(), strict=True)
        )
        content = F.mse_loss(found[CONTENT_LAYER], self.content) / self.content.square().mean()
        rough = sum(image.diff(dim=dim).square().sum() for dim in (2, 3)) / image.numel()
        loss = WEIGHTS[0] * style / sum(LAYER_WEIGHTS) + WEIGHTS[1] * content + WEIGHTS[2] * rough
        loss.backward()
        assert image.grad is not None
        return loss.detach(), image.grad


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=512, help="side of a square as large as the picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loss-size", type=int, default=192)
    parser.add_argument("--loss-steps", type=int, default=100)
    options = parser.parse_args()
    path = require("vgg19-normalised")
    vgg = Vgg(path, "cpu", quick_dtype("cpu"))
    exact = Vgg(path, "cpu", torch.float32)

    def pair(size: int) -> tuple[Tensor, Tensor]:
        both = (load(path).to_srgb() for path in (options.content, options.style))
        photo, painting = (pictures.tensor(pictures.within(x, size**2).clip(0, 1), "cpu") for x in both)
        return photo.contiguous(), painting.contiguous()

    def ours(vgg: Vgg, photo: Tensor, painting: Tensor) -> Objective:
        return Objective(vgg, photo, [painting], [1.0], "gram", WEIGHTS, lambda: None)

    photo, painting = pair(options.size)
    contenders = {"plain": Plain(path, photo, painting).slope, "ours": ours(vgg, photo, painting).slope}
    seconds = {name: [timed(slope, photo) for _ in range(1)] for name, slope in contenders.items()}
    for _ in range(options.rounds):
        for name, slope in contenders.items():
            seconds[name].append(timed(slope, photo))
    paired = [ours / plain for ours, plain in zip(seconds["ours"][1:], seconds["plain"][1:], strict=True)]
    for name, times in seconds.items():
        print(f"{name:<6} {statistics.median(times[1:]):.3f} s a step of computing, {options.size} px")
    print(f"ratio  {statistics.median(paired):.3f} ({min(paired):.3f} to {max(paired):.3f})")

    photo, painting = pair(options.loss_size)
    plain, measure = Plain(path, photo, painting), ours(exact, photo, painting)
    engine = ours(vgg, photo, painting)
    assert abs(float(plain.slope(photo)[0]) / float(measure.slope(photo)[0]) - 1) < 1e-3, "not the same loss"

    def quiet(step: int) -> None:
        pass

    steps = options.loss_steps
    image = photo.clone().requires_grad_()
    adam = torch.optim.Adam([image], RATES["adam"], betas=(0.9, 0.99))
    for _ in range(steps):
        _, image.grad = plain.slope(image)
        adam.step()
        image.data.clamp_(0, 1)
    print(f"plain  loss {float(measure.slope(image)[0]):.5f} after {steps} steps at {options.loss_size} px")
    for method in RATES:
        found = descend(photo, engine.slope, steps, lambda: None, quiet, method)
        print(f"ours   loss {float(measure.slope(found)[0]):.5f} ({method})")


def timed(slope: Callable[[Tensor], object], image: Tensor) -> float:
    """Seconds of computing, all threads together: others' work on the machine does not count."""
    began = time.process_time()
    slope(image)
    return time.process_time() - began


if __name__ == "__main__":
    main()
