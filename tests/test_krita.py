"""The parts of Krita's plug-in that need no Krita, and the zip that its importer takes."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import impasto.client
from impasto import cli
from impasto.installer import krita
from impasto.job import Job

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "plugins" / "krita"


def plugin() -> None:
    """The plug-in's package under another name than ours, with the client as it is vendored."""
    spec = importlib.util.spec_from_loader("krita_impasto", None, is_package=True)
    assert spec
    package = importlib.util.module_from_spec(spec)
    package.__path__ = [str(PLUGIN / "impasto")]
    sys.modules["krita_impasto"] = package
    sys.modules["krita_impasto.client"] = impasto.client


plugin()
pixels: Any = importlib.import_module("krita_impasto.pixels")
settings: Any = importlib.import_module("krita_impasto.settings")
recipes: Any = importlib.import_module("krita_impasto.recipes")
Unsuitable: Any = importlib.import_module("krita_impasto.texts").Unsuitable
sys.path.append(str(ROOT / "scripts"))
package: Any = importlib.import_module("package_plugins")

SRGB = "sRGB-elle-V2-srgbtrc.icc"


def test_blue_and_red_change_places_at_8_bits() -> None:
    assert pixels.swapped(bytes(range(8)), "U8") == bytes([2, 1, 0, 3, 6, 5, 4, 7])


def test_samples_of_16_bits_stay_whole() -> None:
    assert pixels.swapped(b"bBgGrRaA", "U16") == b"rRgGbBaA"


@pytest.mark.parametrize("depth", ["U8", "U16"])
def test_swapping_twice_gives_the_same_across_bands(depth: str) -> None:
    size = pixels.Space("RGBA", depth, SRGB).size(pixels.BAND // 2 + 7, 3)
    data = random.Random(1).randbytes(size)
    there = pixels.swapped(data, depth)
    assert there != data
    assert pixels.swapped(there, depth) == data
    width = pixels.BYTES[depth]
    assert there[-4 * width : -3 * width] == data[-2 * width : -width]


def test_a_part_of_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="whole pixels"):
        pixels.swapped(bytes(5), "U8")


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((-5, -5, 10, 10), (0, 0, 5, 5)),
        ((95, 45, 10, 10), (95, 45, 5, 5)),
        ((-9, -9, 500, 500), (0, 0, 100, 50)),
        ((100, 0, 5, 5), None),
        ((-5, 0, 5, 5), None),
        ((3, 3, 0, 0), None),
    ],
)
def test_bounds_are_cut_to_the_picture(bounds: tuple[int, ...], inside: tuple[int, ...] | None) -> None:
    assert pixels.Box(*bounds).common(100, 50) == inside


def test_only_whole_numbers_of_srgb_travel_as_they_are() -> None:
    spaces = [
        *(("RGBA", "U8", SRGB), ("RGBA", "U16", "sRGB built-in"), ("RGBA", "F32", SRGB)),
        *(("RGBA", "U16", "sRGB-elle-V2-g10.icc"), ("RGBA", "U8", "ClayRGB-elle-V2-srgbtrc.icc")),
        *(("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"), ("CMYKA", "U8", "Chemical proof")),
    ]
    direct = [pixels.Space(*space).is_direct for space in spaces]
    assert direct == [True, True, False, False, False, False, False]


def test_strips_cover_all_rows_once() -> None:
    for width, height in ((1, 1), (4000, 3000), (10 * pixels.STRIP, 3)):
        rows = [row for top, count in pixels.strips(width, height) for row in range(top, top + count)]
        assert rows == list(range(height))


def test_alpha_is_the_last_channel() -> None:
    assert pixels.opacity(bytes(range(10)), pixels.Space("CMYKA", "U8", "")) == bytes((4, 9))
    assert pixels.opacity(bytes(range(8)), pixels.Space("GRAYA", "U16", "")) == bytes((3, 7))


def look(**more: Any) -> dict[str, Any]:
    return {**settings.new_look(), **more}


def test_the_daemon_takes_the_job() -> None:
    recipe = recipes.Recipe(look(style=[["great-wave", 2.0], ["kiss", 1.0]], strength=0.5, scale=2.0), [])
    text, enclosures = recipe.packed({})
    found = Job.from_json(text).look
    assert [(part.ref, part.weight) for part in found.style] == [("great-wave", 2.0), ("kiss", 1.0)]
    assert (found.strength, found.scale) == (0.5, 2.0)
    assert enclosures == []


