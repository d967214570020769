"""What the engines that look at style pictures have in common."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from impasto.engines.options import Option, settled
from impasto.errors import ModelMissing, UsageError, did_you_mean
from impasto.job import Look
from impasto.raster.sampling import resized
from impasto.runtime import graphics_device
from impasto.styles.sources import StyleSource
from impasto.values import Value

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = Option(
    "style",
    "whose colours the painting takes: the style's, or the photograph's by covariance or by histogram",
    choices=("style", "content", "histogram"),
)


NETWORKS = ("vgg19-normalised", "vgg19-torchvision")
"""Networks by whose features pictures can be compared."""


def loss_network() -> str:
    """The model that pictures are compared by: what `IMPASTO_VGG` names, or the first of `NETWORKS`.

    Raises:
        UsageError: it names none of them.
    """
    name = os.environ.get("IMPASTO_VGG") or NETWORKS[0]
    if name not in NETWORKS:
        near = did_you_mean(name, list(NETWORKS)) or f" (known: {', '.join(NETWORKS)})"
        raise UsageError(f"IMPASTO_VGG names no model: “{name}”{near}.")
    return name


def torch_device(engine: str) -> str:
    """Where torch computes.

    Raises:
        ModelMissing: torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ModelMissing(f"The engine “{engine}” needs torch: pip install 'impasto[gpu]'.")
    return graphics_device() or "cpu"


class PictureEngine:
    """What is the same in each engine that paints after pictures, with torch."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Option]]

    def __init__(self) -> None:
        self.device = torch_device(self.name)

    def check(self, styles: tuple[StyleSource, ...], look: Look) -> dict[str, Value]:
        """See `impasto.engines.Engine.check`: it needs pictures."""
        for style in styles:
            if style.picture is None:
                raise UsageError(
                    f"The engine “{self.name}” paints after pictures, and of “{style.ref}” there is none; "
                    "name a picture file as the style."
                )
        return settled(self.name, self.options, dict(look.options))

    def paintings(
        self,
        styles: tuple[StyleSource, ...],
        area: float,
        colours: Value,
        photo: np.ndarray,
        mask: np.ndarray | None,
    ) -> Iterator[Tensor]:
        """The picture of each style, of at most `area` pixels, in the colours of a choice of `COLOURS`:
        (1, 3, h, w). `photo` and `mask` are as of `recoloured`."""
        for style in styles:
            assert style.picture is not None  # `check` has seen to it
            yield tensor(coloured(within(style.picture, area), colours, photo, mask), self.device)


def within(picture: np.ndarray, area: float) -> np.ndarray:
    """The picture, of numbers in 0..1, scaled down if it has more pixels than `area`: (h, w, C) float32."""
    height, width = picture.shape[:2]
    factor = math.sqrt(area / (height * width))
    if factor >= 1:
        return picture
    return resized(picture, max(1, round(width * factor)), max(1, round(height * factor))).clip(0, 1)


def coloured(painting: np.ndarray, colours: Value, photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The painting in the colours that a choice of `COLOURS` names; arguments as of `recoloured`."""
    if colours == "style":
        return painting
    return (recoloured if colours == "content" else matched)(painting, photo, mask)


def recoloured(painting: np.ndarray, photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The painting with the photograph's mean colour and covariance of colours (Gatys et al. 2016,
    "Preserving Color in Neural Artistic Style Transfer", the symmetric solution).

    Args:
        painting, photo: (h, w, 3) float32, sRGB in 0..1.
        mask: (H, W) of the photograph; only what lies in it counts.
    """
    inside = within_mask(photo, mask)

    def root(pixels: np.ndarray, power: float) -> np.ndarray:
        centred = (pixels - pixels.mean(0)).astype(np.float64)
        values, vectors = np.linalg.eigh(centred.T @ centred / len(pixels) + 1e-5 * np.eye(3))
        return (vectors * values**power) @ vectors.T

    pixels = painting.reshape(-1, 3)
    turn = root(pixels, -0.5) @ root(inside, 0.5)
    moved = (pixels - pixels.mean(0)) @ turn + inside.mean(0)
    return moved.reshape(painting.shape).astype(np.float32).clip(0, 1)


def matched(painting: np.ndarray, photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The painting with the photograph's histogram in each channel; arguments as of `recoloured`."""
    wanted = np.sort(within_mask(photo, mask), 0)
    pixels = painting.reshape(-1, 3)
    ranks = pixels.argsort(0, kind="stable").argsort(0)
    shares, known = ((np.arange(count) + 0.5) / count for count in (len(pixels), len(wanted)))
    result = [np.interp(shares, known, wanted[:, channel])[ranks[:, channel]] for channel in range(3)]
    return np.stack(result, -1).reshape(painting.shape).astype(np.float32).clip(0, 1)


def within_mask(photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Its pixels in the mask, all for an empty one: (n, 3)."""
    return photo.reshape(-1, 3) if mask is None or not mask.any() else photo[mask > 0]


def tensor(array: np.ndarray, device: str) -> Tensor:
    """(h, w, C) as a (1, C, h, w) tensor in channels_last."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)[None].to(device)


def array(image: Tensor, height: int, width: int) -> np.ndarray:
    """(1, 3, h, w) as (height, width, 3) float32 in 0..1."""
    result = image[0].detach().permute(1, 2, 0).cpu().numpy()
    if result.shape[:2] != (height, width):
        result = resized(result, width, height)
    return np.clip(result, 0, 1, order="C")
