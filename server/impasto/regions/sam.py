"""Segment Anything made ready on a device: MobileSAM by our own operations, others by their package."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from impasto.errors import ModelMissing
from impasto.models import store
from impasto.regions import mask_decoder, tiny_vit
from impasto.regions.mask_decoder import MASK_SIDE
from impasto.runtime import Check, Weights, network

MODELS = ("mobile-sam", "sam-vit-b", "sam-vit-l", "sam-vit-h")
"""Names in the registry, the default first."""

Encode = Callable[[np.ndarray, Check], np.ndarray]
"""From (1, SIDE, SIDE, 3) float32, see `normalised`, to (1, GRID, GRID, 256) float32."""

SIDE = mask_decoder.SIDE

MEAN = np.array([123.675, 116.28, 103.53], np.float32) / 255
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32) / 255


class Sam:
    """An image encoder, and the prompt encoder and mask decoder that all of SAM's models share."""

    def __init__(self, encode: Encode, saved: Weights) -> None:
        """
        Args:
            encode: the image encoder.
            saved: the tensors of an official file, those of the image encoder left out if need be.
        """
        self._encode = encode
        self._prompts = mask_decoder.PromptEncoder(saved)
        self._decode = network(
            mask_decoder.forward,
            mask_decoder.prepare(saved),
            [
                (1, mask_decoder.GRID, mask_decoder.GRID, mask_decoder.CHANNELS),
                (-1, -1, mask_decoder.CHANNELS),
            ],
            exact=True,
        )
        self.device = self._decode.device

    def encode(self, picture: np.ndarray, check: Check) -> np.ndarray:
        """Look at a picture, once for all prompts.

        Args:
            picture: (H, W, 3) float32, sRGB in 0..1, the longer side of `SIDE` pixels.
            check: see `Check`.

        Returns:
            (1, GRID, GRID, 256) float32.
        """
        return self._encode(normalised(picture), check)

    def decode(
        self, encoded: np.ndarray, points: np.ndarray, labels: np.ndarray, check: Check
    ) -> tuple[np.ndarray, np.ndarray]:
        """Answer B prompts of N points each.

        Args:
            encoded: from `encode`.
            points: (B, N, 2) float32, x and y in pixels of the picture that was encoded.
            labels: (B, N) integers, see `mask_decoder`.
            check: see `Check`.

        Returns:
            (B, MASKS, MASK_SIDE, MASK_SIDE) float32 logits of the square that the picture lies in, and
            (B, MASKS) float32, the quality of each that the network predicts for itself.
        """
        masks, quality = self._decode([encoded, self._prompts(points, labels)], check)
        return masks, quality


def normalised(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) sRGB in 0..1 at the upper left of (1, SIDE, SIDE, 3), zeros elsewhere."""
    padded = np.zeros((1, SIDE, SIDE, 3), np.float32)
    padded[0, : picture.shape[0], : picture.shape[1]] = (picture - MEAN) / DEVIATION
    return padded


@cache
def sam(name: str) -> Sam:
    """The model called `name`, made ready once in this process.

    Raises:
        ModelMissing: its weights, or the package that it needs, are not installed.
    """
    if name == "mobile-sam":
        saved = store.tensors(name)
        weights = tiny_vit.prepare(
            {
                key.removeprefix("image_encoder."): value
                for key, value in saved.items()
                if key.startswith("image_encoder.")
            }
        )
        # In float32: bfloat16 takes half of the time, but moves the edges of small objects by a pixel, which
        # is up to a twentieth of their area.
        encoder = network(tiny_vit.forward, weights, [(1, SIDE, SIDE, 3)], exact=True)
        return Sam(lambda square, check: encoder([square], check)[0], saved)
    if importlib.util.find_spec("segment_anything") is None or importlib.util.find_spec("torch") is None:
        raise ModelMissing(f"“{name}” needs the package segment-anything: pip install 'impasto[sam]'.")
    path = store.require(name)
    from impasto.regions import vit_encoder

    return vit_encoder.load(name.removeprefix("sam-").replace("-", "_"), path)


def enlarged(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Logits of one prompt at the size of the picture that was encoded.

    Args:
        masks: (MASK_SIDE, MASK_SIDE) float32.
        height, width: of the picture, the longer one `SIDE`.

    Returns:
        (height, width) float32.
    """
    needed = math.ceil(height * MASK_SIDE / SIDE) + 1, math.ceil(width * MASK_SIDE / SIDE) + 1
    rows = masks[: needed[0], : needed[1]]
    return _stretched(_stretched(rows, height).T, width).T


def _stretched(rows: np.ndarray, length: int) -> np.ndarray:
    """The first `length` rows when there are SIDE / MASK_SIDE times as many, interpolated linearly."""
    place = (np.arange(length, dtype=np.float32) + 0.5) * (MASK_SIDE / SIDE) - 0.5
    low = np.floor(place).astype(int)
    share = (place - np.floor(place))[:, None]
    above, below = (rows[(low + step).clip(0, len(rows) - 1)] for step in (0, 1))
    return above + share * (below - above)
