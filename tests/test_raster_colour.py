"""Colour management: to sRGB and back."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

import sample_pictures as pictures
from impasto.raster import Raster, decode, encode, quantise
from impasto.raster.formats import vips

SAMPLED = np.round(np.linspace(0, 1, 1024) ** 2.2 * 65_535)
PROFILES = {
    "Adobe RGB": pictures.profile(pictures.ADOBE, 563 / 256),
    "P3": pictures.profile(pictures.P3, pictures.SRGB_CURVE),
    "P3 of libvips": vips().Operation.call("profile_load", "p3"),
    "Adobe RGB, sampled": pictures.profile(pictures.ADOBE, SAMPLED),
    "linear sRGB": pictures.profile(pictures.SRGB, 1.0),
}
GRAYS = {
    "gamma 2.2": pictures.profile(None, 2.2),
    "gamma 1.8": pictures.profile(None, 1.8),
    "sampled": pictures.profile(None, SAMPLED),
    "RGB profile": PROFILES["Adobe RGB"],
}
PILLOW_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def grid(steps: int = 33) -> npt.NDArray[np.float32]:
    axis = np.linspace(0, 1, steps, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis), -1).reshape(steps, -1, 3)


@pytest.mark.parametrize("name", PROFILES)
def test_there_and_back(name: str) -> None:
    srgb = grid()
    raster = Raster(np.zeros((1, 1, 3), np.uint16), icc=PROFILES[name])
    own = raster.from_srgb(srgb)
    assert own.dtype == np.float32
    assert own.min() >= 0
    assert own.max() <= 1
    deep = raster.replace(pixels=quantise(own, np.uint16))
    inside = (own > 0).all(-1) & (own < 1).all(-1)
    assert inside.mean() > 0.8
    limit = 4 / 255 if name == "linear sRGB" else 1 / 255  # a linear 16-bit file is coarse in the dark
    assert np.abs(deep.to_srgb() - srgb)[inside].max() < limit
    shallow = quantise(raster.from_srgb(deep.to_srgb()), np.uint8).astype(int)
    assert np.abs(shallow - quantise(own, np.uint8))[inside].max() <= 1


@pytest.mark.parametrize("name", ["Adobe RGB", "P3", "P3 of libvips", "Adobe RGB, sampled"])
def test_as_little_cms_has_it(name: str) -> None:
    own = quantise(grid(), np.uint8)
    reference = ImageCms.profileToProfile(
        Image.fromarray(own),
        io.BytesIO(PROFILES[name]),
        io.BytesIO(PILLOW_SRGB),
        renderingIntent=ImageCms.Intent(1),
    )
    assert reference is not None
    seen = quantise(Raster(own, icc=PROFILES[name]).to_srgb(), np.uint8)
    difference = np.abs(seen.astype(int) - np.asarray(reference))
    assert difference.max() <= 2
    assert difference.mean() < 0.1


@pytest.mark.parametrize("name", GRAYS)
def test_gray_there_and_back(name: str) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    raster = Raster(ramp, icc=GRAYS[name])
    srgb = raster.to_srgb()
    assert srgb.shape == (1, 256, 3)
    assert (srgb[..., 0] == srgb[..., 2]).all()
    assert np.array_equal(quantise(raster.from_srgb(srgb), np.uint8), ramp)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("icc", [None, PILLOW_SRGB, pictures.profile(pictures.SRGB, pictures.SRGB_CURVE)])
def test_srgb_is_left_alone(icc: bytes | None, dtype: npt.DTypeLike) -> None:
    values = pictures.pixels("8" if dtype == np.uint8 else "16", 3)
    raster = Raster(values, icc=icc)
    top = np.iinfo(values.dtype).max
    assert np.abs(raster.to_srgb() - values / top).max() < 1e-6
    assert np.array_equal(quantise(raster.from_srgb(raster.to_srgb()), dtype), values)


def test_gray_without_profile_is_srgb() -> None:
    raster = Raster(np.arange(256, dtype=np.uint8).reshape(1, 256, 1))
    assert np.array_equal(quantise(raster.to_srgb(), np.uint8)[..., :1], raster.pixels)
    assert np.array_equal(quantise(raster.from_srgb(raster.to_srgb()), np.uint8), raster.pixels)


def test_rows() -> None:
    raster = Raster(pictures.pixels("16", 3, 40, 30), icc=PROFILES["P3"])
    whole = raster.to_srgb()
    bands = [raster.to_srgb(slice(top, top + 7)) for top in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(bands), whole)


def test_floats_are_made_fit_for_work() -> None:
    values = np.array([[[np.nan, np.inf, -np.inf], [2.0, -1.0, 0.5]]], np.float32)
    assert Raster(values).to_srgb().tolist() == [[[0, 1, 0], [1, 0, 0.5]]]
    managed = Raster(values, icc=PROFILES["P3"]).to_srgb()
    assert np.isfinite(managed).all()
    assert managed.min() >= 0
    assert managed.max() <= 1


def test_profile_of_tables() -> None:
    """A profile that cannot be computed goes through the colour engine; made from a CMYK one's kind."""
    icc = bytearray(PROFILES["Adobe RGB"])
    at = icc.index(b"cprt")
    icc[at : at + 4] = b"A2B0"  # claims a table, which is none
    raster = decode(pictures.png(pictures.smooth(), bytes(icc)), "a.png")
    assert raster.to_srgb().shape == (48, 64, 3)
    assert raster.icc == bytes(icc)
    assert decode(encode(raster), "b.png").icc == bytes(icc)


@pytest.mark.parametrize("icc", [b"nonsense", PROFILES["P3"][:200], GRAYS["gamma 2.2"]])
def test_unusable_profile_is_told_and_kept(icc: bytes) -> None:
    raster = decode(pictures.tiff(pictures.smooth(), icc), "a.tif")
    assert raster.notes == (
        "“a.tif” has a colour profile that cannot be used; its colours were taken for sRGB.",
    )
    assert raster.icc == icc
    assert np.array_equal(quantise(raster.to_srgb(), np.uint8), raster.pixels)
    assert decode(encode(raster), "b.tif").icc == icc


def test_quantise() -> None:
    x = np.array([-0.1, 0, 0.5, 1, 1.1, np.nan], np.float32)
    assert quantise(x, np.uint8).tolist() == [0, 0, 128, 255, 255, 0]
    assert quantise(x, np.uint16).tolist() == [0, 0, 32768, 65535, 65535, 0]
    assert quantise(x[:5], np.float32).tolist() == x[:5].tolist()
    for dtype in (np.uint8, np.uint16):
        whole = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(1, -1, 1)
        assert np.array_equal(quantise(Raster(whole).to_srgb(), dtype)[..., :1], whole)
