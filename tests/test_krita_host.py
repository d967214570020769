"""The plug-in in a real Krita, with a real daemon and the bundled networks."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import daemons
import mirror
from impasto.installer import krita as installer
from kritas import Crashed, Krita

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
package: Any = importlib.import_module("package_plugins")

PHOTO = ROOT / "examples" / "oakland-zoo-otters.jpg"
ENTRY = ("--entry", "impasto.backends.work")
REBORN = """#!/bin/sh
# In the place of the command “impasto”: asks the test, outside, for a daemon.
touch "$HOME/wanted"
sleep 60
"""


def put(krita: Krita) -> None:
    """Install the plug-in as the zip has it."""
    archive = krita.home / "impasto.zip"
    package.build("krita", archive)
    with zipfile.ZipFile(archive) as file:
        file.extractall(krita.resources / "pykrita")
    (krita.resources / "pykrita" / "actions").rename(krita.resources / "actions")
    command = krita.home / "bin" / "impasto"
    command.parent.mkdir()
    command.write_text(REBORN)
    command.chmod(0o755)


@pytest.fixture
def empty() -> Iterator[Krita]:
    """A profile without the plug-in."""
    with tempfile.TemporaryDirectory(prefix="impasto-krita-") as name:
        yield Krita(Path(name), plugins=())


@pytest.fixture
def krita() -> Iterator[Krita]:
    with tempfile.TemporaryDirectory(prefix="impasto-krita-") as name:
        made = Krita(Path(name))
        put(made)
        yield made


def reviving(home: Path, stop: threading.Event) -> None:
    """Start daemons where Krita asks for one."""
    processes: list[subprocess.Popen[bytes]] = []
    while not stop.wait(0.05):
        if (home / "wanted").exists():
            (home / "wanted").unlink()
            processes.append(subprocess.Popen([sys.executable, daemons.__file__, *ENTRY]))
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.mark.timeout(1800)
def test_all_cases(krita: Krita, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
    if mirror.has("mobile-sam"):  # else, clicks say that it is missing
        mirror.import_models("mobile-sam")
    only = os.environ.get("ONLY", "")
    try:
        report = all_cases(krita, only)
    except Crashed as crash:
        warnings.warn(f"Krita crashed and was started once more: {str(crash)[-1000:]}", stacklevel=1)
        report = all_cases(krita, only)
    failed = {name: entry["error"] for name, entry in report.items() if entry["error"]}
    assert failed == {}


def all_cases(krita: Krita, only: str) -> dict[str, Any]:
    stop = threading.Event()
    with daemons.daemon(*ENTRY) as running:
        helper = threading.Thread(target=reviving, args=(krita.home, stop))
        helper.start()
        try:
            return krita.drive(
                "cases.py",
                running.runtime,
                {
                    "DAEMON": str(running.process.pid),
                    "PATH": f"{krita.home}/bin:/usr/bin:/bin",
                    "PHOTO": str(PHOTO),
                    "STYLE_FILE": str(ROOT / "examples" / "roman-colosseum.jpg"),
                    "ONLY": only,
                    "CLICKS": "1" if mirror.has("mobile-sam") else "",
                },
                timeout=800,
            )
        finally:
            stop.set()
            helper.join()


@pytest.mark.timeout(400)
def test_the_zip_goes_through_kritas_own_importer_and_paints(empty: Krita) -> None:
    archive = empty.home / "impasto.zip"
    package.build("krita", archive)
    with daemons.daemon(*ENTRY) as running:
        imported = empty.drive("import_zip.py", running.runtime, {"ZIP": str(archive)}, 150)
        assert imported == {"imported": ["Impasto"]}
        assert (empty.resources / "pykrita" / "impasto.desktop").is_file()
        assert (empty.resources / "actions" / "impasto.action").is_file()
        text = empty.configuration.read_text()  # what the importer's last question would write
        empty.configuration.write_text(installer.switched(text, on=True))
        painted = empty.drive("paint_once.py", running.runtime, timeout=200)
    assert painted["paint_once"]["error"] == ""


@pytest.mark.timeout(600)
def test_screenshots(krita: Krita, tmp_path: Path) -> None:
    """The docker without a daemon, which is then found, idle, with a preview, and painting."""
    named = os.environ.get("IMPASTO_ARTEFACTS")
    artefacts = Path(named) if named else tmp_path
    artefacts.mkdir(parents=True, exist_ok=True)
    shots = krita.home / "shots"
    shots.mkdir()
    with daemons.daemon(*ENTRY) as running:
        report = krita.drive(
            "shots.py",
            krita.home / "none" / "run",
            {"SHOTS": str(shots), "LATER": str(running.runtime), "PHOTO": str(PHOTO)},
        )
    for path in shots.iterdir():
        shutil.copy(path, artefacts / f"krita-{path.name}")
    failed = {name: entry["error"] for name, entry in report.items() if entry["error"]}
    assert failed == {}
    assert {path.stem for path in shots.iterdir()} >= {"no-daemon", "idle", "painting", "history"}


@pytest.mark.timeout(900)
def test_sketches(krita: Krita, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A master engine paints a small layer: what comes about is seen, and nothing but that."""
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # on a graphics card nothing takes its time
    mirror.import_models("vgg19-normalised")
    named = os.environ.get("IMPASTO_ARTEFACTS")
    artefacts = Path(named) if named else tmp_path
    artefacts.mkdir(parents=True, exist_ok=True)
    shots = krita.home / "shots"
    shots.mkdir()
    with daemons.daemon(*ENTRY) as running:
        more = {"SHOTS": str(shots), "PHOTO": str(PHOTO), "ONLY": os.environ.get("ONLY", "")}
        report = krita.drive("sketches.py", running.runtime, more, timeout=800)
    for path in shots.iterdir():
        shutil.copy(path, artefacts / f"krita-{path.name}")
    failed = {name: entry["error"] for name, entry in report.items() if entry["error"]}
    assert failed == {}


