#!/usr/bin/env python3
"""Compare the engine optimise with a plain torch implementation of the same loss: time and loss.

    scripts/bench_optimise.py CONTENT STYLE [--size 512] [--rounds 5] [--loss-size 384] [--steps 100]
        [--whole]

Plain is what a reader of Gatys et al. 2015 writes first: float32, autograd through conv2d, Adam, one size.
Both use the same layers and weights. Prints the median of a step at --size, on the clock and therefore for a
quiet machine, the ratio of times paired round by round, and the engine's step in the mean of its sizes, for
it goes from coarse to fine. Then both descend at --loss-size, step for step from the photograph. The whole
engine, coarse to fine, takes as many steps as look at the same number of pixels, with its own weights, and
with less of the content's and of the smoothness's: that tells, by a linear model, how near to the style it
would come at the content distance and roughness of plain. All are measured in float32 by the plain loss,
without the outermost pixels: there plain paints bands of glaring colour. With --whole, plain and the whole
engine are all.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines import WORK_PIXELS, pictures
from impasto.engines.descent import RATES, descend
from impasto.engines.objective import CONTENT_LAYER, LAYER_WEIGHTS, Objective
from impasto.engines.optimise import OPTIONS, OptimiseEngine
from impasto.engines.vgg import LEVELS, Vgg
from impasto.job import Look
from impasto.models.store import require
from impasto.raster import load
from impasto.runtime.memory import large_blocks_kept
from impasto.runtime.torch_executor import quick_dtype
from impasto.styles.sources import StyleSource

WEIGHTS = (
    float(OPTIONS["style_weight"].default),
    float(OPTIONS["content_weight"].default),
    float(OPTIONS["smoothness"].default),
)


EDGE = 16
"""Pixels along each edge that are not measured."""

LEAST = 128
"""Side of the smallest pictures whose losses are compared: something must be left within the edges."""

LESS = 0.75
"""Times its own that a weight of the whole engine is in another try."""


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

    def losses(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All together, the style's, the content's and the roughness."""
        found = self.features(image)
        style = sum(
            weight * F.mse_loss(self.gram(found[name]), target) / target.square().mean()
            for weight, (name, target) in zip(LAYER_WEIGHTS, self.grams.items(), strict=True)
        ) / sum(LAYER_WEIGHTS)
        content = F.mse_loss(found[CONTENT_LAYER], self.content) / self.content.square().mean()
        rough = torch.stack([image.diff(dim=dim).square().sum() for dim in (2, 3)]).sum() / image.numel()
        loss = WEIGHTS[0] * style + WEIGHTS[1] * content + WEIGHTS[2] * rough
        return loss, torch.as_tensor(style), content, rough

    def slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        image = image.detach().requires_grad_()
        loss = self.losses(image)[0]
        loss.backward()
        assert image.grad is not None
        return loss.detach(), image.grad


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=512, help="side of a square as large as the picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loss-size", type=int, default=384)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument(
        "--whole", action="store_true", help="compare losses only, and those of the whole engine"
    )
    options = parser.parse_args()
    if options.loss_size < LEAST:
        parser.error(f"--loss-size: {LEAST} at least.")
    path = require("vgg19-normalised")
    vgg = Vgg(path, "cpu", quick_dtype("cpu"))
    both = [load(file).to_srgb() for file in (options.content, options.style)]

    def pair(size: int) -> tuple[Tensor, Tensor]:
        photo, painting = (pictures.tensor(pictures.within(x, size**2), "cpu") for x in both)
        return photo.contiguous(), painting.contiguous()

    def ours(photo: Tensor, painting: Tensor) -> Objective:
        return Objective(vgg, photo, [painting], [1.0], "gram", WEIGHTS, lambda: None)

    if not options.whole:
        photo, painting = pair(options.size)
        plain, engine = Plain(path, photo, painting), ours(photo, painting)
        in_plain = compare_times(plain, engine, photo, options.rounds)
        mean = 0.0
        for share_of_size, share_of_steps in OptimiseEngine.stages:
            stage, small = pair(round(share_of_size * options.size))
            mean += share_of_steps * settled(ours(stage, small), stage, options.rounds)
        print(f"engine {mean:.3f} s a step in the mean of its sizes, {mean / in_plain:.3f} of plain")
    photo, painting = pair(options.loss_size)
    plain, engine = Plain(path, photo, painting), ours(photo, painting)
    print(f"\n{options.steps} steps, {options.loss_size} px     loss    style  content    rough  seconds")

    inner = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    measure = Plain(path, photo[inner], painting)

    def told(name: str, image: Tensor, began: float) -> np.ndarray:
        """Print how far a picture is, and return style, content and roughness."""
        taken = time.perf_counter() - began
        with torch.no_grad():
            loss, *parts = (float(part) for part in measure.losses(image[inner]))
        figures = "  ".join(f"{part:.5f}" for part in (loss, *parts))
        print(f"{name:<22} {figures}  {taken:7.1f}", flush=True)
        return np.array(parts)

    began = time.perf_counter()
    image = photo.clone().requires_grad_()
    adam = torch.optim.Adam([image], RATES["adam"], betas=(0.9, 0.99))
    for _ in range(options.steps):
        _, image.grad = plain.slope(image)
        adam.step()
        image.data.clamp_(0, 1)
    wanted = told("plain", image, began)
    for method in () if options.whole else RATES:
        began = time.perf_counter()
        found = descend(photo, engine.slope, options.steps, lambda: None, lambda step, point: None, method)
        told(f"ours, {method}", found, began)
    whole = OptimiseEngine()
    source = StyleSource("style", "style", 1.0, None, both[1])
    # An engine takes what it gets for a whole picture at scale 1, and shrinks it to its own size.
    largest = WORK_PIXELS**0.5
    own = (("size", round(largest)), ("style_scale", options.loss_size / largest))
    given = pictures.array(photo, *photo.shape[2:])
    # Of an average step, as a share of one at full size.
    work = sum(size**2 * share for size, share in OptimiseEngine.stages)

    def tried(name: str, content: float, smoothness: float) -> np.ndarray:
        weights = (("content_weight", content * WEIGHTS[1]), ("smoothness", smoothness * WEIGHTS[2]))
        chosen = (*own, ("steps", round(options.steps / work)), *weights)
        began = time.perf_counter()
        painted = whole.paint(given, (source,), Look(options=chosen), lambda: None)
        return told(name, pictures.tensor(painted, "cpu"), began)

    first = tried("engine", 1.0, 1.0)
    moves = np.stack([tried("  less for content", LESS, 1.0), tried("  less smooth", 1.0, LESS)]) - first
    shares = np.linalg.solve(moves[:, 1:].T, (wanted - first)[1:])
    there = float(first[0] + shares @ moves[:, 0])
    print(f"\nat the content distance and roughness of plain: style {there:.5f}, plain {wanted[0]:.5f}")