def test_a_style_s_file_goes_along(tmp_path: Path) -> None:
    path = tmp_path / "a, b.jpg"
    path.write_bytes(b"jpeg")
    text, enclosures = recipes.Recipe(look(style=[[str(path), 1.0]]), []).packed({})
    assert json.loads(text)["look"]["style"] == [{"ref": "attachment:0", "weight": 1.0}]
    assert enclosures == [({"kind": "file", "name": "a, b.jpg"}, b"jpeg")]
    path.unlink()
    with pytest.raises(Unsuitable, match=r"“a, b\.jpg” cannot be read"):
        recipes.Recipe(look(style=[[str(path), 1.0]]), []).packed({})


def test_regions_are_told_with_their_masks_and_the_selection() -> None:
    regions = [
        {"select": "sky", "name": "Sky", "style": [["kiss", 1.0]], "feather": 10},
        {"select": "mask:abc", "name": "Layer", "style": "none", "strength": 0.5},
        {"select": "points:100,200;-300,40", "name": "Thing"},
    ]
    recipe = recipes.Recipe(look(style=[["udnie", 1.0]]), regions)
    mask, selection = ({"kind": "pixels"}, b"m"), ({"kind": "pixels"}, b"s")
    text, enclosures = recipe.packed({"abc": mask}, selection, 0.5, "layers")
    told = json.loads(text)
    assert recipe.masks == ["abc"]
    assert enclosures == [selection, mask]
    assert told["region"] == [
        {"select": "(sky) & attachment:0", "style": [{"ref": "kiss", "weight": 1.0}], "feather": 5.0},
        {"select": "(attachment:1) & attachment:0", "style": "none", "strength": 0.5},
        {"select": "(points:50,100;-150,20) & attachment:0"},
    ]
    assert told["output"] == {"deliver": "layers"}


def test_the_quality_goes_along_as_the_engine() -> None:
    recipe = recipes.Recipe(look(style=[["kiss", 1.0]], engine="refine"), [])
    assert recipe.is_slow and not recipes.Recipe(look(), []).is_slow
    assert Job.from_json(recipe.packed({})[0]).look.engine == "refine"
    assert settings.checked_look({"engine": "refine"})["engine"] == "refine"
    assert settings.checked_look({"engine": 3})["engine"] == "auto"


def test_a_recipe_without_a_style_paints_nothing() -> None:
    assert not recipes.Recipe(look(), [{"select": "sky", "name": "Sky", "style": "none"}]).paints
    assert recipes.Recipe(look(), [{"select": "sky", "name": "Sky", "style": [["kiss", 1.0]]}]).paints


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "impasto.json"
    kept = settings.Settings(look(style=[["kiss", 0.5]], detail=0.25), ["udnie"], {"/a.png": "Layer 1"})
    settings.save(path, kept)
    assert settings.load(path) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"look": {"style": 3, "scale": "x", "strength": NaN}}',
        '{"favourites": 3, "names": []}',
    ],
)
def test_broken_settings_are_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "impasto.json"
    path.write_text(text)
    assert settings.load(path) == settings.Settings()
    assert settings.load(tmp_path / "missing") == settings.Settings()


def test_settings_out_of_range_are_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "impasto.json"
    path.write_text(json.dumps({"look": {"strength": 9, "scale": 0, "keep_color": -1}}))
    assert settings.load(path).look == look(strength=1.0, scale=0.25, keep_color=0.0)


def test_a_tenth_favourite_pushes_out_the_first() -> None:
    kept = settings.Settings()
    for number in range(10):
        kept.favour(str(number))
    assert kept.favourites == list("123456789")
    kept.favour("5")
    assert kept.favourites == list("12346789")


def test_styles_are_found_by_all_words() -> None:
    wave = {"name": "great-wave", "title": "The Great Wave", "artist": "Hokusai", "year": "1831"}
    kiss = {"name": "kiss", "title": "The Kiss", "artist": "Klimt"}
    assert settings.found([wave, kiss], "the HOKU") == [wave]
    assert settings.found([wave, kiss], " ") == [wave, kiss]


