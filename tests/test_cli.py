"""The command line as its user meets it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from impasto import raster
from impasto.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"
COLOSSEUM = EXAMPLES / "roman-colosseum.jpg"


@pytest.fixture(autouse=True)
def no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime directory in which no daemon runs."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("IMPASTO_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small PNG."""
    return write_png(tmp_path / "photo.png")


def write_png(path: Path, height: int = 60, width: int = 80, dtype: str = "uint8") -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype)
    source = raster.Raster(pixels, format="png")
    path.write_bytes(raster.encode(source, "png", None, 92, None))
    return path


def stylize(*arguments: object) -> int:
    return main(["stylize", *map(str, arguments)])


def one_sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The single line on stderr, with nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("impasto: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_a_photograph_is_painted_beside_itself(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert stylize(photo, "--style", "great-wave") == 0
    result = raster.load(photo.with_name("photo-great-wave.png"))
    assert result.pixels.shape == (60, 80, 3)
    assert str(photo.with_name("photo-great-wave.png")) in capsys.readouterr().out
    assert photo.read_bytes() == before


def test_json_has_the_promised_keys(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stylize(photo, "--style", "great-wave:2", "--style", "kiss:1", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["input"] == str(photo)
    assert Path(report["output"]).name == "photo-great-wave+kiss.png"
    assert 0 < report["paint_seconds"] < report["total_seconds"]
    assert report["engine"] == "gallery"
    assert report["device"]


def test_strength_zero_gives_the_pixels_back(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "same.png"
    assert stylize(photo, "--style", "great-wave", "--strength", 0, "-o", target) == 0
    assert (raster.load(target).pixels == raster.load(photo).pixels).all()


def test_sixteen_bits_stay_and_the_suffix_decides_the_format(tmp_path: Path) -> None:
    source, target = write_png(tmp_path / "deep.png", dtype="uint16"), tmp_path / "deep.tif"
    assert stylize(source, "--style", "scream", "-o", target) == 0
    result = raster.load(target)
    assert result.format == "tiff"
    assert result.pixels.dtype == np.uint16


def test_the_metadata_name_model_and_style(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert stylize(photo, "--style", "great-wave", "-o", target) == 0
    data = target.read_bytes()
    assert b"Hokusai" in data
    assert b"Impasto" in data
    assert b"gallery" in data


def test_a_folder_goes_to_its_subfolder_and_partly_done_is_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        write_png(folder / name)
    (folder / "c.png").write_text("not a picture")
    (folder / "notes.txt").write_text("left alone")
    assert stylize(folder, "--style", "kiss") == 3
    painted = sorted(path.name for path in (folder / "impasto").iterdir())
    assert painted == ["a-kiss.png", "b-kiss.png"]
    err = capsys.readouterr().err
    assert "c.png" in err
    assert "2 of 3" in err


def test_stdin_to_stdout(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __init__(self, data: bytes = b"") -> None:
            self.buffer = io.BytesIO(data)

    out = Stream()
    monkeypatch.setattr(sys, "stdin", Stream(photo.read_bytes()))
    monkeypatch.setattr(sys, "stdout", out)
    assert stylize("-", "--style", "udnie") == 0
    assert raster.decode(out.buffer.getvalue(), "stdout").pixels.shape == (60, 80, 3)


def test_recipe_and_options(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[look]\nstyle = "kiss"\nstrength = 0.5\n[output]\nname = "{style} of {stem}"\n')
    assert stylize(photo, "--recipe", recipe, "--json") == 0
    assert Path(json.loads(capsys.readouterr().out)["output"]).name == "kiss of photo.png"
    recipe.write_text("[look]\nstrenght = 0.5\n")
    assert stylize(photo, "--recipe", recipe) == 2
    sentence = one_sentence(capsys)
    assert "strength" in sentence
    assert "recipe.toml" in sentence


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


BAD_FILES = {
    "empty.png": b"",
    "text.png": b"I am a text file.\n" * 50,
    "truncated.jpg": COLOSSEUM.read_bytes()[:100_000],
    "bomb.png": png_header(50_000, 50_000),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_pictures(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name])
    before = sorted(tmp_path.iterdir())
    assert stylize(path, "--style", "great-wave") == 2
    assert name in one_sentence(capsys)
    assert sorted(tmp_path.iterdir()) == before


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stylize(tmp_path / "none.jpg", "--style", "great-wave") == 2
    assert "none.jpg” does not exist" in one_sentence(capsys)


def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert stylize(tmp_path / "pipe.png", "--style", "great-wave") == 2
    assert "pipe.png" in one_sentence(capsys)


def test_unknown_style_names_the_nearest(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stylize(photo, "--style", "great-wav") == 2
    assert "great-wave" in one_sentence(capsys)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ((), "--style"),
        (("--style", "kiss", "--strength", "1.5"), "strength"),
        (("--style", "kiss:heavy"), "heavy"),
        (("--style", "kiss", "--engine", "galery"), "gallery"),
        (("--style", "kiss", "--depth", "12"), "depth"),
        (("--style", "kiss", "--format", "bmp"), "format"),
    ],
)
def test_wrong_use(
    options: tuple[str, ...], word: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stylize(photo, *options) == 2
    assert word in one_sentence(capsys)


def test_unwritable_output(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.iterdir())
    assert stylize(photo, "--style", "kiss", "-o", photo / "inside-a-file.png") == 2
    assert "photo.png" in one_sentence(capsys)
    assert sorted(tmp_path.iterdir()) == before


def test_the_original_is_never_the_target(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert stylize(photo, "--style", "kiss", "-o", photo) == 2
    assert "original" in one_sentence(capsys)
    assert photo.read_bytes() == before


def test_what_a_format_cannot_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    clear = raster.Raster(pixels, np.full((9, 9), 9, np.uint8), format="png")
    source = tmp_path / "clear.png"
    source.write_bytes(raster.encode(clear, "png", None, 92, None))
    assert stylize(source, "--style", "kiss", "-o", tmp_path / "clear.jpg") == 2
    assert "png" in one_sentence(capsys).lower()
    assert not (tmp_path / "clear.jpg").exists()


def test_several_into_one_file(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stylize(photo, photo, "--style", "kiss", "-o", tmp_path / "one.png") == 2
    assert "folder" in one_sentence(capsys)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylise"]) == 2
    assert "stylize" in one_sentence(capsys)


def test_styles_lists_every_painting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"name": "great-wave", "artist": "Katsushika Hokusai"}.items() <= listed[0].items()
    assert main(["styles"]) == 0
    assert capsys.readouterr().out.count("\n") == len(listed)


def test_a_quick_command_imports_nothing_heavy() -> None:
    heavy = ("numpy", "torch", "rpyc", "rich", "openvino")
    code = f"import sys, impasto.cli.stylize; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_painting_needs_no_torch(photo: Path) -> None:
    """With torch made impossible to import, the base install still paints."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['torchvision'] = None\n"
        "from impasto.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "stylize", str(photo), "--style", "kiss", "--no-daemon"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert photo.with_name("photo-kiss.png").exists()


def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    source = write_png(tmp_path / "large.png", 1500, 2000)
    command = [sys.executable, "-m", "impasto", "stylize", str(source), "--style", "kiss", "--scale", "0.25"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.terminate()
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.strip() == "impasto: stopped."
    assert sorted(tmp_path.glob("*.png")) == [source]


def test_a_sheet_shows_the_photograph_in_every_style(photo: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["styles", "--photo", str(photo), "--sheet", str(sheet)]) == 0
    picture = raster.load(sheet)
    assert picture.width > 4 * 480
    assert picture.height > 4 * 360


@pytest.mark.parametrize("options", [("--sheet", "a.png"), ("--photo", "a.png")])
def test_half_a_sheet_is_wrong_use(options: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", *options]) == 2
    assert "--photo PHOTO --sheet FILE" in one_sentence(capsys)


def test_what_every_picture_would_meet_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name)
    assert stylize(tmp_path, "--style", "udni") == 2
    assert "udnie" in one_sentence(capsys)
