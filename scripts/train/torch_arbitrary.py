"""The arbitrary painter as a torch module, for training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.engines.arbitrary import (
    CODE_LENGTH,
    LEVELS,
    PARTS,
    QUARTER,
    convolutions,
    draft,
    encode,
    forward,
    layout,
    summary,
)
from impasto.runtime.torch_executor import TorchOps

SLACK = 0.05
"""What is left of a gradient that leads out of 0..1."""


class TorchArbitrary(nn.Module):
    """`impasto.engines.arbitrary` with trainable weights."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors = nn.ParameterDict()
        for name, (out, channels, kernel) in convolutions().items():
            weight = torch.empty(out, channels, kernel, kernel)
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            self.tensors[_key(f"{name}.weight")] = nn.Parameter(weight)
            self.tensors[_key(f"{name}.bias")] = nn.Parameter(torch.zeros(out))

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them."""
        names = [f"{name}.{kind}" for name in convolutions() for kind in ("weight", "bias")]
        return {name: self.tensors[_key(name)] for name in names}

    def take(self, exported: Mapping[str, Tensor]) -> None:
        """Go on from weights as `exported` gives them."""
        with torch.no_grad():
            for name, tensor in self.exported().items():
                tensor.copy_(exported[name])

    def encode(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in 0..1 -> (N, code length)."""
        return self.code(self.summary(picture))

    def summary(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in 0..1 -> what `code` takes, (N, its channels, 1, 1)."""
        return summary(TorchOps(self.exported()), picture)

    def code(self, summary: Tensor) -> Tensor:
        """What `summary` gave -> (N, code length)."""
        return TorchOps(self.exported()).conv(summary, "code")[:, :, 0, 0]

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in 0..1 and (N, code length) -> (N, 3, H, W)."""
        painted = forward(TorchOps(self.exported()), image, code)
        within = painted.clamp(0, 1)
        return within + SLACK * (painted - within)


def _key(name: str) -> str:
    return name.replace(".", "_")


def from_microast(folder: Path) -> dict[str, Tensor]:
    """The published weights of MicroAST, as `TorchArbitrary.take` wants them."""
    found: dict[str, Tensor] = {}
    parts = {
        part: torch.load(folder / f"{part}_iter_160000.pth.tar", weights_only=True, map_location="cpu")
        for part in ("content_encoder", "style_encoder", "modulator", "decoder")
    }

    def put(name: str, part: str, theirs: str) -> None:
        for kind in ("weight", "bias"):
            tensor = parts[part][f"{theirs}.conv_layer.{kind}"]
            if kind == "weight" and tensor.shape[1] != (inputs := convolutions()[name][1]):
                tensor = ungrouped(tensor, inputs)
            found[f"{name}.{kind}"] = tensor

    for eye, part in (("photo", "content_encoder"), ("style", "style_encoder")):
        for name, theirs in (("full", 0), ("half", 2), ("half.mix", 4), ("quarter", 6), ("quarter.mix", 8)):
            put(f"{eye}.{name}", part, f"enc1.{theirs}")
        for level, theirs in (("near", "enc1.10"), ("far", "enc2.0")):
            for index in (0, 1):
                put(f"{eye}.{level}.{index}", part, f"{theirs}.conv{index + 1}")
    for level, theirs in (("near", "dec2"), ("far", "dec1")):
        for index in (0, 1):
            put(f"{level}.{index}", "decoder", f"{theirs}.conv{index + 1}")
    for name, theirs in (("half", 1), ("half.mix", 3), ("full", 6), ("full.mix", 8), ("out", 10)):
        put(name, "decoder", f"dec3.{theirs}")
    weight, bias = torch.zeros(CODE_LENGTH, 2 * len(LEVELS) * QUARTER), torch.zeros(CODE_LENGTH)
    for at in range(len(LEVELS)):
        deviation = torch.arange(QUARTER) + 2 * at * QUARTER
        for index, part in enumerate(PARTS):
            rows = torch.arange(QUARTER) + (len(PARTS) * at + index) * QUARTER
            seen = deviation if part == "deviation" else deviation + QUARTER
            if part in ("deviation", "mean"):
                weight[rows, seen] = 1
                continue
            theirs = f"{'weight' if part == 'gain' else 'bias'}{at + 1}.0.conv_layer"
            # The mean of a convolved plane is that of the plane, times the sum of the kernel.
            weight[rows, seen] = parts["modulator"][f"{theirs}.weight"].sum((1, 2, 3))
            bias[rows] = parts["modulator"][f"{theirs}.bias"]
    return found | {"code.weight": weight[..., None, None], "code.bias": bias}


def ungrouped(weight: Tensor, inputs: int) -> Tensor:
    """A convolution in groups as a whole one: (out, in / groups, k, k) -> (out, in, k, k)."""
    out, each = weight.shape[:2]
    groups = inputs // each
    whole = weight.new_zeros(out, inputs, *weight.shape[2:])
    for row in range(out):
        first = row // (out // groups) * each
        whole[row, first : first + each] = weight[row]
    return whole


def narrowed(wide: Mapping[str, Tensor], photos: Tensor, styles: Tensor) -> dict[str, Tensor]:
    """Weights with the kernels of `convolutions` where those of `wide` are larger, which takes three fifths
    of the time: what they made of the pictures, both (N, 3, H, W), is made anew by least squares."""
    ops = TorchOps(wide)
    code = encode(ops, styles)[:, :, 0, 0]
    found = dict(wide)
    found |= _fitted("photo.full", photos, ops.conv(photos, "photo.full"))
    strokes = layout(TorchOps(found), photos, code)
    found |= _fitted("out", draft(TorchOps(found), strokes), forward(ops, photos, code))
    return found


def _fitted(name: str, x: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """The convolution that comes nearest to making `wanted` of `x`."""
    out, channels, kernel = convolutions()[name]
    margin = kernel // 2
    columns = (
        F.unfold(F.pad(x, (margin,) * 4, mode="replicate"), kernel).transpose(1, 2).flatten(0, 1).double()
    )
    columns = torch.cat([columns, columns.new_ones(len(columns), 1)], 1)
    targets = wanted.permute(0, 2, 3, 1).flatten(0, 2).double()
    energy = columns.T @ columns
    energy += 1e-6 * energy.diagonal().mean() * torch.eye(len(energy), dtype=energy.dtype)
    solved = torch.linalg.solve(energy, columns.T @ targets).float().T
    return {
        f"{name}.weight": solved[:, :-1].reshape(out, channels, kernel, kernel),
        f"{name}.bias": solved[:, -1],
    }
