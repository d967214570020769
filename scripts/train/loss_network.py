#!/usr/bin/env python3
"""Train the loss network, which sees what VGG-19 sees in a fifth of its time.

    scripts/train/loss_network.py --data DIR --vgg vgg_normalised.pth --run RUN --minutes 60 --export

DIR holds paintings/, photos/ and content/. It learns from photographs, crops of the gallery's paintings and
of those in --paintings, and photographs that the bundled arbitrary painter painted in the style of these. A
run begins with channels of VGG-19, chosen and put together by least squares (about a minute), or with the
bundled network, and resumes from RUN/checkpoint.pt, on a CPU or a GPU with the same command; the rate falls
linearly over --minutes. What is saved and exported is the running average of the weights. RUN/log.csv has
the relative errors of the features and of their Gram matrices.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from impasto.engines import vgg as vgg_layers
from impasto.engines.loss_network import LEVELS, convolutions, features, unbiased
from impasto.engines.losses import relative
from impasto.engines.teaching import LAYERS
from impasto.engines.vgg import Vgg
from impasto.models import arbitrary, fitting
from impasto.runtime.torch_executor import TorchOps, quick_dtype
from perception import activations, gram
from pictures import Photographs
from runs import Run, add_run_arguments, read_checkpoint
from style_crops import Paintings, recoloured
from torch_arbitrary import TorchArbitrary

LOGGED = 25
"""Steps whose errors make a line of log.csv: step, seconds, features at each level, Gram matrices there."""

NOISE = 0.3
"""Deviations by which styles are changed before photographs are painted in them."""

RECOLOURED = 0.5
"""Share of the crops of paintings that have other colours than there are."""

GRAM_WEIGHT = 0.5

COMPARED = tuple(f"{names[0]}.compared.weight" for names in LEVELS)

CHANNELS = (64, 128, 256, 512)
"""Of VGG-19 at each of `LEVELS`."""

CHOOSING = 64
"""Pictures by which channels are chosen."""

POSITIONS = 60_000
"""Of features that are looked at to choose channels."""


class TorchLossNetwork(nn.Module):
    """`impasto.engines.loss_network` with trainable weights; those called "compared" are linear maps from
    its features to VGG-19's."""

    def __init__(self) -> None:
        super().__init__()
        tensors: dict[str, Tensor] = {}
        for name, (out, channels, kernel) in convolutions().items():
            tensors[f"{name}.weight"] = torch.empty(out, channels, kernel, kernel)
            if name not in unbiased():
                tensors[f"{name}.bias"] = torch.empty(out)
        for name, channels in zip(COMPARED, CHANNELS, strict=True):
            tensors[name] = torch.empty(channels, tensors[name].shape[1], 1, 1)
        self.names = list(tensors)
        self.tensors = nn.ParameterList(tensors.values())

    def named(self) -> dict[str, nn.Parameter]:
        """The weights by their names."""
        return dict(zip(self.names, self.tensors, strict=True))

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from these weights; those that are missing stay."""
        with torch.no_grad():
            for name, tensor in self.named().items():
                if name in tensors:
                    tensor.copy_(tensors[name])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) sRGB in 0..1 -> VGG-19's activations `LAYERS`."""
        return features(TorchOps(self.named()), image)

    def exported(self) -> dict[str, Tensor]:
        """The weights as `engines.loss_network` expects them."""
        tensors = {name: tensor.detach().cpu() for name, tensor in self.named().items()}
        for name in COMPARED:
            # Distances are kept by any map of the same square.
            onto = tensors[name][:, :, 0, 0].double()
            energies, directions = torch.linalg.eigh(onto.T @ onto)
            tensors[name] = (energies.clamp(min=0).sqrt()[:, None] * directions.T)[..., None, None]
        return {
            name: (tensor.half() if name.endswith(".weight") else tensor).contiguous()
            for name, tensor in tensors.items()
        }


class Pictures:
    """Photographs, crops of paintings, and photographs painted in the style of these."""

    def __init__(self, photographs: Photographs, paintings: Paintings, crop: int, device: str) -> None:
        self.photographs, self.paintings, self.crop, self.device = photographs, paintings, crop, device
        self.painter = TorchArbitrary().to(device).requires_grad_(False)
        self.painter.take({name: torch.from_numpy(x) for name, x in arbitrary.load().weights.items()})

    def batch(self, each: int) -> Tensor:
        """As many of each kind: (3 each, 3, crop, crop) float in 0..1."""
        photos = self.photographs.batch(2 * each, self.crop).to(self.device)
        styles = torch.stack([self.style(2 * self.crop) for _ in range(each)]).to(self.device)
        with torch.no_grad():
            codes = self.painter.code(self.painter.summary(styles), NOISE)
            painted = self.painter(photos[:each], codes).clamp(0, 1)
        half = styles[..., : self.crop, : self.crop]
        return torch.cat([painted, photos[each:], half]).contiguous(memory_format=torch.channels_last)

    def style(self, size: int) -> Tensor:
        """(3, size, size) float in 0..1."""
        crop, chance = self.paintings.crop(size), self.paintings.chance
        return recoloured(crop, chance) if chance.random() < RECOLOURED else crop


