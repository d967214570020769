"""How far a painting is from its photograph and from its style."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engines.losses import gram
from impasto.engines.teaching import LAYERS
from impasto.engines.vgg import Vgg, statistics


def _go_on() -> None:
    pass


def seen(vgg: Vgg, picture: Tensor) -> dict[str, Tensor]:
    """Activations of `LAYERS` in float32."""
    features = vgg(picture, LAYERS[-1], _go_on)
    return {name: features[name].float() for name in LAYERS}


class Likeness:
    """The target that a painting is measured against: a photograph or a style, seen by VGG-19."""

    def __init__(self, vgg: Vgg, picture: Tensor) -> None:
        features = seen(vgg, picture)
        self.content = features[LAYERS[-1]]
        self.grams = {name: gram(features[name]) for name in LAYERS}
        self.moments = {name: torch.cat(statistics(features[name])) for name in LAYERS}


def relative(x: Tensor, target: Tensor) -> float:
    """Squared distance, divided by the target's energy."""
    return float((x - target).square().sum() / target.square().sum())


def content_distance(painting: Likeness, photo: Likeness) -> float:
    """Of the activations at relu4_1, relative."""
    return relative(painting.content, photo.content)


def style_distance(painting: Likeness, style: Likeness) -> float:
    """Of the Gram matrices (Gatys et al. 2015), relative, averaged over relu1_1 to relu4_1."""
    return sum(relative(painting.grams[name], style.grams[name]) for name in LAYERS) / len(LAYERS)


def moment_distance(painting: Likeness, style: Likeness) -> float:
    """Of means and deviations (what AdaIN and MicroAST are trained for), relative, averaged likewise."""
    return sum(relative(painting.moments[name], style.moments[name]) for name in LAYERS) / len(LAYERS)


def ssim(x: Tensor, y: Tensor) -> float:
    """Structural similarity of two (1, 3, H, W) in 0..1, of luma (Wang et al. 2004)."""
    weights = x.new_tensor([0.299, 0.587, 0.114])[None, :, None, None]
    x, y = ((picture * weights).sum(1, keepdim=True) for picture in (x, y))
    taps = torch.exp(-(torch.arange(-5, 6, dtype=x.dtype) ** 2) / (2 * 1.5**2))
    taps = taps / taps.sum()

    def blur(z: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(z, taps[None, None, None, :]), taps[None, None, :, None])

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
    return float((luminance * structure).mean())


class Lpips:
    """LPIPS 0.1 on AlexNet (Zhang et al. 2018); its heads are read from the wheel of PyPI's `lpips`."""

    STEPS = (("0", 4, 2), ("3", 1, 2), ("6", 1, 1), ("8", 1, 1), ("10", 1, 1))
    """Name, stride and padding of each convolution; a pool stands before the second and the third."""

    def __init__(self, alexnet: Path, wheel: Path) -> None:
        self.layers = torch.load(alexnet, weights_only=True, map_location="cpu")
        with zipfile.ZipFile(wheel) as archive:
            data = io.BytesIO(archive.read("lpips/weights/v0.1/alex.pth"))
        heads = torch.load(data, weights_only=True, map_location="cpu")
        self.heads = [heads[f"lin{index}.model.1.weight"] for index in range(len(self.STEPS))]

    def features(self, picture: Tensor) -> list[Tensor]:
        shift = picture.new_tensor([-0.030, -0.088, -0.188])[None, :, None, None]
        scale = picture.new_tensor([0.458, 0.448, 0.450])[None, :, None, None]
        x, found = (2 * picture - 1 - shift) / scale, []
        for name, stride, padding in self.STEPS:
            if name in ("3", "6"):
                x = F.max_pool2d(x, 3, 2)
            weight, bias = (self.layers[f"features.{name}.{kind}"] for kind in ("weight", "bias"))
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found

    def __call__(self, x: Tensor, y: Tensor) -> float:
        pairs = zip(self.features(x), self.features(y), self.heads, strict=True)
        return float(sum(F.conv2d((a - b).square(), head).mean() for a, b, head in pairs))
