#!/usr/bin/env python3
"""Train the segmenter on what its teacher answered (segmenter_views.py), and export it.

    scripts/train/segmenter.py --views VIEWS --teacher ade20k_deeplab.npz --run RUN --minutes 30

It starts from the teacher's first layers, which learn on at a lower rate than the rest. A run can be stopped
and started again: it goes on from RUN/checkpoint.pt. RUN/log.csv has the loss and, on pictures kept out of
training, the share of cells where the answer is the teacher's; RUN/sheet.png shows some of them beside the
teacher's. With --export the weights are written as float16 to models/bundled/.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from impasto.models.gallery import BUNDLED
from impasto.regions.segmenter import CELL, CLASSES
from torch_segmenter import TorchSegmenter

COLOURS = (
    "5aaaff e63c3c 28aa28 be8c46 1428c8 969696 ffb478 ffe600 ff00ff 783c8c 000000"  # in the order of CLASSES
)
WARM_UP = 200
"""Steps over which the learning rate rises."""

AVERAGED = 0.998
"""Share of the averaged weights that is kept at a step; they are what is judged and exported."""


SURENESS = 6
"""Power of the teacher's mean certainty by which small photographs are chosen."""


@dataclass
class Views:
    """What segmenter_views.py wrote: `pixels` (N, S, S, 3) and `answers` (N, G, G, classes), uint8."""

    pixels: np.ndarray
    answers: np.ndarray
    device: torch.device

    def batch(self, chosen: np.ndarray) -> tuple[Tensor, Tensor]:
        """(n, 3, S, S) and (n, classes, G, G), both float in 0..1."""
        return self._planes(self.pixels[chosen]), self._planes(self.answers[chosen])

    def _planes(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device).permute(0, 3, 1, 2).float() / 255