def rows(x: Tensor) -> Tensor:
    """Features of all positions, or of enough of them: (N, C, h, w) -> (C, positions) double."""
    found = x.transpose(0, 1).flatten(1)
    return found[:, :: max(1, found.shape[1] // POSITIONS)].double()


def begun(weights: Path, images: Tensor) -> dict[str, Tensor]:
    """Weights to begin with: layer by layer those channels of VGG-19 are taken that tell most of all of
    them, and the next layer is convolved with what they tell."""
    layers = vgg_layers.load(weights, str(images.device))
    tint, offset = layers["0"]
    seen = F.conv2d(images, tint, offset)
    own, tells, rest = images, tint[:, :, 0, 0], offset
    found: dict[str, Tensor] = {}
    for level, (names, theirs) in enumerate(zip(LEVELS, vgg_layers.LEVELS, strict=False)):
        if level:
            seen, own = F.max_pool2d(seen, 2), F.max_pool2d(own, 2)
        for name, number in zip(names, theirs, strict=False):
            weight, bias = layers[number]
            folded = torch.einsum("oikl,ij->ojkl", weight, tells)
            shift = bias + weight.sum((2, 3)) @ rest
            ops = TorchOps({"x.weight": weight, "x.bias": bias, "y.weight": folded, "y.bias": shift})
            seen, own = ops.conv(seen, "x").relu(), ops.conv(own, "y").relu()
            chosen = telling(rows(seen), rows(own), convolutions()[name][0])
            own = own[:, chosen]
            tells, rest = told(rows(seen), rows(own))
            found |= {f"{name}.weight": folded[chosen], f"{name}.bias": shift[chosen]}
    return found


def telling(wanted: Tensor, known: Tensor, count: int) -> Tensor:
    """Which of the known, (K, n), explain most of the wanted, (W, n), with a constant: (count,) indices."""
    known = torch.cat([known, torch.ones_like(known[:1])])
    within, across = known @ known.T, wanted @ known.T
    first = within.diagonal().clone()
    chosen = [len(known) - 1]
    for _ in range(count):
        taken = chosen[-1]
        pivot = within[taken, taken].clone()
        row, column = within[:, taken].clone(), across[:, taken].clone()
        within -= torch.outer(row, row) / pivot
        across -= torch.outer(column, row) / pivot
        gain = across.square().sum(0) / within.diagonal().clamp(min=1e-12)
        gain[within.diagonal() < 1e-4 * first] = -1
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
    return torch.tensor(chosen[1:], device=known.device)


def told(wanted: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The map from the known, and the constant, that are nearest to the wanted: (W, K), (W,)."""
    known = torch.cat([known, torch.ones_like(known[:1])])
    found = ridge(wanted, known)
    return found[:, :-1].float(), found[:, -1].float()


def ridge(wanted: Tensor, known: Tensor) -> Tensor:
    within = known @ known.T
    within += 1e-5 * within.diagonal().mean() * torch.eye(len(known), device=known.device)
    return torch.linalg.solve(within, known @ wanted.T).T


def maps(network: TorchLossNetwork, vgg: Vgg, images: Tensor) -> dict[str, Tensor]:
    """The linear maps that are best for a network."""
    plain = {name: tensor for name, tensor in network.named().items() if name not in COMPARED}
    for name in COMPARED:
        plain[name] = nn.Parameter(
            torch.eye(network.named()[name].shape[1], device=images.device)[..., None, None]
        )
    own, wanted = features(TorchOps(plain), images), activations(vgg, images, LAYERS[-1])
    return {
        name: ridge(rows(wanted[layer].float()), rows(x)).float()[..., None, None]
        for name, layer, x in zip(COMPARED, LAYERS, own, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_run_arguments(parser)
    parser.add_argument("--paintings", type=Path, metavar="FOLDER", help="of more pictures")
    parser.add_argument("--each", type=int, default=3, help="pictures of a kind in a step")
    parser.add_argument("--crop", type=int, default=128, help="side of a training crop in pixels")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--average", type=float, default=0.99, help="of the weights: how much stays a step")
    parser.add_argument("--export", type=Path, nargs="?", const=fitting.LOSS_NETWORK)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vgg = Vgg(options.vgg, device, quick_dtype(device))
    photographs = Photographs(options.data, options.hold_out, options.seed)
    chance = random.Random(options.seed)
    paintings = Paintings(options.data, options.paintings, 4 * options.crop, chance)
    pictures = Pictures(photographs, paintings, options.crop, device)
    network = TorchLossNetwork().to(device)
    saved = read_checkpoint(options.run, device)
    if saved:
        network.load_state_dict(saved["network"])
        photographs.random.seed(options.seed + saved["step"])
        chance.seed(options.seed + saved["step"])
    else:
        images = torch.cat([pictures.batch(4) for _ in range(max(1, CHOOSING // 12))])
        with torch.no_grad():
            if options.from_bundled:
                bundled = {name: torch.from_numpy(x) for name, x in fitting.loss_network().items()}
                network.take({name: tensor for name, tensor in bundled.items() if name not in COMPARED})
            else:
                network.take(begun(options.vgg, images))
            network.take(maps(network, vgg, images))
    network = network.to(memory_format=torch.channels_last)
    groups = [{"params": list(network.parameters()), "rate": options.rate}]
    run = Run(options, network, groups, saved, 1.0, LOGGED, warm_up=20)

    for _ in run.steps():
        images = pictures.batch(options.each)
        with torch.no_grad():
            wanted = activations(vgg, images, LAYERS[-1])
        with torch.autocast(device, torch.bfloat16, enabled=vgg.dtype == torch.bfloat16):
            found = network(images)
        pairs = [(x, wanted[name]) for x, name in zip(found, LAYERS, strict=True)]
        apart = torch.stack([relative(x, y).mean() for x, y in pairs])
        grams = torch.stack([relative(gram(x), gram(y)).mean() for x, y in pairs])
        # The last level's features are compared by themselves, too, where the content is.
        loss = apart.sum() + apart[-1] + GRAM_WEIGHT * grams.sum()
        run.descend(loss, torch.cat([apart, grams]))
    if options.export:
        licence = {"licence": "Apache-2.0, see CREDITS.md", "steps": str(run.step)}
        save_file(run.average.exported(), options.export, licence)
        options.export.chmod(0o644)


if __name__ == "__main__":
    main()
