"""What goes in comes out: every format, depth, colour, alpha, profile and orientation."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sample_pictures as pictures
from impasto.errors import UnwritablePicture
from impasto.raster import FORMATS, Raster, decode, encodable, encode, quantise

FORMAT_NAMES = tuple(FORMATS)
DEPTHS = tuple(pictures.DTYPES)
P3 = pictures.profile(pictures.P3, pictures.SRGB_CURVE)
GRAY = pictures.profile(None, 2.2)

REFUSED = {
    ("jpeg", "alpha"): "JPEG cannot hold the picture's transparency; choose PNG, TIFF, WebP or AVIF.",
}
REDUCED = {
    ("jpeg", "16"): (np.uint8, "written with 8 bits"),
    ("jpeg", "half"): (np.uint8, "written with 8 bits"),
    ("jpeg", "float"): (np.uint8, "written with 8 bits"),
    ("png", "half"): (np.uint16, "written with 16 bits"),
    ("png", "float"): (np.uint16, "written with 16 bits"),
    ("webp", "16"): (np.uint8, "written with 8 bits"),
    ("webp", "half"): (np.uint8, "written with 8 bits"),
    ("webp", "float"): (np.uint8, "written with 8 bits"),
    ("avif", "16"): (np.uint16, "written with 12 bits"),
    ("avif", "half"): (np.uint16, "written with 12 bits"),
    ("avif", "float"): (np.uint16, "written with 12 bits"),
}
COLOURED = {"webp": "WebP has no gray", "avif": "libheif hands out three channels"}

CELLS = list(itertools.product(FORMAT_NAMES, DEPTHS, (1, 3), (False, True), (False, True)))


def cell_id(cell: tuple[Any, ...]) -> str:
    form, depth, channels, alpha, icc = cell
    return f"{form}-{depth}-{'rgb' if channels == 3 else 'gray'}{'a' * alpha}{'-icc' * icc}"


def source(form: str, values: pictures.Array, icc: bytes | None, orientation: int) -> bytes:
    """A file made by others."""
    if form == "tiff":
        return pictures.tiff(values, icc, orientation)
    exif = pictures.exif(orientation)
    if form == "png":
        return pictures.png(values, icc, exif.tobytes().removeprefix(b"Exif\0\0"), pictures.XMP)
    options: dict[str, Any] = {"exif": exif, "xmp": pictures.XMP, "icc_profile": icc}
    options |= {"lossless": True, "exact": True} if form == "webp" else {"quality": 95}
    options |= {"dpi": (300, 150)} if form == "jpeg" else {}
    return pictures.pillow(values, form, **options)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("cell", CELLS, ids=cell_id)
def test_matrix(cell: tuple[str, str, int, bool, bool], orientation: int) -> None:
    form, depth, channels, has_alpha, has_icc = cell
    icc = (GRAY if channels == 1 else P3) if has_icc else None
    values = pictures.pixels(depth, channels + has_alpha)
    if has_alpha and (form, "alpha") in REFUSED:
        with pytest.raises(UnwritablePicture) as caught:
            encode(Raster(values[..., :-1], values[..., -1], icc), form, None, 92, None)
        assert str(caught.value) == REFUSED[form, "alpha"]
        return
    if (form, depth) in REDUCED:
        dtype, words = REDUCED[form, depth]
        raster = Raster(values[..., :channels].copy(), values[..., -1].copy() if has_alpha else None, icc)
        reduced, notes = encodable(raster, form, None)
        assert reduced.pixels.dtype == dtype
        assert words in " ".join(notes)
        out = decode(encode(raster, form, None, 92, None), "out")
        assert (out.pixels.dtype, out.format) == (dtype, form)
        assert (out.alpha is None) == (not has_alpha)
        return
    if form in COLOURED and channels == 1:
        raster = Raster(values[..., :1].copy(), values[..., -1].copy() if has_alpha else None, icc)
        out = decode(encode(raster, form, None, 100, None), "out")
        shown = quantise(raster.to_srgb(), np.uint8)
        assert out.icc is None
        assert np.abs(out.pixels.astype(int) - shown).max() <= (0 if form == "webp" else 1)
        return

    data = source(form, values, icc, orientation)
    raster = decode(data, f"picture.{form}")
    lossless = FORMATS[form].lossless is not False and form != "avif"
    expected = pictures.upright(values, orientation)
    shape = expected.shape[:2]
    assert raster.notes == ()
    assert raster.pixels.dtype == values.dtype
    assert raster.pixels.shape == (*shape, channels)
    assert (raster.width, raster.height) == (shape[1], shape[0])
    if lossless:
        assert np.array_equal(raster.pixels, expected[..., :channels])
        if raster.alpha is not None:
            assert np.array_equal(raster.alpha, expected[..., -1])
    assert (raster.alpha is not None) == has_alpha
    assert raster.icc == icc
    assert raster.xmp == pictures.XMP
    if form in ("jpeg", "png", "tiff"):
        assert raster.dpi == ((300, 150) if orientation == 1 else (150, 300))

    again = decode(encode(raster, None, None, 92, None), f"again.{form}")
    if lossless:
        assert np.array_equal(again.pixels, raster.pixels)
        if raster.alpha is not None:
            assert again.alpha is not None
            assert np.array_equal(again.alpha, raster.alpha)
    assert again.pixels.dtype == raster.pixels.dtype
    assert again.pixels.shape == raster.pixels.shape
    assert (again.icc, again.xmp, again.dpi) == (icc, pictures.XMP, raster.dpi)
    before = pictures.fields(raster.exif)
    assert pictures.fields(again.exif) == before
    if form != "tiff":
        wanted = pictures.fields(pictures.exif(1).tobytes().removeprefix(b"Exif\0\0"))
        wanted.pop("0112", None)
        before.pop("0112", None)
        assert before == wanted


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(form: str, orientation: int) -> None:
    values = pictures.pixels("16", 4)
    raster = decode(source(form, values, None, orientation), "turned")
    expected = pictures.upright(values, orientation)
    assert np.array_equal(raster.pixels, expected[..., :3])
    assert raster.alpha is not None
    assert np.array_equal(raster.alpha, expected[..., 3])
    assert pictures.fields(raster.exif).get("0112", 1) == 1


@pytest.mark.parametrize("form", FORMAT_NAMES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_as_pillow_shows_it(form: str, orientation: int) -> None:
    values = pictures.smooth()
    options = {"lossless": True} if form == "webp" else {} if form in ("png", "tiff") else {"quality": 95}
    data = pictures.pillow(values, form, exif=pictures.exif(orientation), **options)
    raster = decode(data, "turned")
    expected = pictures.upright(values, orientation)
    assert raster.pixels.shape == expected.shape
    assert np.abs(raster.pixels.astype(int) - expected).mean() < 2
    again = decode(encode(raster, None, None, 92, None), "again")
    assert np.abs(again.pixels.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_others_read_what_we_write(form: str) -> None:
    values = pictures.smooth()
    exif = pictures.exif().tobytes().removeprefix(b"Exif\0\0")
    raster = Raster(values, icc=P3, exif=exif, xmp=pictures.XMP, dpi=(300, 150), format=form, lossless=False)
    with Image.open(io.BytesIO(encode(raster, None, None, 92, "wave"))) as picture:
        picture.load()
        assert picture.format == form.upper()
        assert np.abs(np.asarray(picture).astype(int) - values).mean() < 2
        assert picture.info["icc_profile"] == P3
        exif_seen = picture.getexif()
        assert exif_seen[0x010F] == "Maker"
        assert exif_seen.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert exif_seen.get_ifd(0x8825)[2] == (47.0, 22.0, 30.0)
        assert exif_seen[0x0131].startswith("Impasto ")
        assert b"wave" in exif_seen.get_ifd(0x8769)[0x9286]
        if form in ("jpeg", "png", "tiff"):
            assert tuple(round(float(value)) for value in picture.info["dpi"]) == (300, 150)


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_comment_keeps_other_fields(form: str) -> None:
    tags = pictures.exif()
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    raster = Raster(pictures.smooth(), exif=block, format=form)
    out = decode(encode(raster, None, None, 92, "wave by gallery"), "out")
    seen, before = pictures.fields(out.exif), pictures.fields(block)
    assert seen.pop("0131").startswith("Impasto ")
    assert seen.pop("exif9286") == b"ASCII\0\0\0wave by gallery"
    for tag in ("0131", "0112"):
        before.pop(tag)
        seen.pop(tag, None)
    assert seen == before

    repainted = decode(encode(out, None, None, 92, "iris ◯"), "again")
    order = "utf-16-be" if (out.exif or b"").startswith(b"MM") else "utf-16-le"
    assert pictures.fields(repainted.exif)["exif9286"] == b"UNICODE\0" + "iris ◯".encode(order)


def test_comment_spares_the_photographers_words() -> None:
    tags = pictures.exif()
    tags.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0our wedding"
    raster = Raster(pictures.smooth(), exif=tags.tobytes().removeprefix(b"Exif\0\0"), format="png")
    seen = pictures.fields(decode(encode(raster, None, None, 92, "wave"), "out").exif)
    assert seen["exif9286"] == b"ASCII\0\0\0our wedding"
    assert seen["0131"].endswith(": wave")


def test_without_comment_nothing_is_added() -> None:
    for form in FORMATS:
        out = decode(encode(Raster(pictures.smooth()), form, None, 92, None), "out")
        assert (out.exif, out.xmp, out.icc, out.dpi) == (None, None, None, None), form


@pytest.mark.parametrize(("form", "depth"), [(f, d) for f in FORMATS for d in (8, 16, 32)])
def test_depth_asked_for(form: str, depth: int) -> None:
    raster = Raster(pictures.pixels("16", 3))
    if depth not in FORMATS[form].depths:
        with pytest.raises(UnwritablePicture, match=r"cannot hold .*; choose .*TIFF"):
            encode(raster, form, depth, 92, None)
        return
    out = decode(encode(raster, form, depth, 92, None), "out")
    assert out.pixels.dtype == {8: np.uint8, 16: np.uint16, 32: np.float32}[depth]


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_keeps_its_bits(bits: int) -> None:
    top = (1 << bits) - 1
    samples = np.linspace(0, top, 24 * 24 * 3).round().astype(np.uint32).reshape(24, 24, 3)
    values = ((samples * 65_535 + top // 2) // top).astype(np.uint16)
    raster = Raster(values, bits=bits, format="avif")
    out = decode(encode(raster, None, None, 100, None), "out.avif")
    assert out.bits == bits
    assert np.array_equal(out.pixels, values)
    assert encodable(out)[1] == ()


def test_lossy_webp_stays_lossy_and_lossless_stays_lossless() -> None:
    values = pictures.smooth()
    lossy = decode(pictures.pillow(values, "webp", quality=80), "a.webp")
    exact = decode(pictures.pillow(values, "webp", lossless=True), "b.webp")
    assert (lossy.lossless, exact.lossless) == (False, True)
    assert b"VP8 " in encode(lossy)[:64]
    assert b"VP8L" in encode(exact)[:64]


def test_opaque_alpha_may_go() -> None:
    raster = Raster(pictures.smooth(), np.full((48, 64), 255, np.uint8))
    reduced, notes = encodable(raster, "jpeg")
    assert reduced.alpha is None
    assert "opaque throughout" in notes[0]
    assert decode(encode(raster, "jpeg"), "a.jpg").alpha is None


def test_captions_stay_with_their_format() -> None:
    entry = b"\x1c\x02\x78\x00\x05Hello"
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(entry).to_bytes(4, "big") + entry
    plain = encode(Raster(pictures.smooth()), "jpeg")
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    raster = decode(plain[:2] + segment + plain[2:], "a.jpg")
    assert raster.iptc == block
    assert decode(encode(raster), "b.jpg").iptc == block
    assert decode(encode(raster, "tiff"), "b.tif").iptc is None


def test_too_large_for_the_format() -> None:
    wide = Raster(np.zeros((1, 20_000, 3), np.uint8))
    with pytest.raises(UnwritablePicture, match=r"WebP cannot hold 20,000 by 1 pixels"):
        encode(wide, "webp")
    assert decode(encode(wide, "tiff"), "wide").width == 20_000
