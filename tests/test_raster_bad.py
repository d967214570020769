"""Bad input: one sentence, no traceback, no waiting; and `save`, which publishes whole files only."""

from __future__ import annotations

import errno
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sample_pictures as pictures
from impasto.errors import UnreadablePicture, UnwritablePicture
from impasto.files import publish
from impasto.raster import FORMATS, Raster, decode, encode, format_of, load

WHOLE = {form: encode(Raster(pictures.smooth(height=120, width=160)), form) for form in FORMATS}
EXIF = pictures.exif(6).tobytes().removeprefix(b"Exif\0\0")
RICH = {
    form: encode(Raster(pictures.smooth(height=24, width=32), exif=EXIF), form, comment="c")
    for form in FORMATS
}
REASON = "{} is no complete"


def one_sentence(error: BaseException, name: str) -> str:
    text = str(error)
    assert f"“{name}”" in text
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 300
    return text


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("form", FORMATS)
def test_truncated(form: str, share: float, tmp_path: Path) -> None:
    data = WHOLE[form][: int(len(WHOLE[form]) * share)]
    path = tmp_path / "half.png"
    path.write_bytes(data)
    for attempt in (lambda: decode(data, "half.png"), lambda: load(path)):
        with pytest.raises(UnreadablePicture) as caught:
            attempt()
        assert "copy or export it again" in one_sentence(caught.value, "half.png")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello, this is no picture\n", "is not a picture"),
        (b"\0" * 100, "is not a picture"),
        (b"GIF89a" + bytes(50), "a GIF animation"),
        (b"8BPS" + bytes(50), "a Photoshop document"),
        (b"%PDF-1.7", "a PDF document"),
        (b"<?xml version='1.0'?><svg/>", "an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "a film"),
        (b"BM" + bytes(60), "a BMP picture"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(60), "a camera raw file"),
    ],
)
def test_not_one_of_ours(data: bytes, words: str) -> None:
    with pytest.raises(UnreadablePicture) as caught:
        decode(data, "thing.png")
    text = one_sentence(caught.value, "thing.png")
    assert words in text
    if data:
        assert "JPEG, PNG, TIFF, WebP and AVIF" in text


def test_real_format_counts(tmp_path: Path) -> None:
    path = tmp_path / "really.png"
    path.write_bytes(WHOLE["jpeg"])
    assert load(path).format == "jpeg"


def test_places_without_picture(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    for path, words in {
        tmp_path / "missing.png": "does not exist",
        tmp_path: "is a folder",
        pipe: "is a pipe or device",
        Path("/dev/zero"): "is a pipe or device",
        file / "below.png": "cannot be opened",
        loop: "cannot be opened",
        tmp_path / "nul\0.png": "cannot be opened",
    }.items():
        with pytest.raises(UnreadablePicture, match=words):
            load(path)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(
        UnreadablePicture, match=r"a.png” may not be read by this user; change its permissions\."
    ):
        load(tmp_path / "a.png")


def png_of_size(width: int, height: int) -> bytes:
    head = pictures.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = pictures.chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + pictures.chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (70_000, 10), (10, 70_000), (2**31 - 1, 2**31 - 1)])
def test_size_bomb(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadablePicture) as caught:
        decode(png_of_size(*size), "bomb.png")
    one_sentence(caught.value, "bomb.png")


def test_size_bomb_in_other_formats() -> None:
    jpeg = bytearray(WHOLE["jpeg"])
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    tiff = bytearray(pictures.tiff(pictures.smooth()))
    for tag, side in ((256, 64), (257, 48)):
        at = tiff.index(struct.pack("<HHII", tag, 4, 1, side))
        tiff[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 50_000)
    for data in (jpeg, tiff):
        with pytest.raises(UnreadablePicture, match=r"make it smaller first: the limit is 65,535 a side"):
            decode(bytes(data), "bomb")


