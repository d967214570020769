#!/usr/bin/env python3
"""Train the gallery's painter with a code for each style of models/bundled/gallery.toml.

    scripts/train/gallery.py --data DIR --vgg vgg_normalised.pth --run RUN --minutes 120

DIR holds paintings/, photos/ and content/. Without --vgg the bundled loss network looks in its place and a
step takes two fifths of the time; VGG-19 sees half of what is gained so. A run starts from the bundled
painter (--from-bundled) or anew. It resumes from RUN/checkpoint.pt, on a CPU or a GPU with the same
command; the rate falls linearly over --minutes of training time, so a run can be lengthened. What is saved
and exported is the running average of the weights. RUN/log.csv has the losses, RUN/sheet.png the last
sample sheet.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from impasto.engines.lattice import lattice
from impasto.engines.losses import relative
from impasto.engines.painter import Shape
from impasto.models import gallery
from impasto.runtime.torch_executor import quick_dtype
from perception import Eye, gram, pyramid, quick_eye, vgg_eye
from pictures import Photographs, learned_from, to_tensor
from runs import Run, add_run_arguments, read_checkpoint
from torch_painter import TorchPainter

LOGGED = 20
"""Steps whose losses make a line of log.csv: step, seconds, content, style, variation, lattice."""

CONTENT = {"full.relu4_1": 2.0, "half.relu3_1": 1.0, "half.relu4_1": 1.0}
"""Where the content is compared, and what it counts there. The losses see all of a crop: when every part had
to have all of a painting's textures, skies were full of strokes."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_run_arguments(parser, needs_vgg=False)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=256, help="side of a training crop in pixels")
    parser.add_argument("--style-size", type=int, default=512, help="shorter side of a painting in pixels")
    parser.add_argument("--rate", type=float, default=2e-3, help="of the painter")
    parser.add_argument(
        "--code-factor", type=float, default=1.0, help="rate of the codes in those of the painter"
    )
    parser.add_argument("--style-weight", type=float, default=6.0)
    parser.add_argument("--content-weight", type=float, default=4.0)
    parser.add_argument("--tv-weight", type=float, default=5.0)
    parser.add_argument("--lattice-weight", type=float, default=2.5)
    parser.add_argument("--blocks", type=int, default=Shape.blocks, help="residual ones at 1/8")
    parser.add_argument("--fine-blocks", type=int, default=Shape.fine_blocks, help="residual ones at 1/4")
    parser.add_argument("--frozen", action="store_true", help="train only codes, not the painter")
    parser.add_argument(
        "--only", nargs="+", choices=gallery.names(), metavar="NAME", help="leave all other codes"
    )
    parser.add_argument("--average", type=float, default=0.998, help="of the weights: how much stays a step")
    return parser.parse_args()


def style_targets(eye: Eye, paintings: Iterable[Image.Image], device: str) -> dict[str, Tensor]:
    """Gram matrices of each layer, stacked over the styles."""
    targets: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for painting in paintings:
            image = to_tensor(painting)[None].to(device)
            for name, features in pyramid(eye, image).items():
                targets.setdefault(name, []).append(gram(features)[0])
    return {name: torch.stack(grams) for name, grams in targets.items()}


def total_variation(image: Tensor) -> Tensor:
    dx = (image[..., 1:] - image[..., :-1]).square().mean()
    return dx + (image[..., 1:, :] - image[..., :-1, :]).square().mean()


def with_noise(photo: Tensor) -> Tensor:
    """The painter's input: (N, 3, H, W) -> (N, `painter.INPUTS`, H, W)."""
    return torch.cat([photo, torch.rand_like(photo[:, :1]) * 2 - 1], 1)


def write_sheet(painter: TorchPainter, photos: Tensor, path: Path, dtype: torch.dtype) -> None:
    """The photographs, and under them a row for each style."""
    with torch.no_grad():
        rows = [photos] + [
            painter(with_noise(photos), code[None].expand(len(photos), -1), dtype) for code in painter.codes
        ]
    columns = torch.cat([torch.cat(list(row.float()), 2) for row in rows], 1)
    array = (columns.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(array).save(path)


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = quick_dtype(device)
    eye = vgg_eye(options.vgg, device) if options.vgg else quick_eye(device)
    folder = options.data / "paintings"
    paintings = (learned_from(style, folder, options.style_size) for style in gallery.styles())
    targets = style_targets(eye, paintings, device)
    drawn = torch.tensor([gallery.find(name) for name in options.only or gallery.names()], device=device)
    photographs = Photographs(options.data, options.hold_out, options.seed)
    samples = photographs.batch(3, min(384, options.style_size)).to(device)

    saved = read_checkpoint(options.run, device)
    shape = Shape(**saved.get("shape", {"blocks": options.blocks, "fine_blocks": options.fine_blocks}))
    painter = TorchPainter(shape, len(gallery.styles())).to(device)
    if saved:
        painter.load_state_dict(saved["network"])
        photographs.random.seed(options.seed + saved["step"])
    elif options.from_bundled:
        bundled = gallery.load()
        tensors = {name: torch.from_numpy(value) for name, value in bundled.weights.items()}
        painter.take(Shape(**bundled.shape), tensors, torch.from_numpy(bundled.codes))
    body = [*painter.weights.parameters(), *painter.biases.parameters()]
    groups = [{"params": [painter.codes], "rate": options.rate * options.code_factor}]
    if options.frozen:
        for parameter in body:
            parameter.requires_grad_(False)
    else:
        groups.append({"params": body, "rate": options.rate})
    run = Run(options, painter, groups, saved, 5.0, LOGGED, shape=asdict(shape), frozen=options.frozen)

    for _ in run.steps(lambda: write_sheet(run.average, samples, options.run / "sheet.png", dtype)):
        photo = photographs.batch(options.batch, options.crop).to(device, memory_format=torch.channels_last)
        which = drawn[torch.randint(len(drawn), (options.batch,), device=device)]
        painting = painter(with_noise(photo), painter.codes[which], dtype).float()
        features = pyramid(eye, painting)
        with torch.no_grad():
            wanted = pyramid(eye, photo)
        content = sum(share * relative(features[name], wanted[name]) for name, share in CONTENT.items())
        style = sum(relative(gram(features[name]), target[which]) for name, target in targets.items())
        style = torch.as_tensor(style)
        parts = torch.stack(
            [
                torch.as_tensor(content).mean(),
                style.mean(),
                total_variation(painting),
                lattice(painting),
            ]
        )
        weights = parts.new_tensor(
            [options.content_weight, options.style_weight, options.tv_weight, options.lattice_weight]
        )
        run.descend((parts * weights).sum(), parts)


if __name__ == "__main__":
    main()
