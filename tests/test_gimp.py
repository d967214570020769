"""The plug-in in a real GIMP, with a real daemon and the bundled networks."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageChops, ImageStat

import daemons
import mirror
from chroot import SCREEN, Guest, guest
from impasto import cli, installer
from impasto.installer import gimp

ROOT = Path(__file__).parents[1]
DRIVERS = Path(__file__).parent / "gimp"
DEBIAN = os.environ.get("IMPASTO_GIMP_DEBIAN", "trixie")
"""The Debian whose GIMP is taken: forky has 3.2."""


@pytest.fixture(scope="module")
def place() -> Guest:
    return guest("gimp-console", ["gimp", *SCREEN], DEBIAN)


def drive(place: Guest, gimp_home: Path, script: str, **environment: str) -> dict[str, Any]:
    """Run a driver in GIMP, with the profile of the module; what it reports."""
    report = gimp_home / "report.json"
    report.unlink(missing_ok=True)
    batch = f"exec(open({str(DRIVERS / script)!r}).read())"
    words = ["gimp-console", "-id", "--quit", "--batch-interpreter", "python-fu-eval", "-b", batch]
    own = {"GIMP3_DIRECTORY": str(gimp_home / "profile"), "HOME": str(gimp_home), "REPORT": str(report)}
    own |= {"LC_ALL": "C.UTF-8", "DRIVERS": str(DRIVERS)}
    seen = [gimp_home, ROOT, *map(Path, environment.get("SEEN", "").split())]
    done = place.run(words, own | environment, seen, 850)
    assert report.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(report.read_text())


def install(gimp_home: Path) -> None:
    """Put the plug-in into the profile with a command that starts no daemon."""
    profile = gimp_home / "profile"
    installer.install(gimp.sources(), gimp.target(profile), ["/no/impasto"])
    assert gimp.hindrance(profile) == ""


@pytest.mark.timeout(900)
def test_install_start_paint_export(
    place: Guest, gimp_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that a user has to do, in a profile that GIMP has never started with."""
    profile = gimp_home / "profile"
    words = ["gimp", "--profile", str(profile)]
    assert cli.main(["plugins", "install", *words]) == 0
    cli.main(["plugins", "status", *words])
    assert "will see it at its next start" in capsys.readouterr().out
    photo, exported = gimp_home / "photo.jpg", gimp_home / "painted.png"
    shutil.copy(ROOT / "examples" / "oakland-zoo-otters.jpg", photo)
    with daemons.daemon("--entry", "impasto.backends.work") as running:
        report = drive(
            place,
            gimp_home,
            "first.py",
            LANGUAGE="de",
            IMPASTO_RUNTIME_DIR=str(running.runtime),
            SEEN=str(running.runtime.parent),
            PICTURE=str(photo),
            EXPORTED=str(exported),
        )
    assert not report["error"], report["error"]
    assert report["label"] == "_Stilisieren…"
    assert report["sentence"].startswith("Kein Stil ist gewählt"), report
    with Image.open(photo) as before, Image.open(exported) as after:
        assert before.size == after.size
        change = ImageChops.difference(before.convert("RGB"), after.convert("RGB"))
    assert min(ImageStat.Stat(change).mean) > 8, "nothing was painted"
    cli.main(["plugins", "status", *words])
    assert "GIMP 3 has it" in capsys.readouterr().out


@pytest.mark.skipif(not os.environ.get("IMPASTO_SPEED"), reason="a timing: set IMPASTO_SPEED")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("depth", [8, 16])
def test_a_large_layer_takes_no_longer_than_the_command_line(
    place: Guest, gimp_home: Path, capsys: pytest.CaptureFixture[str], depth: int
) -> None:
    """The command line reads and writes a file besides: JPEG for 8 bits, the fastest that there is. For
    16 bits all formats are slow, so what they take is told apart."""
    install(gimp_home)
    big, turns = gimp_home / ("big.jpg" if depth == 8 else "big.tif"), gimp_home / f"turns-{depth}"
    turns.mkdir()
    with Image.open(ROOT / "examples" / "roman-colosseum.jpg") as photo:
        large = photo.resize((4000, 3000))
    if depth == 8:
        large.save(big, quality=92)
    else:
        tifffile.imwrite(big, np.asarray(large).astype(np.uint16) * 257, photometric="rgb")
    words = [sys.executable, "-m", "impasto", "stylize", str(big), "--style", "great-wave", "--json"]
    words += ["-o", str(gimp_home / f"out{big.suffix}")]
    ended, files = threading.Event(), []

    def take_turns() -> None:
        for turn in itertools.count():
            while not (turns / f"{turn}.turn").exists():
                if ended.wait(0.01):
                    return
            began = time.monotonic()
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            seconds = time.monotonic() - began
            assert done.returncode == 0, done.stderr
            said = json.loads(done.stdout)
            files.append(said["work_seconds"] - said["paint_seconds"])
            draft = turns / "draft"
            draft.write_text(str(seconds))
            draft.rename(turns / f"{turn}.seconds")

    with daemons.daemon("--entry", "impasto.backends.work") as running:
        server = threading.Thread(target=take_turns)
        server.start()
        try:
            report = drive(
                place,
                gimp_home,
                "cases.py",
                CASES="speed",
                IMPASTO_RUNTIME_DIR=str(running.runtime),
                SEEN=str(running.runtime.parent),
                BIG_PICTURE=str(big),
                TURNS=str(turns),
            )["speed"]
        finally:
            ended.set()
            server.join()
    assert not report["error"], report["error"]
    layer, daemon, command = (
        np.array([float(second) for second in report[key]]) for key in ("layer", "daemon", "command")
    )
    ratio, added = float(np.median(layer / command)), float(np.median(layer - daemon))
    bare = float(np.median(layer / (command - files[1:])))
    with capsys.disabled():
        print(f"\n12 MP, {depth} bits: layer {layer.round(2)} s, daemon {daemon.round(2)} s")  # noqa: T201
        print(f"command {command.round(2)} s, of it the file {np.round(files[1:], 2)} s")  # noqa: T201
        print(f"ratio {ratio:.2f}, without the file {bare:.2f}; the plug-in adds {added:.2f} s")  # noqa: T201
        for key in ("preview", "draft"):
            print(f"{key}: {np.array(report[key][1:]).round(3)} s")  # noqa: T201
    assert ratio <= 1.3 and added <= 1.0, report


@pytest.mark.timeout(900)
def test_all_cases(place: Guest, gimp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(gimp_home)
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
    with_objects = mirror.has("mobile-sam")
    if with_objects:
        mirror.import_models("mobile-sam")
    with daemons.daemon("--entry", "impasto.backends.work") as running:
        report = drive(
            place,
            gimp_home,
            "cases.py",
            CASES=os.environ.get("IMPASTO_GIMP_CASES", ""),
            IMPASTO_RUNTIME_DIR=str(running.runtime),
            DAEMON=str(running.process.pid),
            SEEN=str(running.runtime.parent),
            OBJECTS="yes" if with_objects else "",
            PICTURE=str(ROOT / "examples" / "oakland-zoo-otters.jpg"),
            STYLE_FILE=str(ROOT / "examples" / "roman-colosseum.jpg"),
        )
    failed = [f"{name}: {result['error'][-400:]}" for name, result in report.items() if result["error"]]
    assert not failed, "\n".join(failed)
    assert len(report) > 25 or os.environ.get("IMPASTO_GIMP_CASES")
