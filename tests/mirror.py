"""Published weights for tests: from the folder that `IMPASTO_MIRROR` names, or from beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from impasto.models import store

MIRROR = Path(os.environ.get("IMPASTO_MIRROR") or Path(__file__).parents[2] / "shared" / "models")


def has(model: str) -> bool:
    """Whether a model's weights are at hand."""
    return (MIRROR / store.find(model).file).is_file()


def import_models(*names: str) -> None:
    """Import models into the store, or skip the test that needs them."""
    for name in names:
        file = MIRROR / store.find(name).file
        if not file.is_file():
            pytest.skip(f"“{name}” is not installed: {file.name} is not in {MIRROR} (see IMPASTO_MIRROR)")
        store.import_file(file)
