"""Scaling pictures, and filling what is transparent before it is painted."""

from __future__ import annotations

import numpy as np
import pyvips

from impasto.raster.picture import Raster, quantise

KERNEL = "cubic"
"""Lanczos is a little sharper, but rings beside the hard edges that a painting is full of."""

INTERPOLATORS = {"linear": "bilinear", "cubic": "bicubic"}
"""Of libvips, for what a kernel is called when it enlarges."""


def image(array: np.ndarray) -> pyvips.Image:
    """A libvips view of (H, W) or (H, W, C) pixels; float16 is widened."""
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.ndim == 2:
        array = array[:, :, None]
    array = np.ascontiguousarray(array)
    height, width, bands = array.shape
    kind = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}[array.dtype.name]
    return pyvips.Image.new_from_memory(array.data, width, height, bands, kind)


def scaled(
    source: pyvips.Image, width: int, height: int, kernel: str = KERNEL, wrap: bool = False
) -> pyvips.Image:
    """`source` at exactly `width` x `height` pixels, computed when asked for.

    Args:
        wrap: beyond each edge lies the opposite one, as in a texture that repeats.
    """
    if (width, height) == (source.width, source.height):
        return source
    if wrap:  # only what is cut out is computed
        tiles = _scaled(source.replicate(3, 3), 3 * width, 3 * height, kernel)
        return tiles.crop(width, height, width, height)
    return _scaled(source, width, height, kernel)


def _scaled(source: pyvips.Image, width: int, height: int, kernel: str) -> pyvips.Image:
    across, down = width / source.width, height / source.height
    if kernel == "nearest":
        return source.resize(across, vscale=down, kernel=kernel).crop(0, 0, width, height)
    small = source.resize(min(1, across), vscale=min(1, down), kernel=kernel)
    across, down = max(1, across), max(1, down)
    if across == down == 1:
        return small.crop(0, 0, width, height)
    # What `resize` enlarges lies half a pixel too far to the right and to the bottom.
    return small.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new(INTERPOLATORS[kernel]),
        oarea=[0, 0, width, height],
        idx=0.5 - 0.5 / across,
        idy=0.5 - 0.5 / down,
        extend="copy",
    )


def pixels(source: pyvips.Image) -> np.ndarray:
    """(H, W, C) array of the image's own type."""
    return source.numpy().reshape(source.height, source.width, source.bands)


def resized(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W, C) pixels at `width` x `height`."""
    return pixels(scaled(image(array), width, height))


def shrunk(raster: Raster, longest: int, wrap: bool = False) -> Raster:
    """The picture with a longer side of at most `longest` pixels; `wrap` as for `scaled`."""
    factor = longest / max(raster.width, raster.height)
    if factor >= 1:
        return raster
    width, height = (max(1, round(side * factor)) for side in (raster.width, raster.height))
    small, coverage = _scaled_colours(raster, raster.pixels, width, height, KERNEL, wrap)
    dtype = raster.pixels.dtype
    if coverage is None:
        return raster.replace(pixels=small.astype(dtype, copy=False))
    colours = small if dtype.kind == "f" else quantise(small, dtype)
    return raster.replace(pixels=colours.astype(dtype), alpha=quantise(coverage[..., 0], dtype))


def working_copy(
    raster: Raster, width: int, height: int, kernel: str = KERNEL, wrap: bool = False
) -> np.ndarray:
    """The picture at `width` x `height` in the working space, transparent areas filled.

    Args:
        raster: the picture.
        width, height: in pixels.
        kernel: of libvips: another than the default where a network learned from pictures scaled by it.
        wrap: as for `scaled`.

    Returns:
        (height, width, 3) float32, sRGB in 0..1.
    """
    source = raster.pixels
    if source.dtype.kind == "f":  # one NaN or infinity would spread over a whole kernel
        source = np.fmin(np.fmax(source, 0), 1)
    small, _ = _scaled_colours(raster, source, width, height, kernel, wrap)
    return raster.replace(pixels=small, alpha=None).to_srgb()


def _scaled_colours(
    raster: Raster, source: np.ndarray, width: int, height: int, kernel: str, wrap: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The colours `source` of a picture in another size, and how much of each pixel is covered.

    Returns:
        (height, width, C) of the source's dtype, and None where the picture is opaque; else float32 in
        0..1, continued into the transparent areas, and (height, width, 1) float32 in 0..1.
    """
    if raster.alpha is None or raster.alpha.min() == opaque(raster.alpha.dtype):
        return pixels(scaled(image(source), width, height, kernel, wrap)), None
    alpha = image(raster.alpha).cast("float") / opaque(raster.alpha.dtype)
    premultiplied = image(source).cast("float") * (alpha / opaque(source.dtype))
    coverage = pixels(scaled(alpha, width, height, kernel, wrap)).clip(0, 1)
    return fill(pixels(scaled(premultiplied, width, height, kernel, wrap)), coverage), coverage


def opaque(dtype: np.dtype) -> int:
    """The value of a fully opaque, or fully light, pixel."""
    return np.iinfo(dtype).max if dtype.kind == "u" else 1


def fill(premultiplied: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Continue the colours of the opaque areas into the transparent ones (pull-push).

    Args:
        premultiplied: (H, W, C) float32, colour times coverage.
        coverage: (H, W, 1) float32 in 0..1.

    Returns:
        (H, W, C) float32, the colour where there is any and a smooth continuation elsewhere.
    """
    known = coverage > 1 / 255
    colour = np.where(known, premultiplied / np.maximum(coverage, 1 / 255), 0).astype(np.float32)
    height, width = coverage.shape[:2]
    if known.all() or max(height, width) == 1:
        return colour
    weight = known.astype(np.float32)
    half = (max(1, width // 2), max(1, height // 2))
    # Linear, because what a sharper kernel overshoots would grow from level to level.
    coarse_colour, coarse_weight = (
        pixels(scaled(image(level), *half, "linear")) for level in (colour * weight, weight)
    )
    coarse = fill(coarse_colour, coarse_weight)
    return np.where(known, colour, pixels(scaled(image(coarse), width, height, "linear")))
