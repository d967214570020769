"""Crops of style pictures for training: at several scales, turned and mirrored, in other colours."""

from __future__ import annotations

import random

import torch
from PIL import Image
from torch import Tensor

from pictures import to_tensor

COLOUR_FLOOR = 1e-4
"""Variance that colours have at least, lest a gray picture take on colours by its noise."""


def recoloured(image: Tensor, chance: random.Random) -> Tensor:
    """Channels in another order, other contrast and brightness, at times nearly gray: (3, H, W)."""
    order = chance.sample(range(3), 3)
    mean = image.mean((1, 2), keepdim=True)
    gain = torch.tensor([chance.uniform(0.6, 1.3) for _ in range(3)])[:, None, None]
    shift = torch.tensor([chance.uniform(-0.15, 0.15) for _ in range(3)])[:, None, None]
    image = ((image - mean) * gain + mean + shift)[order]
    if chance.random() < 0.2:
        image = 1 - image
    if chance.random() < 0.25:
        gray = image.mean(0, keepdim=True)
        image = gray + (image - gray) * chance.uniform(0, 0.4)
    return image.clamp(0, 1)


def in_colours_of(image: Tensor, other: Tensor) -> Tensor:
    """The image with the mean and covariance of another's colours, both (3, H, W): by the linear map between
    them that moves colours least (Pitie & Kokaram 2007, "The Linear Monge-Kantorovitch Linear Colour
    Mapping for Example-Based Colour Transfer")."""
    pixels, wanted = image.flatten(1), other.flatten(1)
    own = torch.cov(pixels) + COLOUR_FLOOR * torch.eye(3)
    root = matrix_power(own, 0.5)
    middle = matrix_power(root @ torch.cov(wanted) @ root, 0.5)
    back = matrix_power(own, -0.5)
    moved = back @ middle @ back @ (pixels - pixels.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    return moved.view_as(image).clamp(0, 1)


def matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """Of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=1e-8) ** exponent) @ vectors.T


def random_crop(picture: Image.Image, size: int, chance: random.Random) -> Tensor:
    shortest = min(picture.size)
    side = round(shortest * chance.uniform(0.4, 1.0))
    left = chance.randint(0, picture.width - side)
    top = chance.randint(0, picture.height - side)
    box = (left, top, left + side, top + side)
    crop = picture.resize((size, size), Image.Resampling.LANCZOS, box)
    turn = chance.choice([None, None, *Image.Transpose])
    return to_tensor(crop if turn is None else crop.transpose(turn))