def compare_times(plain: Plain, engine: Objective, photo: Tensor, rounds: int) -> float:
    """Print the median of a step of plain and ours, and how they compare in each round.

    Returns:
        That of plain, in seconds.
    """
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(rounds + 1):
        plain.slope(photo)
        seconds["plain"].append(timed(plain.slope, photo))
        seconds["ours"].append(settled(engine, photo, 1))
    seconds = {name: times[1:] for name, times in seconds.items()}
    paired = [ours / plain for ours, plain in zip(seconds["ours"], seconds["plain"], strict=True)]
    height, width = photo.shape[2:]
    for name, times in seconds.items():
        print(f"{name:<6} {statistics.median(times):.3f} s a step, {width} x {height}, ", end="")
        print(f"{torch.get_num_threads()} threads")
    print(f"ratio  {statistics.median(paired):.3f} ({min(paired):.3f} to {max(paired):.3f})")
    return statistics.median(seconds["plain"])


def settled(engine: Objective, photo: Tensor, rounds: int) -> float:
    """The median of steps in a descent, which find the memory of the one before."""
    with large_blocks_kept():
        engine.slope(photo)
        return statistics.median(timed(engine.slope, photo) for _ in range(rounds))


def timed(slope: Callable[[Tensor], object], image: Tensor) -> float:
    began = time.perf_counter()
    slope(image)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
