"""The plug-in in a real Krita, with a real daemon and the bundled networks."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import daemons
from kritas import Krita

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
package: Any = importlib.import_module("package_plugins")

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


@pytest.mark.timeout(900)
def test_all_cases(krita: Krita) -> None:
    stop = threading.Event()
    with daemons.daemon(*ENTRY) as running:
        helper = threading.Thread(target=reviving, args=(krita.home, stop))
        helper.start()
        try:
            report = krita.drive(
                "cases.py",
                running.runtime,
                {
                    "DAEMON": str(running.process.pid),
                    "PATH": f"{krita.home}/bin:/usr/bin:/bin",
                    "STYLE_FILE": str(ROOT / "examples" / "roman-colosseum.jpg"),
                    "ONLY": os.environ.get("ONLY", ""),
                },
                timeout=800,
            )
        finally:
            stop.set()
            helper.join()
    failed = {name: entry["error"] for name, entry in report.items() if entry["error"]}
    assert failed == {}
