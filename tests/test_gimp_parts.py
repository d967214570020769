"""What of the GIMP plug-in needs no GIMP, and its installation."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from impasto import cli, installer
from impasto.cli import plugins
from impasto.errors import UsageError
from impasto.installer import gimp


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
    assert "GIMP 3 will see it at its next start" in capsys.readouterr().out
    (target / "impasto.py").chmod(0o644)
    cli.main(["plugins", "status", *words])
    assert "not executable" in capsys.readouterr().out
    (target / "mine.txt").write_text("stays")
    assert cli.main(["plugins", "uninstall", *words]) == 0
    assert [path.name for path in target.rglob("*")] == ["mine.txt"]
    assert cli.main(["plugins", "install", *words]) == 2


@pytest.mark.parametrize(
    ("platform", "place", "sandboxed"),
    [
        ("linux", ".config/GIMP/3.0", False),
        ("linux", ".config/GIMP/3.2", False),
        ("linux", ".var/app/org.gimp.GIMP/config/GIMP/3.0", True),
        ("linux", "snap/gimp/current/.config/GIMP/3.0", True),
        ("darwin", "Library/Application Support/GIMP/3.0", False),
        ("win32", "AppData/Roaming/GIMP/3.0", False),
        ("win32", "AppData/Local/Packages/GIMP.43237F745622_abc/LocalCache/Roaming/GIMP/3.2", False),
    ],
)
def test_each_profile_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    platform: str,
    place: str,
    sandboxed: bool,
) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "GIMP3_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gimp.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    profile = tmp_path / place
    profile.mkdir(parents=True)
    (profile.parent / "2.10").mkdir()
    assert gimp.profiles() == [profile]
    assert cli.main(["plugins", "install", "gimp"]) == 0
    assert ("flatpak override" in capsys.readouterr().out) == sandboxed
    target = profile / "plug-ins" / "impasto"
    assert (target / "client" / "command.json").exists() != sandboxed
    assert cli.main(["plugins", "status", "gimp"]) == 0
    assert "will see it" in capsys.readouterr().out
    assert cli.main(["plugins", "uninstall", "gimp"]) == 0
    assert not target.exists()


def test_status_says_what_gimp_made_of_it(tmp_path: Path) -> None:
    installer.install(gimp.sources(), gimp.target(tmp_path))
    record = tmp_path / "pluginrc"

    def started(text: str) -> None:
        record.write_text(text)
        later = gimp.target(tmp_path).joinpath("impasto.py").stat().st_mtime + 5
        os.utime(record, (later, later))

    assert not gimp.is_known(tmp_path)
    others = '(plug-in-def "${gimp_dir}/plug-ins/other/other.py" 1\n (proc-def "impasto-stylize" 1\n'
    started(others)
    assert "failed in GIMP" in gimp.hindrance(tmp_path)
    started('(plug-in-def "${gimp_dir}/plug-ins/impasto/impasto.py" 1 (proc-def "impasto-stylize" 1' + others)
    assert gimp.hindrance(tmp_path) == "" and gimp.is_known(tmp_path)
    (tmp_path / "gimprc").write_text('(plug-in-path "${gimp_dir}/plug-ins:/elsewhere")\n')
    assert gimp.hindrance(tmp_path) == ""
    (tmp_path / "gimprc").write_text('(plug-in-path "/elsewhere")\n')
    assert "leave" in gimp.hindrance(tmp_path)


def test_the_zip_is_what_the_installer_writes(tmp_path: Path) -> None:
    script = gimp.sources().parents[2] / "scripts" / "package_plugins.py"
    done = subprocess.run([sys.executable, script, tmp_path, "gimp"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    plugins_folder = tmp_path / "plug-ins"
    shutil.unpack_archive(tmp_path / "impasto-gimp.zip", plugins_folder)
    found = installer.installed(plugins_folder / "impasto")
    assert found and not found.changed
    installer.install(gimp.sources(), tmp_path / "other")
    written = {path.relative_to(tmp_path / "other") for path in (tmp_path / "other").rglob("*")}
    unpacked = plugins_folder / "impasto"
    assert {path.relative_to(unpacked) for path in unpacked.rglob("*")} == written
    with zipfile.ZipFile(tmp_path / "impasto-gimp.zip") as archive:
        assert archive.getinfo("impasto/impasto.py").external_attr >> 16 == 0o100755


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
    with pytest.raises(UsageError, match="GIMP 3 was found; start it once"):
        plugins.run(plugins.argparse.Namespace(action="status", host="gimp", profile=None))