def commands(turns: Path, picture: Path, stop: threading.Event) -> None:
    """Paint a picture by the command line where Krita asks for it, and tell how long it took."""
    words = [sys.executable, "-m", "impasto", "stylize", str(picture), "--style", "great-wave"]
    words += ["-o", str(turns / "out.jpg")]
    while not stop.wait(0.01):
        for path in turns.glob("*.turn"):
            path.unlink()
            began = time.monotonic()
            subprocess.run(words, check=True, capture_output=True)
            draft = turns / "draft"
            draft.write_text(str(time.monotonic() - began))
            draft.rename(path.with_suffix(".seconds"))


@pytest.mark.timeout(600)
def test_twelve_megapixels(krita: Krita, capsys: pytest.CaptureFixture[str]) -> None:
    """Krita's window answers all the while, and previews follow; IMPASTO_SPEED asks for what a machine
    that has nothing else to do must reach, and compares with the command line."""
    speed = bool(os.environ.get("IMPASTO_SPEED"))
    more, stop = {"PHOTO": str(PHOTO)}, threading.Event()
    turns = krita.home / "turns"
    turns.mkdir()
    if speed:
        more["TURNS"] = str(turns)
    with Image.open(PHOTO) as photo:
        photo.convert("RGB").resize((4000, 3000)).save(krita.home / "large.jpg", quality=92)
    with daemons.daemon(*ENTRY) as running:
        helper = threading.Thread(target=commands, args=(turns, krita.home / "large.jpg", stop))
        helper.start()
        try:
            report = krita.drive("large.py", running.runtime, more)
        finally:
            stop.set()
            helper.join()
    failed = {name: entry["error"] for name, entry in report.items() if entry["error"]}
    assert failed == {}
    live = report.pop("live")["figures"]
    with capsys.disabled():
        if speed:
            print("\n" + json.dumps({"live": live, **report}, indent=1))  # noqa: T201
    assert max(last for _first, last in live.values()) <= (0.5 if speed else 10.0), live
    for entry in report.values():
        figures = entry["figures"]

        def median(name: str, figures: list[dict[str, float]] = figures) -> float:
            return statistics.median(one[name] for one in figures)

        assert median("gap_waiting") <= (0.15 if speed else 1.5), figures
        assert median("gap_reading_inserting") <= (0.5 if speed else 2.0), figures
        if speed:
            assert median("paint") <= 1.3 * median("command") + 1.5, figures
