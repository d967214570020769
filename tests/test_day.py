"""A short day in the life of a hot folder; `scripts/day_in_the_life.py` says how long a real one is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hotfolders import many

SCRIPT = Path(__file__).parents[1] / "scripts" / "day_in_the_life.py"


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8, links")
@pytest.mark.timeout(900)
def test_all_files_come_out_as_they_should() -> None:
    command = [sys.executable, str(SCRIPT), "--files", str(many(44)), "--minutes", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All came out as they should." in done.stdout