def main() -> None:
    options = parsed()
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    views = Views(
        np.load(options.views / "pixels.npy", mmap_mode="r"),
        np.load(options.views / "answers.npy", mmap_mode="r"),
        device,
    )
    small, large, judged = split(options.views / "views.json")
    trust = trusted(views.answers, small)
    dtype = torch.float32 if options.float32 else torch.bfloat16
    segmenter, average = (TorchSegmenter(dtype).to(device) for _ in range(2))
    taken = segmenter.start_from(options.teacher)
    average.load_state_dict(segmenter.state_dict())
    known = {id(parameter) for parameter in taken}
    new = [parameter for parameter in segmenter.parameters() if id(parameter) not in known]
    groups = [{"params": new, "factor": 1.0}, {"params": taken, "factor": options.taken}]
    optimiser = torch.optim.AdamW(groups, options.rate, (0.9, 0.99), weight_decay=0.02)
    step, spent = 0, 0.0
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        segmenter.load_state_dict(saved["segmenter"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["spent"]
    random = np.random.default_rng(options.seed + step)
    losses: list[float] = []
    before = time.monotonic()
    while spent < 60 * options.minutes:
        segmenter.train()
        count = random.binomial(options.batch, options.large)
        chosen = random.choice(large, count), random.choice(small, options.batch - count, p=trust)
        pictures, answers = views.batch(np.concatenate(chosen))
        pictures, answers = cropped(pictures, answers, options.crop, random)
        progress = spent / (60 * options.minutes)
        for group in optimiser.param_groups:
            falling = 0.5 + 0.5 * math.cos(math.pi * progress)
            rising = min(1, (step + 1) / WARM_UP)
            group["lr"] = options.rate * group["factor"] * rising * max(falling, 0.01)
        predicted = segmenter(recoloured(pictures, random))
        loss = F.cross_entropy(predicted, answers)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(segmenter.parameters(), 2.0)
        optimiser.step()
        follow(average, segmenter, min(AVERAGED, (step + 1) / (step + 10)))
        losses.append(loss.item())
        step += 1
        now = time.monotonic()
        spent, before = spent + now - before, now
        last = spent >= 60 * options.minutes
        if step % options.every == 0 or last:
            agreement = judge(average, views, judged, options.side)
            with (options.run / "log.csv").open("a") as log:
                log.write(f"{step},{spent:.0f},{np.mean(losses):.4f},{agreement:.4f}\n")
            losses.clear()
            sheet(average, views, judged[:: max(1, len(judged) // 24)][:24], options.side).save(
                options.run / "sheet.png"
            )
            state = {"segmenter": segmenter.state_dict(), "average": average.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            torch.save(state, options.run / "unfinished.pt")
            (options.run / "unfinished.pt").replace(checkpoint)
            before = time.monotonic()
    if options.export:
        weights = {name: value.half().contiguous() for name, value in average.exported().items()}
        save_file(weights, options.export, {"classes": " ".join(CLASSES), "steps": str(step)})
        options.export.chmod(0o644)


def split(listing: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of views of the small and of the large photographs, to learn from, and of those to judge by:
    whole pictures, of which no part is learned from."""
    views = [
        (index, view) for index, view in enumerate(json.loads(listing.read_text("utf-8"))) if view["seen"]
    ]
    learned = {
        folder: [i for i, view in views if not view["held_out"] and view["name"].startswith(folder)]
        for folder in ("content/", "photos/")
    }
    judged = [i for i, view in views if view["held_out"] and tuple(view["part"]) == (0, 0, 1, 1)]
    return np.array(learned["content/"]), np.array(learned["photos/"]), np.array(judged)


def trusted(answers: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How often to look at each view, of sum 1: of things that it never learned the teacher says anything,
    and it is then not sure."""
    sureness = np.array([answers[index].max(2).mean() for index in chosen]) ** SURENESS
    return sureness / sureness.sum()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--views", type=Path, required=True, help="the folder that segmenter_views.py filled")
    parser.add_argument("--teacher", type=Path, required=True, help="ade20k_deeplab.npz")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90, help="of training in all, earlier runs included")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--crop", type=int, default=224, help="side of the training crops in pixels")
    parser.add_argument("--side", type=int, default=256, help="side of the pictures that are judged")
    parser.add_argument("--large", type=float, default=0.5, help="share of parts of the large photographs")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--taken", type=float, default=0.1, help="rate of the teacher's layers, in this one")
    parser.add_argument("--every", type=int, default=250, help="steps between two checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="for processors without bfloat16 arithmetic")
    parser.add_argument("--export", type=Path, nargs="?", const=BUNDLED / "segmenter.safetensors")
    return parser.parse_args()


def cropped(
    pictures: Tensor, answers: Tensor, side: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A random part of each picture and its answers, often nearly all of it, half of them mirrored.

    Returns:
        (n, 3, `side`, `side`) and (n, classes, `side` / `CELL`, `side` / `CELL`).
    """
    count = len(pictures)
    share = random.uniform(0.45, 1, count) ** 0.7
    stretch = np.exp(random.uniform(-0.3, 0.3, count))
    across, down = np.minimum(share * stretch, 1), np.minimum(share / stretch, 1)
    shift = random.uniform(-1, 1, (2, count)) * (1 - np.stack([across, down]))
    mirror = random.choice([-1, 1], count)
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 0, 2] = across * mirror, shift[0]
    theta[:, 1, 1], theta[:, 1, 2] = down, shift[1]
    where = torch.from_numpy(theta).to(pictures.device)

    def part(planes: Tensor, size: int) -> Tensor:
        grid = F.affine_grid(where, [count, planes.shape[1], size, size], align_corners=False)
        return F.grid_sample(planes, grid, "bilinear", "border", align_corners=False)

    return part(pictures, side), part(answers, side // CELL)


def recoloured(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """Other light: exposure, contrast, white balance, saturation (sometimes none), and a little noise."""
    count = len(pictures)

    def factor(low: float, high: float, *shape: int) -> Tensor:
        values = random.uniform(low, high, (count, *(shape or (1,)), 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(pictures.device)

    x = pictures.clamp(0, 1) ** factor(0.7, 1.45) * factor(0.85, 1.15, 3)
    gray = x.mean(1, keepdim=True)
    saturation = factor(0.5, 1.4) * (factor(0, 1) > 0.06)
    x = gray + (x - gray) * saturation
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * factor(0.75, 1.25)
    return (x + torch.randn_like(x) * factor(0, 0.03)).clamp(0, 1)


@torch.no_grad()
def follow(average: TorchSegmenter, segmenter: TorchSegmenter, kept: float) -> None:
    """Move the averaged weights and statistics towards the present ones."""
    for mean, value in zip(average.state_dict().values(), segmenter.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - kept)


@torch.no_grad()
def answered(segmenter: TorchSegmenter, pictures: Tensor, side: int, size: int) -> Tensor:
    """Logits (n, classes, size, size) of whole pictures seen at `side` pixels."""
    segmenter.eval()
    small = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True, align_corners=False)
    logits = segmenter(small)
    return F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)


def judge(segmenter: TorchSegmenter, views: Views, chosen: np.ndarray, side: int) -> float:
    """Share of the cells of whole pictures where the likeliest class is the teacher's."""
    shares: list[float] = []
    for start in range(0, len(chosen), 32):
        pictures, answers = views.batch(chosen[start : start + 32])
        predicted = answered(segmenter, pictures, side, answers.shape[-1])
        same = predicted.argmax(1) == answers.argmax(1)
        shares += same.float().mean((1, 2)).tolist()
    return float(np.mean(shares))


def sheet(segmenter: TorchSegmenter, views: Views, chosen: np.ndarray, side: int) -> Image.Image:
    """Rows of (picture, teacher's classes, our classes), two in a row."""
    pictures, answers = views.batch(chosen)
    predicted = answered(segmenter, pictures, side, answers.shape[-1])
    colours = np.array([list(bytes.fromhex(colour)) for colour in COLOURS.split()], np.uint8)
    size = 160
    result = Image.new("RGB", (6 * size, size * math.ceil(len(chosen) / 2)))
    for index, picture in enumerate(pictures):
        pixels = (picture.permute(1, 2, 0) * 255).byte().cpu().numpy()
        tiles = [pixels, *(colours[x[index].argmax(0).cpu().numpy()] for x in (answers, predicted))]
        for column, tile in enumerate(tiles):
            at = (3 * (index % 2) + column) * size, index // 2 * size
            result.paste(Image.fromarray(tile).resize((size, size), Image.Resampling.NEAREST), at)
    return result


if __name__ == "__main__":
    main()
