"""Masks and regions on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from impasto import raster
from impasto.cli import main
from impasto.cli.options import region_table
from impasto.errors import JobError

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a daemon nor models."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("IMPASTO_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("IMPASTO_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)


def write(path: Path, pixels: np.ndarray) -> Path:
    source = raster.Raster(np.ascontiguousarray(pixels), format="png")
    path.write_bytes(raster.encode(source, "png", None, 92, None))
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """80 x 60 pixels, dark on the left and light on the right."""
    pixels = np.random.default_rng(0).integers(0, 100, (60, 80, 3), np.uint8)
    pixels[:, 40:] += 150
    return write(tmp_path / "photo.png", pixels)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """White in rows 20 to 40."""
    values = np.zeros((60, 80, 1), np.uint8)
    values[20:40] = 255
    return write(tmp_path / "a mask, white.png", values)


def command(*arguments: object) -> int:
    return main([*map(str, arguments)])


def changed(path: Path, photo: Path) -> np.ndarray:
    return (raster.load(path).pixels != raster.load(photo).pixels).any(-1)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("sky=scream", {"select": "sky", "style": "scream"}),
        ("sky = none", {"select": "sky", "style": "none"}),
        ("sky=strength=0.5", {"select": "sky", "strength": 0.5}),
        (
            "sky | water=kiss:2,scream,keep-color=1,feather=8,seed=3,engine=adain",
            {
                "select": "sky | water",
                "style": [{"ref": "kiss", "weight": 2.0}, "scream"],
                "keep_color": 1.0,
                "feather": 8.0,
                "seed": 3,
                "engine": "adain",
            },
        ),
        ('mask:"a=b.png"=kiss', {"select": 'mask:"a=b.png"', "style": "kiss"}),
    ],
)
def test_a_region_in_one_word(text: str, table: dict[str, object]) -> None:
    assert region_table(text) == table


@pytest.mark.parametrize("text", ["sky", "", "=scream", "sky:scream"])
def test_what_is_no_region(text: str) -> None:
    with pytest.raises(JobError, match="SELECTOR=STYLE"):
        region_table(text)


def test_a_mask_restricts_the_style(photo: Path, mask: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert command("stylize", photo, "--style", "scream", "--mask", mask, "-o", target) == 0
    where = changed(target, photo)
    assert where[20:40].mean() > 0.9
    assert not where[:20].any()
    assert not where[40:].any()


def test_a_mask_restricts_regions_too(photo: Path, mask: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    region = "luminance:0.5-1=scream"
    assert command("stylize", photo, "--region", region, "--mask", mask, "-o", target) == 0
    where = changed(target, photo)
    assert where[20:40, 40:].mean() > 0.9
    assert not where[:, :40].any()
    assert not where[:20].any()


def test_regions_of_a_recipe_find_their_masks(photo: Path, mask: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    mask.rename(folder / mask.name)
    (folder / "r.toml").write_text(
        f"[[region]]\nselect = 'mask:\"{mask.name}\" & luminance:0-0.5'\nstyle = 'kiss'\n"
    )
    target = tmp_path / "out.png"
    assert command("stylize", photo, "--recipe", folder / "r.toml", "-o", target) == 0
    where = changed(target, photo)
    assert where[20:40, :40].mean() > 0.9
    assert not where[:, 40:].any()
    assert command("stylize", photo, "--recipe", folder / "r.toml") == 0
    assert photo.with_name("photo-kiss.png").exists()


@pytest.mark.parametrize(
    ("arguments", "part", "code"),
    [
        (["--region", "skyy=scream"], "did you mean “sky”", 2),
        (["--region", "sky"], "SELECTOR=STYLE", 2),
        (["--region", "sky=scream,feathr=3"], "did you mean “feather”", 2),
        (["--region", "sky=screem"], "did you mean “scream”", 2),
        (["--region", "sky=none"], "no style is chosen", 2),
        (["--style", "scream", "--mask", "gone.png"], "gone.png” does not exist", 2),
        (["--style", "scream", "--mask", "small.png"], "has 3 x 3 pixels and the picture 80 x 60", 2),
        (["--region", "points:10,10=scream"], "impasto models pull mobile-sam", 4),
    ],
)
def test_bad_regions(
    arguments: list[str], part: str, code: int, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("small.png"), np.zeros((3, 3, 1), np.uint8))
    assert command("stylize", photo, "-o", "out.png", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert part in err
    assert not Path("out.png").exists()


def test_a_mask_is_written_and_shown(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--select", "luminance:0.5-1", "-o", "m.png", "--overlay", "over.jpg", "--json"]
    assert command("segment", photo, *words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["share"] == pytest.approx(0.5, abs=0.01)
    values = raster.load(Path("m.png")).pixels[..., 0]
    assert values.dtype == np.uint8
    assert (values[:, 40:] == 255).all()
    assert (values[:, :35] == 0).all()
    shown = raster.load(Path("over.jpg")).pixels.astype(int)
    assert (shown[:, 45:, 0] - shown[:, 45:, 1]).mean() > 50
    assert command("stylize", photo, "--style", "scream", "--mask", "m.png", "-o", "painted.png") == 0
    assert not changed(Path("painted.png"), photo)[:, :35].any()


@pytest.mark.parametrize(
    ("arguments", "part", "code"),
    [
        (["-o", "m.png"], "say what to select", 2),
        (["--class", "sky", "--box", "1,2,3,4", "-o", "m.png"], "say what to select", 2),
        (["--class", "sky"], "name a file", 2),
        (["--class", "skyy", "-o", "m.png"], "did you mean “sky”", 2),
        (["--class", "sky", "-o", "m.jpg"], "end its name in .png", 2),
        (["--class", "sky", "-o", "m.gif"], "name the picture with one of", 2),
        (["--avoid", "3,4", "-o", "m.png"], "--avoid needs a --point", 2),
        (["--point", "3", "-o", "m.png"], "a point has two numbers", 2),
        (["--select", "luminance:0-1", "-o", "photo.png"], "is the original", 2),
        (["--point", "3,4", "-o", "m.png"], "impasto models pull mobile-sam", 4),
        (["--everything", "-o", "m.png"], "impasto models pull mobile-sam", 4),
    ],
)
def test_bad_selections(
    arguments: list[str], part: str, code: int, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = photo.read_bytes()
    assert command("segment", photo, *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert part in err
    assert photo.read_bytes() == before
    assert not list(Path().glob("m.*"))


def test_sky_and_building_of_the_colosseum(tmp_path: Path) -> None:
    """With no download at all; the edges follow the arches, through which the sky is seen."""
    photo = EXAMPLES / "roman-colosseum.jpg"
    target = tmp_path / "out.png"
    words = ["--region", "sky=scream", "--region", "building=none", "-o", target]
    assert command("stylize", photo, *words) == 0
    where = changed(target, photo)
    assert where[:, 1100:].mean() > 0.98
    assert where[25:90, 320:385].mean() > 0.95  # sky in the uppermost arch
    assert where[5:40, 430:480].mean() < 0.1  # the lit stones beside it
    assert where[500:, 200:950].mean() < 0.05
    assert where[120:200, 620:680].mean() < 0.2  # the stones above the next one
