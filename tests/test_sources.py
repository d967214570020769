"""Styles that are not the gallery's: pictures, attachments, `.style` files, saved styles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.backends import Parcel, enclose
from impasto.backends.work import perform
from impasto.engines.arbitrary import CODE_LENGTH
from impasto.engines.gallery import GalleryEngine
from impasto.errors import JobError, UnknownStyle, UnreadablePicture, UsageError
from impasto.job import Job, Look, StyleRef
from impasto.models import arbitrary, gallery
from impasto.raster import Raster, decode, encode
from impasto.styles import saved
from impasto.styles.sources import StyleSource, sources

EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTO = EXAMPLES / "lake-sherburne.jpg"


def png(pixels: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    return bytes(encode(Raster(pixels, alpha, format="png"), "png", 8, 90))


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def painted(style: bytes, name: str = "style.png") -> np.ndarray:
    photo = Parcel(png(random_picture(60, 80)), {"kind": "file", "name": "photo.png"})
    parcel = Parcel(photo.data, photo.meta, (Parcel(style, {"kind": "file", "name": name}),))
    job = Job(Look(style=(StyleRef("attachment:0"),)))
    return decode(perform(job, parcel, lambda fraction, what: None).data, "result").pixels


painter = GalleryEngine()


def predicted(picture: np.ndarray) -> np.ndarray:
    return painter.arbitrary.predict(picture, lambda: None)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (8, 8), (1, 400), (400, 1), (40, 3000), (300, 500), (4000, 5000)]
)
def test_a_style_picture_of_any_size(height: int, width: int) -> None:
    result = painted(png(random_picture(height, width)))
    assert result.shape == (60, 80, 3)
    assert result.std() > 1


def test_a_huge_style_picture() -> None:
    small = random_picture(80, 80)
    assert painted(png(small.repeat(100, 0).repeat(100, 1))).shape == (60, 80, 3)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3000))
def test_the_code_of_any_picture_is_finite(height: int, width: int) -> None:
    picture = random_picture(height, width).astype(np.float32) / 255
    code = predicted(picture)
    assert code.shape == (CODE_LENGTH,)
    assert np.isfinite(code).all()
    assert np.isfinite(predicted(np.ascontiguousarray(picture.transpose(1, 0, 2)))).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_style_of_one_colour_gives_a_picture(value: int) -> None:
    assert painted(png(np.full((64, 64, 3), value, np.uint8))).shape == (60, 80, 3)


def test_a_gray_and_a_transparent_style() -> None:
    assert painted(png(random_picture(64, 64)[..., :1])).shape == (60, 80, 3)
    assert painted(png(random_picture(64, 64), np.zeros((64, 64), np.uint8))).shape == (60, 80, 3)


def test_two_pictures_paint_differently() -> None:
    red, blue = (np.zeros((128, 128, 3), np.uint8) for _ in range(2))
    red[::2, :, 0], blue[:, ::2, 2] = 255, 255
    difference = painted(png(red)).astype(float).mean((0, 1)) - painted(png(blue)).astype(float).mean((0, 1))
    assert difference[0] > 10 > -10 > difference[2]


def test_a_damaged_style_picture_is_named() -> None:
    with pytest.raises(UnreadablePicture, match=r"broken\.png"):
        painted(png(random_picture(64, 64))[:500], "broken.png")


def test_weights_sum_to_one_and_gallery_blends_with_a_picture() -> None:
    picture = random_picture(90, 90).astype(np.float32) / 255
    (wave,) = sources((StyleRef("great-wave", 1),))
    blend = (replace(wave, weight=0.75), StyleSource("b", "", 0.25, None, picture))
    mixed = painter.mix(blend, lambda: None)
    assert mixed.painter == arbitrary.load().fingerprint
    assert wave.picture is not None
    assert np.allclose(mixed.values, 0.75 * predicted(wave.picture) + 0.25 * predicted(picture), atol=1e-4)
    own = painter.mix((wave,), lambda: None)
    assert own.painter == gallery.load().fingerprint
    assert (own.values == gallery.load().codes[gallery.find("great-wave")]).all()
    bare = replace(wave, ref="kept", weight=0.75, picture=None)
    with pytest.raises(UsageError, match="kept"):
        painter.mix((bare, blend[1]), lambda: None)
    found = sources((StyleRef("scream", 1), StyleRef("kiss", 3), StyleRef("dance", 0)))
    assert [source.weight for source in found] == [0.25, 0.75]


def test_unknown_styles_and_missing_attachments() -> None:
    with pytest.raises(UnknownStyle, match="scream"):
        sources((StyleRef("screm"),))
    with pytest.raises(JobError, match="attachment:3"):
        sources((StyleRef("attachment:3"),))


def test_a_saved_style_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STYLES", str(tmp_path))
    code = gallery.load().codes[1]
    picture = random_picture(256, 320).astype(np.float32) / 255
    path = saved.save("mine", saved.SavedStyle("My wall", gallery.load().fingerprint, code, picture))
    assert path.stat().st_size <= saved.MAX_BYTES
    assert saved.names() == ["mine"]
    (found,) = sources((StyleRef("mine"),))
    assert found.code is not None
    assert np.allclose(found.code.values, code, atol=1e-2)
    assert found.picture is not None
    assert found.picture.shape == picture.shape
    saved.save("older", saved.SavedStyle("", "another painter", code, picture))
    (older,) = sources((StyleRef("older"),))
    assert older.code is None
    assert older.note.startswith("“older” was kept for another version")
    assert not found.note
    saved.remove("mine")
    assert saved.names() == ["older"]
    with pytest.raises(UsageError):
        saved.save("../escape", saved.SavedStyle("", "", code, None))


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"\xff" * 400, b"\x10" + b"\0" * 7 + b"{}" * 8])
def test_a_damaged_style_file_is_named(data: bytes) -> None:
    with pytest.raises(UnreadablePicture, match=r"bad\.style"):
        saved.decode(data, "bad.style")


def test_files_are_enclosed(tmp_path: Path) -> None:
    (tmp_path / "wall.png").write_bytes(png(random_picture(20, 20)))
    job = Job(Look(style=(StyleRef("scream"), StyleRef("wall.png", 2))))
    enclosed, parcel = enclose(job, Parcel(b"photo", {"kind": "file"}), tmp_path)
    assert [style.ref for style in enclosed.look.style] == ["scream", "attachment:0"]
    assert parcel.attachments[0].meta["name"] == "wall.png"
    data, meta = parcel.packed()
    again = Parcel.unpacked(data, meta)
    assert (bytes(again.data), again.meta) == (b"photo", {"kind": "file"})
    assert bytes(again.attachments[0].data) == parcel.attachments[0].data
    with pytest.raises(UnreadablePicture, match=r"gone\.png"):
        enclose(Job(Look(style=(StyleRef("gone.png"),))), parcel, tmp_path)


def test_the_command_line_paints_in_a_picture_and_saves_it_as_a_style(tmp_path: Path) -> None:
    wall = tmp_path / "wall.png"
    wall.write_bytes(png(random_picture(200, 200)))
    environment = {"IMPASTO_STYLES": str(tmp_path / "styles")}

    def impasto(*arguments: object) -> str:
        command = [sys.executable, "-m", "impasto", *map(str, arguments)]
        env = os.environ | environment

        result = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def stylize(style: object) -> bytes:
        output = tmp_path / "out.png"
        impasto("stylize", PHOTO, "-o", output, "--style", style, "--no-daemon")
        return decode(output.read_bytes(), "out.png").pixels.tobytes()

    first = stylize(wall)
    impasto("styles", "--save", "wall", "--from", wall)
    assert "wall" in [style["name"] for style in json.loads(impasto("styles", "--json"))]
    by_name, by_file = stylize("wall"), stylize(tmp_path / "styles/wall.style")
    assert by_name == by_file
    codes = [np.frombuffer(pixels, np.uint8).astype(float) for pixels in (first, by_name)]
    assert np.abs(codes[0] - codes[1]).mean() < 2  # the file holds the code in float16
    kept = tmp_path / "styles/wall.style"
    older = replace(saved.decode(kept.read_bytes(), "wall"), painter="another")
    (tmp_path / "older.style").write_bytes(saved.encode(older))
    command = ["stylize", PHOTO, "-o", tmp_path / "old.png", "--style", tmp_path / "older.style", "--json"]
    (note,) = json.loads(impasto(*command, "--no-daemon"))["notes"]
    assert note.startswith("“older.style” was kept for another version of the painter")
    impasto("styles", "--forget", "wall")
    assert "wall" not in [style["name"] for style in json.loads(impasto("styles", "--json"))]


def test_every_style_of_the_catalogue_has_a_thumbnail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from impasto.daemon.catalogue import catalogue, thumbnail

    monkeypatch.setenv("IMPASTO_STYLES", str(tmp_path))
    styles = catalogue()["styles"]
    assert len(styles) == len(gallery.names()) >= 32
    for style in styles:
        picture = decode(thumbnail(style["name"]), style["name"])
        assert (picture.width, picture.height) == (128, 128)
    assert thumbnail("no such style") == b""
