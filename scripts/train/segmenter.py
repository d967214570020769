#!/usr/bin/env python3
"""Train the segmenter on its teacher's answers, rounded to eight bits as it will be stored, and judge it.

    scripts/train/segmenter.py --data DIR --teacher ade20k_deeplab.npz --run RUN --minutes 20 --export
    scripts/train/segmenter.py --teacher ade20k_deeplab.npz --judge examples/*.jpg

It starts from the teacher's weights and learns to give the same answers with rounded ones, on random parts of
DIR/content and DIR/photos. RUN/checkpoint.pt lets a run go on, on a CPU or a GPU with the same command, and
RUN/log.csv has the loss. With --export the running average is written to models/bundled/. With --judge both
networks look at whole photographs, and the share of the pixels is printed at which their likeliest classes
are the same.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance
from safetensors.numpy import save_file
from torch import Tensor

from ade20k import Teacher, segmenters_weights
from impasto.models.gallery import BUNDLED
from impasto.raster import load
from impasto.regions.classes import chances
from impasto.regions.segmenter import SIDE, forward
from impasto.runtime.quantised import LARGEST, quantised
from impasto.runtime.torch_executor import TorchOps
from impasto.selector import CLASSES
from pictures import EXAMPLES
from runs import CHECKPOINT, kept_share, rate_now, read_checkpoint, write_checkpoint

AVERAGED = 0.98
"""Share of the averaged weights that is kept at a step; they are what is exported."""

WARM_UP = 20
"""Steps over which the learning rate rises."""

CLIP = 1.0
"""Greatest norm of the slope."""

LOGGED = 5
"""Steps whose loss makes a line of log.csv: step, seconds, cross-entropy beyond the teacher's own entropy."""


def main() -> None:
    options = parsed()
    teacher = Teacher(options.teacher)
    if options.data:
        train(options, teacher)
    shares: list[float] = []
    for path in options.judge:
        shares.append(agreement(teacher, path))
        print(f"{shares[-1]:.4f} {path}", flush=True)
    if shares:
        print(f"{np.mean(shares):.4f} on average")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="its labels stand beside it")
    parser.add_argument("--data", type=Path, help="train on the pictures of this folder")
    parser.add_argument("--run", type=Path, default=Path("segmenter-run"))
    parser.add_argument("--minutes", type=float, default=20, help="of training in all, earlier runs included")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3, help="of a weight's usual size")
    parser.add_argument("--large", type=float, default=0.4, help="share of parts of the large photographs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--export", type=Path, nargs="?", const=BUNDLED / "segmenter.safetensors")
    parser.add_argument("--judge", type=Path, nargs="+", default=[], metavar="PHOTOGRAPH")
    return parser.parse_args()


def train(options: argparse.Namespace, teacher: Teacher) -> None:
    """See the module."""
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    start = {name: torch.from_numpy(x).to(device) for name, x in segmenters_weights(options.teacher).items()}
    groups = start.pop("groups")
    sizes = {name: size(name, start) for name in start}
    moved = {name: torch.zeros_like(tensor).requires_grad_() for name, tensor in start.items()}
    average = {name: tensor.clone() for name, tensor in start.items()}
    optimiser = torch.optim.Adam(moved.values(), options.rate, (0.9, 0.98))
    step, spent = 0, 0.0
    checkpoint = options.run / CHECKPOINT
    if saved := read_checkpoint(options.run, device):
        with torch.no_grad():
            for name, tensor in moved.items():
                tensor.copy_(saved["moved"][name])
        average = saved["average"]
        optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["spent"]
    chance = random.Random(options.seed + step)
    small, large = learned(options.data)
    losses: list[float] = []
    while spent < 60 * options.minutes:
        began = time.monotonic()
        optimiser.param_groups[0]["lr"] = rate_now(options.rate, step, spent, options.minutes, WARM_UP)
        optimiser.zero_grad(set_to_none=True)
        loss = 0.0
        for _ in range(options.batch):  # one by one, for memory's sake
            picture = part(chance.choice(large if chance.random() < options.large else small), chance)
            wanted = torch.from_numpy(teacher(picture)).to(device).permute(2, 0, 1)[None].clamp(min=1e-6)
            pixels = torch.from_numpy(np.array(picture)).to(device).permute(2, 0, 1)[None].float()
            pixels = (pixels / 127.5 - 1).contiguous(memory_format=torch.channels_last)
            weights = {name: start[name] + sizes[name] * tensor for name, tensor in moved.items()}
            ops = TrainingOps(
                {name: rounded(name, tensor) for name, tensor in weights.items()} | {"groups": groups}
            )
            # The teacher answers for every second of our cells.
            said = forward(ops, pixels)[..., ::2, ::2].clamp(min=1e-6)
            divergence = (wanted * (wanted / said).log()).sum(1).mean() / options.batch
            divergence.backward()
            loss += divergence.item()
        torch.nn.utils.clip_grad_norm_(list(moved.values()), CLIP)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for name, mean in average.items():
                now = start[name] + sizes[name] * moved[name]
                mean.lerp_(now, 1 - kept_share(AVERAGED, step))
        losses.append(loss)
        spent += time.monotonic() - began
        if step % LOGGED == 0 or spent >= 60 * options.minutes:
            with (options.run / "log.csv").open("a") as log:
                log.write(f"{step},{spent:.0f},{np.mean(losses):.4f}\n")
            losses.clear()
            state = {"moved": moved, "average": average, "optimiser": optimiser.state_dict()}
            write_checkpoint(checkpoint, state | {"step": step, "spent": spent})
    if options.export:
        arrays = {name: tensor.cpu().numpy() for name, tensor in average.items()}
        about = {"classes": " ".join(CLASSES), "licence": "Apache-2.0, see CREDITS.md", "steps": str(step)}
        save_file(quantised(arrays | {"groups": groups.cpu().numpy()}), options.export, about)
        options.export.chmod(0o644)


