"""The parts of Krita's plug-in that need no Krita, and the zip that its importer takes."""

from __future__ import annotations

import ast
import importlib.util
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from impasto.job import Job

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "plugins" / "krita"


def module(path: Path) -> ModuleType:
    """A file as a module; the plug-in's package has the name of ours and cannot be imported here."""
    spec = importlib.util.spec_from_file_location(f"krita_{path.stem}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


pixels = module(PLUGIN / "impasto" / "pixels.py")
settings = module(PLUGIN / "impasto" / "settings.py")
package = module(ROOT / "scripts" / "package_plugins.py")


def test_blue_and_red_change_places_at_8_bits() -> None:
    assert pixels.swapped(bytes(range(8)), "U8") == bytes([2, 1, 0, 3, 6, 5, 4, 7])


def test_samples_of_16_bits_stay_whole() -> None:
    assert pixels.swapped(b"bBgGrRaA", "U16") == b"rRgGbBaA"


@pytest.mark.parametrize("depth", ["U8", "U16"])
def test_swapping_twice_gives_the_same_across_bands(depth: str) -> None:
    data = random.Random(1).randbytes(pixels.size(pixels.BAND // 2 + 7, 3, depth))
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
    assert pixels.clamped(bounds, 100, 50) == inside


def test_only_whole_number_rgba_travels_as_it_is() -> None:
    models = [("RGBA", "U8"), ("RGBA", "U16"), ("RGBA", "F32"), ("GRAYA", "U8"), ("CMYKA", "U8")]
    assert [pixels.is_direct(*model) for model in models] == [True, True, False, False, False]


def test_the_daemon_takes_the_job() -> None:
    job = Job.from_json(settings.Settings("great-wave", 0.5, 2.0, 0.25).job())
    assert (job.look.style[0].ref, job.look.strength, job.look.scale) == ("great-wave", 0.5, 2.0)


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "impasto.json"
    settings.save(path, settings.Settings("kiss", 0.25, 1.5, 0.75))
    assert settings.load(path) == settings.Settings("kiss", 0.25, 1.5, 0.75)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"style": 3, "scale": "x", "strength": NaN}'])
def test_broken_settings_are_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "impasto.json"
    path.write_text(text)
    assert settings.load(path) == settings.Settings()
    assert settings.load(tmp_path / "missing") == settings.Settings()


def test_settings_out_of_range_are_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "impasto.json"
    path.write_text(json.dumps({"strength": 9, "scale": 0, "keep_color": -1}))
    assert settings.load(path) == settings.Settings("", 1.0, 0.25, 0.0)


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
    code = "import sys; sys.path.append('impasto'); from impasto.client import launch, wire;"
    code += "print(launch.VENDORED)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr
