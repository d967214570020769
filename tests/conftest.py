"""What every test stands on: repeatable examples, and no way to the user's own daemon."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# CI must not fail by luck, nor because its machine is busy.
settings.register_profile("house", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("house")

# Before any import of impasto, and short: the path of a Unix socket has room for 100 characters.
_home = tempfile.TemporaryDirectory(prefix="imp")
os.environ["IMPASTO_RUNTIME_DIR"] = f"{_home.name}/run"
os.environ["IMPASTO_STATE_DIR"] = f"{_home.name}/state"


@pytest.fixture(scope="session")
def gimp_home() -> Iterator[Path]:
    """A home for GIMP, whose first start in a profile takes long: all tests share it."""
    with tempfile.TemporaryDirectory(prefix="impasto-gimp-") as name:
        yield Path(name)