def learned(data: Path) -> tuple[list[Path], list[Path]]:
    """The small and the large photographs to learn from; others are kept back to judge by."""
    small, large = (sorted((data / folder).glob("*.jpg")) for folder in ("content", "photos"))
    kept_back = {path.name for path in [*small[6::12], *large[4::8], *EXAMPLES.glob("*.jpg")]}
    small, large = ([path for path in paths if path.name not in kept_back] for paths in (small, large))
    return small, large


def part(path: Path, chance: random.Random) -> Image.Image:
    """A part of a picture, often all of it, made square, at times mirrored and in another light."""
    with Image.open(path) as opened:
        opened.draft("RGB", (1200, 1200))
        picture = opened.convert("RGB")
    shares = [min(1.0, chance.uniform(0.4, 1.3)) for _ in picture.size]
    width, height = (max(1, round(side * share)) for side, share in zip(picture.size, shares, strict=True))
    left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
    box = (left, top, left + width, top + height)
    squeezed = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
    if chance.random() < 0.5:
        squeezed = squeezed.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if chance.random() < 0.5:
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            squeezed = change(squeezed).enhance(chance.uniform(0.7, 1.3))
    return squeezed


def size(name: str, weights: dict[str, Tensor]) -> Tensor:
    """How large the weights of each output channel are, (out, 1...): norms that were folded into them make
    one channel's a hundred times another's, and Adam takes steps of one size. A bias is measured by what all
    weights of its channel add up to."""
    weight = weights[f"{name.rpartition('.')[0]}.weight"]
    inside = tuple(range(1, weight.ndim))
    squares = weight.square()
    if name.endswith(".bias"):
        return squares.sum(inside).sqrt()
    return squares.mean(inside, keepdim=True).sqrt()


class ByChannel(torch.autograd.Function):
    """Convolution channel by channel. Its slope by the weights takes torch five times as long on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return F.conv2d(x, weight, None, 1, dilation, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        (slope,), by = slopes, ctx.dilation
        slope = slope.contiguous(memory_format=torch.channels_last)
        by_x = F.conv2d(slope, weight.flip(2, 3), None, 1, by, by, len(weight))
        height, width = x.shape[2:]
        around = F.pad(x, (by, by, by, by))
        by_weight = [
            (around[..., top : top + height, left : left + width] * slope).sum((0, 2, 3))
            for top in (0, by, 2 * by)
            for left in (0, by, 2 * by)
        ]
        return by_x, torch.stack(by_weight, 1).view_as(weight), None


class TrainingOps(TorchOps):
    def convolve(self, x: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        if stride > 1 or weight.shape[1] > 1:
            return super().convolve(x, name, stride, dilation)
        seen: Tensor = ByChannel.apply(x, weight, dilation)  # pyright: ignore[reportAssignmentType]
        return seen + self.weights[f"{name}.bias"][:, None, None]


def rounded(name: str, weight: Tensor) -> Tensor:
    """As `quantised` stores it; the gradient passes as if it were not (Jacob et al. 2018, section 3)."""
    if not name.endswith(".weight") or weight.shape[1] == 1:
        return weight
    scale = weight.detach().abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / LARGEST
    scale = scale.clamp(min=torch.finfo(torch.float32).tiny)
    return weight + ((weight / scale).round() * scale - weight).detach()


def agreement(teacher: Teacher, path: Path) -> float:
    """Share of the pixels of the networks' input where what the program finds likeliest is the teacher's.

    Both see the whole picture: the teacher as it is meant to, the bundled segmenter through
    `impasto.regions.classes`.
    """
    with Image.open(path) as picture:
        said = teacher(picture.convert("RGB"))
    likeliest = [enlarged(answer).argmax(2) for answer in (said, chances(load(path)))]
    return float((likeliest[0] == likeliest[1]).mean())


def enlarged(answer: np.ndarray) -> np.ndarray:
    """(h, w, classes) linearly to the pixels of the input; the outermost cells lie on its outermost."""
    for axis in (0, 1):
        place = np.linspace(0, answer.shape[axis] - 1, SIDE, dtype=np.float32)
        before = np.minimum(place.astype(int), answer.shape[axis] - 2)
        share = (place - before).reshape([-1 if axis == other else 1 for other in range(3)])
        low, high = np.take(answer, before, axis), np.take(answer, before + 1, axis)
        answer = low + share * (high - low)
    return answer


if __name__ == "__main__":
    main()
