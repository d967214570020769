"""The arbitrary painter as a torch module, for training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.engines.arbitrary import (
    CODE_LENGTH,
    EYE,
    LEVELS,
    MIDDLE,
    PARTS,
    QUARTER,
    convolutions,
    corrected,
    depths,
    draft,
    encode,
    finish,
    forward,
    layout,
    match,
    matched,
    see,
    summary,
    unbiased,
)
from impasto.engines.teaching import by_kind
from impasto.runtime.torch_executor import TorchOps

SLACK = 0.05
"""What is left of a gradient that leads out of 0..1."""


class TorchArbitrary(nn.Module):
    """`impasto.engines.arbitrary` with trainable weights."""

    def __init__(self) -> None:
        super().__init__()
        tensors: dict[str, Tensor] = {}
        for name, (out, channels, kernel) in convolutions().items():
            weight = torch.empty(out, channels, kernel, kernel)
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            tensors[f"{name}.weight"] = torch.zeros_like(weight) if name == "correction" else weight
            if name not in unbiased():
                tensors[f"{name}.bias"] = torch.zeros(out)
        tensors["usual.gain"], tensors["usual.bias"] = torch.ones(EYE, 1, 1), torch.zeros(EYE, 1, 1)
        tensors["usual.scale"] = torch.ones(CODE_LENGTH, 1, 1)
        self.names = list(tensors)
        self.tensors = nn.ParameterDict({_key(name): nn.Parameter(x) for name, x in tensors.items()})

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them."""
        return {name: self.tensors[_key(name)] for name in self.names}

    def take(self, exported: Mapping[str, Tensor]) -> None:
        """Go on from weights as `exported` gives them; those that are missing stay."""
        with torch.no_grad():
            for name, tensor in exported.items():
                self.tensors[_key(name)].copy_(tensor)

    def ops(self) -> TorchOps:
        return TorchOps(self.exported())

    def encode(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in 0..1 -> (N, code length)."""
        return encode(self.ops(), picture)[:, :, 0, 0]

    def summary(self, picture: Tensor) -> Tensor:
        """Statistics of (N, 3, H, W) sRGB in 0..1: (N, `EYE`, 1, 1)."""
        return summary(self.ops(), picture)

    def matched(self, summary: Tensor) -> Tensor:
        """The code of such statistics without what is learned: (N, code length, 1, 1)."""
        return matched(self.ops(), summary)

    def code(self, summary: Tensor, noise: float = 0) -> Tensor:
        """The code of such statistics, learned with so many deviations of noise: (N, code length)."""
        noisy = summary + noise * torch.randn_like(summary) / self.exported()["usual.gain"]
        return (self.matched(summary) + corrected(self.ops(), noisy))[:, :, 0, 0]

    def see(self, image: Tensor) -> Tensor:
        """What of (N, 3, H, W) sRGB in 0..1 is matched: (N, `QUARTER`, H/4, W/4)."""
        return see(self.ops(), image)

    def paint(self, seen: Tensor, code: Tensor) -> Tensor:
        """What was seen of a photograph and (N, code length) -> (N, 3, H, W)."""
        ops = self.ops()
        painted = finish(ops, match(ops, seen, None, code), code)
        within = painted.clamp(0, 1)
        return within + SLACK * (painted - within)

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in 0..1 and (N, code length) -> (N, 3, H, W)."""
        return self.paint(self.see(image), code)

    def measure(self, summaries: Tensor) -> None:
        """Learn from statistics of many pictures, (N, `EYE`, 1, 1), what is usual of them and of codes."""
        with torch.no_grad():
            gain = 1 / (summaries.std(0) + 1e-6)
            codes = self.matched(summaries).std(0)
            # Within a kind of numbers, halfway between its size and each number's own.
            scale = (codes * by_kind(codes)).sqrt()
            usual = {"gain": gain, "bias": -summaries.mean(0) * gain, "scale": scale}
            self.take({f"usual.{name}": tensor for name, tensor in usual.items()})


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
    length = len(LEVELS) * len(PARTS) * QUARTER
    weight, bias = torch.zeros(length, 2 * len(LEVELS) * QUARTER), torch.zeros(length)
    for at in range(len(LEVELS)):
        deviation = torch.arange(QUARTER) + 2 * at * QUARTER
        for index, part in enumerate(PARTS):
            rows = torch.arange(QUARTER) + (len(PARTS) * at + index) * QUARTER
            seen = deviation if part == "deviation" else deviation + QUARTER
            if part in ("deviation", "bend"):
                weight[rows, seen] = 1
                continue
            theirs = f"{'weight' if part == 'gain' else 'bias'}{at + 1}.0.conv_layer"
            # The mean of a convolved plane is that of the plane, times the sum of the kernel.
            weight[rows, seen] = parts["modulator"][f"{theirs}.weight"].sum((1, 2, 3))
            bias[rows] = parts["modulator"][f"{theirs}.bias"]
    # What convolutions whose bias is in the code make of a flat picture.
    for name in sorted(unbiased()):
        found[f"code.{name}.weight"] = found[f"{name}.weight"].sum((2, 3), keepdim=True)
        found[f"code.{name}.bias"] = found.pop(f"{name}.bias")
    found["out.bias"] = found["out.bias"] - float(MIDDLE)
    return found | {"code.weight": weight[..., None, None], "code.bias": bias}


def centred(weights: Mapping[str, Tensor], photos: Tensor) -> dict[str, Tensor]:
    """The same network, whose features at `LEVELS` are without their mean over photographs, (N, 3, H, W),
    so that bfloat16 holds more of what is left; the norms take that off in any case."""
    *_, near, far = (x.mean((0, 2, 3)) for x in depths(TorchOps(weights), photos, "photo"))
    shifts = {
        "photo.near.1": -near,
        "photo.far.0": weights["photo.far.0.weight"].sum((2, 3)) @ near,
        "photo.far.1": near - far,
    }
    return dict(weights) | {f"{name}.bias": weights[f"{name}.bias"] + shift for name, shift in shifts.items()}


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
    code = matched(ops, summary(ops, styles))[:, :, 0, 0]
    found = dict(wide)
    found |= _fitted("photo.full", photos, ops.conv(photos, "photo.full"))
    strokes = layout(TorchOps(found), photos, None, code)
    wanted = forward(ops, photos, None, code) - MIDDLE
    found |= _fitted("out", draft(TorchOps(found), strokes, code), wanted)
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