@pytest.mark.parametrize("path", sorted((PLUGIN / "impasto").glob("*.py")), ids=lambda path: path.stem)
def test_the_plug_in_is_python_3_10(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 10))


def test_the_zip_is_as_the_importer_wants_it(tmp_path: Path) -> None:
    package.build("krita", tmp_path / "impasto.zip")
    with zipfile.ZipFile(tmp_path / "impasto.zip") as archive:
        names = set(archive.namelist())
    assert {"impasto/", "actions/", "impasto/client/", "impasto/rpyc/core/"} <= names
    assert {"impasto.desktop", "impasto/__init__.py", "actions/impasto.action"} <= names
    assert {"impasto/manual.html", "impasto/client/__init__.py", "impasto/rpyc/LICENSE"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_vendored_client_knows_that_it_is_one(tmp_path: Path) -> None:
    package.build("krita", tmp_path / "impasto.zip")
    with zipfile.ZipFile(tmp_path / "impasto.zip") as archive:
        archive.extractall(tmp_path)
    (tmp_path / "impasto" / "__init__.py").write_text("")  # as it is, it needs Krita
    code = "import sys; sys.path.append('impasto'); from impasto.client import launch, wire"
    code += "; print(launch.VENDORED)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a Krita that was started once."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "data" / "krita").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "kritarc").write_text(
        "[General]\na=1\n\n[python]\nenable_other=true\n\n[z]\nb=2\n"
    )
    return tmp_path / "data" / "krita"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="folders have other names there")
def test_install_status_uninstall(resources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings_file = resources.parents[1] / "config" / "kritarc"
    before = settings_file.read_text()
    words = ["plugins", "status", "krita"]
    assert cli.main(words) == 0
    assert "not installed" in capsys.readouterr().out
    for _again in range(2):
        assert cli.main(["plugins", "install", "krita"]) == 0
    assert "Filter > Impasto…" in capsys.readouterr().out
    assert settings_file.read_text().count("enable_impasto=true\n") == 1
    assert "enable_impasto=true" in settings_file.read_text().split("[z]")[0].split("[python]")[1]
    for name in ("pykrita/impasto.desktop", "pykrita/impasto/docker.py", "actions/impasto.action"):
        assert (resources / name).is_file()
    command = json.loads((resources / "pykrita/impasto/client/command.json").read_text())
    assert command[1:] == ["-m", "impasto", "serve"]
    cli.main(words)
    assert "Krita will see it" in capsys.readouterr().out
    settings_file.write_text(before)
    cli.main(words)
    assert "not enabled" in capsys.readouterr().out
    (resources / "actions" / "impasto.action").unlink()
    cli.main(words)
    assert "impasto.action is missing" in capsys.readouterr().out
    assert cli.main(["plugins", "install", "krita"]) == 0
    (resources / "pykrita" / "impasto" / "mine.txt").write_text("stays")
    assert cli.main(["plugins", "uninstall", "krita"]) == 0
    assert [path.name for path in resources.rglob("*") if path.is_file()] == ["mine.txt"]
    assert settings_file.read_text() == before


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="folders have other names there")
def test_a_flatpak_is_told_what_it_needs(resources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flatpak = resources.parents[1] / ".var/app/org.kde.krita"
    (flatpak / "data" / "krita").mkdir(parents=True)
    assert cli.main(["plugins", "install", "krita"]) == 0
    said = capsys.readouterr().out
    assert "flatpak override --user" in said and "impasto serve --detach" in said
    assert not (flatpak / "data/krita/pykrita/impasto/client/command.json").exists()
    assert "enable_impasto=true" in (flatpak / "config" / "kritarc").read_text()


@pytest.mark.parametrize(
    "text", ["", "[a]\nb=1", "[python]", "[python]\nenable_impasto=false\n", "[python]\nx=1\n[q]\n"]
)
def test_switching_on_and_off(text: str) -> None:
    on = krita.switched(text, on=True)
    assert on.count("enable_impasto=true") == 1 and "enable_impasto=false" not in on
    assert krita.switched(on, on=True) == on
    assert "impasto" not in krita.switched(on, on=False)
    for line in text.split("\n"):
        assert line in on.split("\n") or "impasto" in line
