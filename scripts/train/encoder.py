#!/usr/bin/env python3
"""Teach the encoder's convolutions to see as the loss network does, before gallery.py trains the rest.

    scripts/train/encoder.py --data DIR --vgg vgg_normalised.pth --run RUN --steps 600

Each level predicts, through a projection that is thrown away, the activations of VGG's level on
photographs and paintings. Writes RUN/encoder.pt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from impasto.engines.encoder import LEVELS
from impasto.engines.painter import Shape
from impasto.engines.vgg import Vgg
from perception import activations, relative
from pictures import Photographs
from torch_encoder import TorchEncoder

WIDTHS = (64, 128, 256, 512)
"""Channels of relu1_1, relu2_1, relu3_1 and relu4_1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--hold-out", type=Path, nargs="*", default=[], help="pictures never to be seen")
    options = parser.parse_args()
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vgg = Vgg(options.vgg, device)
    held_out = {path.name for path in options.hold_out}
    pictures = Photographs(options.data / "content", options.data / "paintings", held_out, 1)
    encoder = TorchEncoder(torch.zeros(Shape().code_length)).to(device)
    heads = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(LEVELS, WIDTHS, strict=True)).to(device)
    optimiser = torch.optim.Adam([*encoder.parameters(), *heads.parameters()], 2e-3, (0.9, 0.99))
    options.run.mkdir(parents=True, exist_ok=True)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 30) * (1 - step / options.steps)
        batch = pictures.batch(options.batch, options.crop).to(device, memory_format=torch.channels_last)
        with torch.no_grad():
            wanted = list(activations(vgg, batch, "relu4_1").values())
        seen = [F.relu(head(x)) for head, x in zip(heads, encoder.levels(batch), strict=True)]
        losses = torch.stack([relative(x, y).mean() for x, y in zip(seen, wanted, strict=True)])
        optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimiser.step()
        if (step + 1) % 20 == 0:
            with (options.run / "encoder.csv").open("a") as log:
                log.write(f"{step + 1}," + ",".join(f"{loss:.4f}" for loss in losses.tolist()) + "\n")
    torch.save(encoder.state_dict(), options.run / "encoder.pt")


if __name__ == "__main__":
    main()
