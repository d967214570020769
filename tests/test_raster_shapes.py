"""The stranger shapes of files: palettes, CMYK, multiplied alpha, planes, tiles, pages."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import sample_pictures as pictures
from impasto.errors import UnreadablePicture
from impasto.files import publish
from impasto.raster import Raster, decode, encode, from_pixels, load, quantise, to_pixels


def saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def test_palette_is_expanded() -> None:
    picture = Image.fromarray(pictures.smooth()).quantize(16)
    raster = decode(saved(picture, "png"), "p.png")
    assert np.array_equal(raster.pixels, np.asarray(picture.convert("RGB")))
    assert raster.notes == ("“p.png” is a palette picture; it was expanded to full colour.",)
    assert np.array_equal(decode(encode(raster), "again").pixels, raster.pixels)
    tiff = decode(saved(picture, "tiff"), "p.tif")
    assert np.array_equal(tiff.pixels, raster.pixels)
    assert "palette" in tiff.notes[0]


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_transparency_of_one_colour(mode: str) -> None:
    base = Image.fromarray(pictures.smooth())
    picture = base.quantize(16) if mode == "P" else base.convert(mode)
    key: Any = 3 if mode == "P" else picture.getpixel((5, 5))
    data = saved(picture, "png", transparency=key)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    raster = decode(data, "keyed.png")
    assert raster.alpha is not None
    assert (raster.alpha == 0).any()
    assert np.array_equal(raster.alpha, expected[..., 3])
    assert np.array_equal(quantise(raster.to_srgb(), np.uint8), expected[..., :3])


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_one_bit(format: str) -> None:
    bits = Image.fromarray(pictures.smooth(1)[..., 0]).convert("1")
    raster = decode(saved(bits, format), "fax")
    assert np.array_equal(raster.pixels[..., 0], np.asarray(bits.convert("L")))
    assert raster.notes == ("“fax” has 1 bit per pixel; it was expanded to 8.",)


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_cmyk(format: str) -> None:
    colours = np.zeros((32, 32, 3), np.uint8)
    colours[:16, :, 0] = 220
    colours[16:, :, 2] = 200
    raster = decode(saved(Image.fromarray(colours).convert("CMYK"), format), "print")
    assert raster.pixels.shape == (32, 32, 3)
    assert raster.icc is None
    assert raster.notes[0].startswith("“print” is CMYK without a profile; it was converted to sRGB")
    red, _, blue = raster.pixels[4, 4].astype(int)
    assert red > blue + 80
    red, _, blue = raster.pixels[28, 28].astype(int)
    assert blue > red + 30


@pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
def test_multiplied_alpha(depth: str) -> None:
    dtype = np.dtype(pictures.DTYPES[depth])
    top = (1 << 8 * dtype.itemsize) - 1 if dtype.kind == "u" else 1
    alpha = np.linspace(0, top, 20 * 30).reshape(20, 30, 1).astype(dtype)
    straight = pictures.pixels(depth, 3, 20, 30)
    multiplied = straight.astype(float) * alpha / top
    multiplied = np.rint(multiplied) if dtype.kind == "u" else multiplied
    values = np.concatenate([multiplied.astype(dtype), alpha], 2)
    raster = decode(pictures.tiff(values, extrasamples=["assocalpha"]), "layer.tif")
    assert raster.alpha is not None
    assert np.array_equal(raster.alpha, alpha[..., 0])
    back = raster.pixels.astype(float) * alpha / top
    error = np.abs(back - multiplied.astype(dtype))
    assert error.max() <= (0.51 if dtype.kind == "u" else 1e-3)
    assert "multiplied by its alpha" in raster.notes[0]
    again = decode(encode(raster), "again")
    assert np.array_equal(again.pixels, raster.pixels)


TIFFS: dict[str, dict[str, Any]] = {
    "big endian": {"byteorder": ">"},
    "planes": {"planarconfig": "separate"},
    "tiles": {"tile": (16, 16)},
    "tiled planes": {"planarconfig": "separate", "tile": (16, 16)},
    "deflate": {"compression": "zlib"},
    "big file": {"bigtiff": True},
    "big endian big file of tiled planes": {
        "byteorder": ">",
        "bigtiff": True,
        "planarconfig": "separate",
        "tile": (16, 16),
    },
}


@pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("shape", TIFFS)
def test_tiff(shape: str, channels: int, depth: str, tmp_path: Any) -> None:
    values = pictures.pixels(depth, channels, 40, 50)
    options = TIFFS[shape]
    given = np.moveaxis(values, 2, 0) if options.get("planarconfig") == "separate" else values
    file = io.BytesIO()
    extra = ["unassalpha"] if channels == 4 else None
    tifffile.imwrite(file, given, photometric="rgb", extrasamples=extra, metadata=None, **options)
    path = tmp_path / "a.tif"
    path.write_bytes(file.getvalue())
    for raster in (decode(file.getvalue(), "a.tif"), load(path)):
        assert raster.pixels.dtype == values.dtype
        assert np.array_equal(raster.pixels, values[..., :3])
        assert (raster.alpha is not None) == (channels == 4)
        if raster.alpha is not None:
            assert np.array_equal(raster.alpha, values[..., 3])


def test_tiff_larger_than_any_buffer(tmp_path: Any) -> None:
    """Tags at the end of the file, and pixels before them, are read in turns."""
    values = pictures.pixels("16", 4, 400, 500)
    exif = pictures.exif(1).tobytes().removeprefix(b"Exif\0\0")
    icc = pictures.profile(pictures.P3, 2.2)
    colours, alpha = np.ascontiguousarray(values[..., :3]), np.ascontiguousarray(values[..., 3])
    path = tmp_path / "a.tif"
    publish(path, encode(Raster(colours, alpha, icc, exif, dpi=(300, 150)), "tiff"))
    assert path.stat().st_size > 1 << 20
    raster = load(path)
    assert np.array_equal(raster.pixels, colours)
    assert raster.alpha is not None
    assert np.array_equal(raster.alpha, alpha)
    assert (raster.icc, raster.dpi) == (icc, (300, 150))
    assert "gps0002" in pictures.fields(raster.exif)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressed_tiff(compression: str) -> None:
    values = pictures.smooth()
    raster = decode(pictures.pillow(values, "tiff", compression=compression), "a.tif")
    assert np.array_equal(raster.pixels, values)


@pytest.mark.parametrize("depth", ["half", "float"])
def test_any_float_survives_bit_for_bit(depth: str) -> None:
    bits = (
        np.arange(65_536, dtype=np.uint16)
        if depth == "half"
        else np.arange(0, 2**32, 65_521, dtype=np.uint32)
    )
    values = bits[: 256 * 255].view(pictures.DTYPES[depth]).reshape(255, 256, 1)
    raster = decode(pictures.tiff(values), "hdr.tif")
    assert raster.pixels.tobytes() == values.tobytes()
    again = decode(encode(raster), "again.tif")
    assert again.pixels.tobytes() == values.tobytes()
    assert np.isfinite(raster.to_srgb()).all()


def test_white_is_zero() -> None:
    values = pictures.smooth(1)
    file = io.BytesIO()
    tifffile.imwrite(file, values[..., 0], photometric="miniswhite")
    assert np.array_equal(decode(file.getvalue(), "a.tif").pixels, 255 - values)


@pytest.mark.parametrize("format", ["tiff", "webp"])
def test_first_of_several(format: str) -> None:
    pages = [Image.fromarray(pictures.smooth()), Image.fromarray(255 - pictures.smooth())]
    options = {"lossless": True, "duration": 100} if format == "webp" else {}
    data = saved(pages[0], format, save_all=True, append_images=pages[1:], **options)
    raster = decode(data, "film")
    assert np.array_equal(raster.pixels, pictures.smooth())
    assert raster.notes == ("“film” has 2 pages or frames; the first was taken.",)


def test_exif_moves_between_formats() -> None:
    block = pictures.exif(1).tobytes().removeprefix(b"Exif\0\0")
    before = pictures.fields(block)
    before.pop("0112")  # in TIFF it belongs to the pixels
    raster = Raster(pictures.smooth(), exif=block)
    for step in ("tiff", "jpeg", "webp", "tiff", "avif", "png"):
        raster = decode(encode(raster, step), step)
        assert pictures.fields(raster.exif) == before, step


def test_maker_note_stays_in_place() -> None:
    block = pictures.exif(6).tobytes().removeprefix(b"Exif\0\0")
    raster = decode(pictures.pillow(pictures.smooth(), "jpeg", exif=b"Exif\0\0" + block), "a.jpg")
    assert raster.exif is not None
    assert raster.exif.index(b"note of the maker") == block.index(b"note of the maker")


def test_orientation_in_xmp_is_reset() -> None:
    xmp = pictures.XMP.replace(b'Orientation="1"', b'Orientation="6"')
    raster = decode(pictures.png(pictures.smooth(), xmp=xmp), "a.png")
    assert raster.xmp == pictures.XMP


def test_many_extra_channels() -> None:
    values = np.concatenate([pictures.smooth(), pictures.smooth(2)], 2)
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb", extrasamples=["unspecified", "unspecified"])
    raster = decode(file.getvalue(), "a.tif")
    assert np.array_equal(raster.pixels, values[..., :3])
    assert raster.alpha is not None
    assert np.array_equal(raster.alpha, values[..., 3])
    assert "2 extra channels" in raster.notes[0]


@pytest.mark.parametrize("dtype", [np.float64, np.uint32, np.int16])
def test_unusual_samples_are_refused(dtype: Any) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, pictures.smooth().astype(dtype), photometric="rgb")
    with pytest.raises(UnreadablePicture, match=r"which Impasto does not read; export it as"):
        decode(file.getvalue(), "a.tif")


def test_hundreds_of_channels_are_refused() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((4, 4, 500), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UnreadablePicture, match=r"has 500 channels, which Impasto does not read"):
        decode(file.getvalue(), "a.tif")


def test_camera_raw_is_refused() -> None:
    dng = pictures.tiff(pictures.smooth(), extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    with pytest.raises(UnreadablePicture, match="is a camera raw file"):
        decode(dng, "a.dng")


@pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bare_pixels(depth: str, channels: int) -> None:
    values = pictures.pixels(depth, channels)
    icc = pictures.profile(pictures.P3, 2.2)
    raster = from_pixels(
        values.tobytes(), {"width": 17, "height": 13, "channels": channels, "dtype": str(values.dtype)}
    )
    assert np.array_equal(raster.pixels, values[..., : 3 if channels > 2 else 1])
    data, meta = to_pixels(raster.replace(icc=icc))
    assert data == values.tobytes()
    again = from_pixels(memoryview(data), meta)
    assert again.icc == icc
    assert np.array_equal(again.pixels, raster.pixels)
    out = decode(encode(raster), "out")
    assert np.array_equal(out.pixels, raster.pixels)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": "17"},
        {"height": True},
        {"channels": 5},
        {"dtype": "float64"},
        {"height": 14},
        {"icc": "§"},
        {"width": 65_535, "height": 65_535},
    ],
)
def test_bare_pixels_that_do_not_fit(change: dict[str, Any]) -> None:
    meta = {"width": 17, "height": 13, "channels": 3, "dtype": "uint8"} | change
    with pytest.raises(UnreadablePicture):
        from_pixels(bytes(17 * 13 * 3), meta)


def test_jpeg_in_small_pieces_of_profile() -> None:
    icc = pictures.profile(pictures.ADOBE, np.linspace(0, 65_535, 60_000).round())
    raster = decode(pictures.pillow(pictures.smooth(), "jpeg", icc_profile=icc), "a.jpg")
    assert raster.icc == icc
    assert decode(encode(raster), "b.jpg").icc == icc


def test_exif_too_large_for_jpeg_is_left_out() -> None:
    block = struct.pack("<2sHIH", b"II", 42, 8, 0) + bytes(70_000)
    raster = decode(pictures.png(pictures.smooth(), exif=block), "a.png")
    assert decode(encode(raster, "jpeg"), "b.jpg").exif is None
    assert decode(encode(raster, "png"), "b.png").exif == block
