"""What of the GIMP plug-in needs no GIMP, and its installation."""

from __future__ import annotations

import array
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import daemons
from impasto import cli, installer
from impasto.cli import plugins
from impasto.errors import UsageError
from impasto.installer import gimp
from impasto.job import Job


def part(name: str) -> ModuleType:
    """A module of the plug-in that needs no GIMP, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"gimp_{name}", gimp.sources() / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pixels() -> ModuleType:
    return part("pixels")


@pytest.fixture(scope="module")
def looks() -> ModuleType:
    return part("looks")


@pytest.fixture(scope="module")
def planes() -> ModuleType:
    return part("planes")


@pytest.mark.parametrize(
    ("precision", "gray", "alpha", "babl"),
    [
        ("u8-non-linear", False, False, "R'G'B' u8"),
        ("u8-perceptual", True, False, "Y' u8"),
        ("u8-linear", False, True, "R'G'B'A u16"),
        ("u16-linear", True, True, "Y'A float"),
        ("u16-non-linear", False, False, "R'G'B' u16"),
        ("u32-non-linear", False, False, "R'G'B' float"),
        ("half-linear", False, True, "R'G'B'A float"),
        ("double-linear", True, False, "Y' float"),
    ],
)
def test_a_layout_loses_nothing(
    pixels: ModuleType, precision: str, gray: bool, alpha: bool, babl: str
) -> None:
    assert pixels.layout(precision, gray, alpha).babl == babl


def test_a_wide_gamut_travels_as_floats(pixels: ModuleType) -> None:
    assert pixels.layout("u8-non-linear", False, False, srgb=False).dtype == "float32"


def test_boxes(pixels: ModuleType) -> None:
    box = pixels.Box(-5, 2, 10, 10)
    assert box.common(pixels.Box(0, 0, 3, 4)) == (0, 2, 3, 2)
    assert box.common(pixels.Box(5, 0, 3, 40)) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("scream", [("scream", 1.0)]),
        (" scream:2 , great-wave", [("scream", 2.0), ("great-wave", 1.0)]),
        ("C:/a.jpg", [("C:/a.jpg", 1.0)]),
    ],
)
def test_a_style_is_text(looks: ModuleType, text: str, parts: list[Any]) -> None:
    assert looks.parse(text) == parts
    assert looks.parse(looks.phrase(looks.parse(text))) == parts


def test_what_is_enclosed_counts_as_named(looks: ModuleType) -> None:
    assert looks.phrase(looks.with_extras("scream", ["picture"])) == "scream:1, picture:1"
    assert looks.phrase(looks.with_extras("picture:0.2, scream", ["picture"])) == "picture:0.2, scream:1"
    assert looks.phrase(looks.with_extras("", ["layer"])) == "layer"


def test_a_job_is_one_that_the_daemon_takes(looks: ModuleType) -> None:
    package = looks.Package({"picture": ({"kind": "file", "name": "a.jpg"}, b"jpeg")})
    look = package.look({"style": "scream:2, picture:1", "strength": 0.5, "engine": "auto", "scale": 1.0})
    assert look == {
        "style": [{"ref": "scream", "weight": 2.0}, {"ref": "attachment:0", "weight": 1.0}],
        "strength": 0.5,
    }
    assert package.style("picture") == [{"ref": "attachment:0", "weight": 1.0}]
    assert len(package.enclosures) == 1
    assert len(Job.from_json(looks.job(look)).look.style) == 2
    assert looks.title("scream:2, picture:1", {"picture": "a.jpg"}) == "scream + a.jpg"


def test_a_region_goes_without_what_is_the_plug_ins_own(looks: ModuleType) -> None:
    package = looks.Package({})
    told = package.region({"select": "sky", "style": "none", "feather": 3, "name": "Sky", "picks": [[1, 2]]})
    assert told == {"select": "sky", "style": "none", "feather": 3}
    assert looks.region_title({"select": "channel:a", "style": "scream"}, {}) == "channel: scream"
    assert looks.region_title({"select": "sky", "style": "none", "name": "Sky"}, {}) == "Sky: none"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_become_rgba(planes: ModuleType, channels: int) -> None:
    colours = {1: (10, 10, 10), 2: (10, 10, 10), 3: (10, 20, 30), 4: (10, 20, 30)}[channels]
    own = {1: (10,), 2: (10, 128), 3: (10, 20, 30), 4: (10, 20, 30, 128)}[channels]
    alpha = 128 if channels in (2, 4) else 255
    assert planes.rgba(bytes(own) * 3, channels) == bytes((*colours, alpha)) * 3
    masked = planes.rgba(bytes(own) * 3, channels, bytes((0, 255, 51)))
    assert masked[3::4] == bytes((0, alpha, round(alpha / 5)))


def test_copies_fit_and_clicks_fall_into_the_layer(planes: ModuleType) -> None:
    assert planes.fitted(4000, 1000, 400, 400) == (400, 100, 0.1)
    assert planes.fitted(20, 10, 400, 400) == (20, 10, 1.0)
    assert planes.fitted(10000, 1, 100, 100)[:2] == (100, 1)
    small = planes.Small(400, 100, 3, b"", 0.1)
    assert small.to_layer(0, 0, 4000, 1000) == (0, 0)
    assert small.to_layer(399.95, 99.95, 4000, 1000) == (3999, 999)
    assert small.to_layer(-5, 500, 4000, 1000) == (0, 999)
    assert small.meta() == {"kind": "pixels", "width": 400, "height": 100, "channels": 3, "dtype": "uint8"}


def test_masks_are_bytes(planes: ModuleType) -> None:
    wide = array.array("H", [0, 255, 256, 65535]).tobytes()
    assert planes.as_bytes(wide, "uint16") == bytes((0, 0, 1, 255))
    assert planes.as_bytes(b"abc", "uint8") == b"abc"
    assert planes.stain(bytes((0, 255)), (1, 2, 3), 0.5) == bytes((1, 2, 3, 0, 1, 2, 3, 128))


def test_a_courier_drops_what_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    import impasto.client

    monkeypatch.setitem(sys.modules, "client", impasto.client)
    courier_module = part("ui/courier")
    told: list[str] = []
    with daemons.daemon() as running:
        courier = courier_module.Courier(running.connect, lambda function: function())

        def work(name: str, seconds: float) -> Any:
            picture = daemons.picture("work", seconds)
            return lambda client, stale: bytes(client.run("{}", picture, name.encode(), None, stale)[1])

        courier.send("preview", work("old", 60), lambda data: told.append(data.decode()), told.append)
        daemons.until(lambda: "begins" in running.log)
        courier.send("preview", work("older", 60), lambda data: told.append(data.decode()), told.append)
        courier.send("preview", work("new", 0.1), lambda data: told.append(data.decode()), told.append)
        assert daemons.until(lambda: told) < 3
        assert told == ["new"]
        courier.send("", lambda client, stale: client.push(99, 0, b"x"), told.append, told.append)
        daemons.until(lambda: len(told) > 1)
        assert "no job 99" in told[1]
        courier.close()


def test_install_status_uninstall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["gimp", "--profile", str(tmp_path)]
    target = tmp_path / "plug-ins" / "impasto"
    assert cli.main(["plugins", "status", *words]) == 0
    assert "not installed" in capsys.readouterr().out
    for _again in range(2):
        assert cli.main(["plugins", "install", *words]) == 0
    assert os.access(target / "impasto.py", os.X_OK)
    assert (target / "rpyc" / "LICENSE").is_file()
    assert json.loads((target / "client" / "command.json").read_text())[1:] == ["-m", "impasto", "serve"]
    cli.main(["plugins", "status", *words])
    assert "GIMP will see it" in capsys.readouterr().out
    (target / "impasto.py").chmod(0o644)
    cli.main(["plugins", "status", *words])
    assert "not executable" in capsys.readouterr().out
    (target / "mine.txt").write_text("stays")
    assert cli.main(["plugins", "uninstall", *words]) == 0
    assert [path.name for path in target.rglob("*")] == ["mine.txt"]
    assert cli.main(["plugins", "install", *words]) == 2


def test_a_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    target, other = tmp_path / "impasto", tmp_path / "precious"
    target.mkdir()
    other.write_text("x")
    (target / installer.MANIFEST).write_text(json.dumps({"version": "1", "files": {"../precious": ""}}))
    assert installer.uninstall(target)
    assert other.exists()


def test_the_vendored_client_needs_nothing_installed(tmp_path: Path) -> None:
    installer.install(gimp.sources(), tmp_path / "impasto")
    code = "import client; from client import wire; print(client.PROTOCOL)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        cwd=tmp_path / "impasto",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_profile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gimp, "profiles", list)
    with pytest.raises(UsageError, match="start GIMP once"):
        plugins.run(plugins.argparse.Namespace(action="status", host="gimp", profile=None))