def test_compressed_profile_bomb() -> None:
    """A profile that unpacks to 400 MB must not take them."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
    plain = pictures.png(pictures.smooth())
    bombs = pictures.chunk(b"iCCP", b"icc\0\0" + packed) + pictures.chunk(b"zTXt", b"words\0\0" + packed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert decode(plain[:33] + bombs + plain[33:], "bomb.png").icc is None
    except UnreadablePicture as error:
        one_sentence(error, "bomb.png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_directories_in_circles() -> None:
    """An EXIF block whose directories point to themselves."""
    block = struct.pack("<2sHIHHHIIHHIII", b"II", 42, 8, 2, 34665, 4, 1, 8, 34853, 4, 1, 8, 8)
    raster = decode(pictures.png(pictures.smooth(), exif=block), "loop.png")
    for form in FORMATS:
        assert decode(encode(raster, form, comment="wave"), form).width == raster.width
    tiff = bytearray(pictures.tiff(pictures.smooth(), extratags=[(34665, 4, 1, 8, True)]))
    assert decode(bytes(tiff), "loop.tif").width == raster.width


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_corrupted_bytes(data: st.DataObject) -> None:
    """Anything may happen to the bytes; a picture or `UnreadablePicture` comes of it."""
    form = data.draw(st.sampled_from(sorted(RICH)))
    broken = bytearray(RICH[form])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(broken) - 1))
        match data.draw(st.sampled_from(["set", "drop", "repeat", "fill"])):
            case "set":
                broken[at] = data.draw(st.integers(0, 255))
            case "drop" if len(broken) > 1:
                del broken[at : at + data.draw(st.integers(1, 40))]
                broken = broken or bytearray(1)
            case "repeat":
                broken[at:at] = broken[at : at + 20]
            case _:
                broken[at : at + 4] = data.draw(
                    st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\xff", b"\x7f" * 4])
                )
    try:
        raster = decode(bytes(broken), "broken")
    except UnreadablePicture as error:
        one_sentence(error, "broken")
        return
    assert raster.pixels.shape == (raster.height, raster.width, raster.channels)
    assert np.isfinite(raster.to_srgb(slice(0, 4))).all()
    encode(raster, comment="wave")


def test_nothing_is_said_on_standard_error(tmp_path: Path) -> None:
    for form in FORMATS:
        (tmp_path / form).write_bytes(WHOLE[form][: len(WHOLE[form]) // 2])
    (tmp_path / "bomb").write_bytes(png_of_size(2**31 - 1, 2**31 - 1))
    icc = pictures.profile(None, 2.2)
    (tmp_path / "odd").write_bytes(pictures.png(pictures.smooth(), icc))
    program = """if True:
        import sys
        from pathlib import Path
        from impasto.errors import UnreadablePicture
        from impasto.raster import load, encode
        for path in Path(sys.argv[1]).iterdir():
            try:
                encode(load(path))
            except UnreadablePicture:
                pass
        assert not {"PIL", "tifffile"} & set(sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for shade in (10, 200):
        publish(path, encode(Raster(np.full((20, 20, 3), shade, np.uint8)), "tiff"))
        assert load(path).pixels[0, 0, 0] == shade


def test_format_of() -> None:
    assert [format_of(f"a{suffix}") for suffix in (".JPG", ".jpeg", ".tif", ".png", ".webp", ".avif")] == [
        *("jpeg", "jpeg", "tiff", "png", "webp", "avif")
    ]
    for name in ("a", "a.gif"):
        with pytest.raises(UnwritablePicture, match=r"“a.*name the picture with one of \.jpg, \.png, \.tif"):
            format_of(name)


def test_save(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    publish(path, b"old")
    path.chmod(0o640)
    publish(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link.png"
    link.symlink_to(path)
    publish(link, memoryview(b"newer"))
    assert link.is_symlink()
    assert path.read_bytes() == b"newer"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png", "link.png"]


def test_save_where_it_cannot(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in {
        tmp_path / "missing" / "a.png": "There is no folder",
        file / "a.png": "There is no folder",
        tmp_path: "is a folder",
        pipe: "is a pipe or device",
        Path(os.devnull): "is a pipe or device",
    }.items():
        with pytest.raises(UnwritablePicture, match=words) as caught:
            publish(path, b"data")
        assert str(caught.value).endswith(".")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "pipe"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "may not be written"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_save_leaves_nothing_half_done(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    publish(path, b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(UnwritablePicture, match=words):
        publish(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_memory_stays_with_the_picture() -> None:
    """Turning a picture upright, and splitting off alpha, take no second copy of it."""
    program = """if True:
        import resource, sys
        from impasto.raster import decode, load
        load(sys.argv[1])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        raster = load(sys.argv[2])
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        assert raster.pixels.shape == (6000, 4000, 3), raster.pixels.shape
        print(grown / raster.pixels.nbytes)
    """
    import tempfile

    values = np.zeros((4000, 6000, 3), np.uint8)
    values[::7, ::5] = 90
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.jpg"), Path(folder, "large.jpg")
        small.write_bytes(WHOLE["jpeg"])
        large.write_bytes(pictures.pillow(values, "jpeg", exif=pictures.exif(6)))
        arguments = [sys.executable, "-c", program, str(small), str(large)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.5
