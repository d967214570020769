"""The plug-in in a real GIMP, with a real daemon and the bundled networks."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import daemons
from chroot import SCREEN, Guest, guest
from impasto import installer
from impasto.installer import gimp

ROOT = Path(__file__).parents[1]
DRIVERS = Path(__file__).parent / "gimp"


@pytest.fixture(scope="module")
def place() -> Guest:
    return guest("gimp-console", ["gimp", *SCREEN])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="impasto-gimp-") as name:
        yield Path(name)


def drive(place: Guest, folder: Path, script: str, **environment: str) -> dict[str, Any]:
    """Run a driver in a GIMP with a fresh profile and the plug-in installed; what it reports."""
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    installer.install(gimp.sources(), gimp.target(profile), ["/no/impasto"])
    assert gimp.hindrance(profile) == ""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    batch = f"exec(open({str(DRIVERS / script)!r}).read())"
    words = ["gimp-console", "-id", "--quit", "--batch-interpreter", "python-fu-eval", "-b", batch]
    own = {"GIMP3_DIRECTORY": str(profile), "HOME": str(folder), "REPORT": str(report), "LC_ALL": "C.UTF-8"}
    own["DRIVERS"] = str(DRIVERS)
    done = place.run(
        words, own | environment, [folder, ROOT, *map(Path, environment.get("SEEN", "").split())]
    )
    assert report.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(report.read_text())


def test_all_cases(place: Guest, folder: Path) -> None:
    with daemons.daemon("--entry", "impasto.backends.work") as running:
        report = drive(
            place,
            folder,
            "cases.py",
            CASES=os.environ.get("IMPASTO_GIMP_CASES", ""),
            IMPASTO_RUNTIME_DIR=str(running.runtime),
            DAEMON=str(running.process.pid),
            SEEN=str(running.runtime.parent),
            STYLE_FILE=str(ROOT / "examples" / "roman-colosseum.jpg"),
        )
    failed = [f"{name}: {result['error'][-400:]}" for name, result in report.items() if result["error"]]
    assert not failed, "\n".join(failed)
    assert len(report) > 25 or os.environ.get("IMPASTO_GIMP_CASES")
