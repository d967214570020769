"""Which techniques can paint here, and what the others need."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from impasto.engines import ENGINES
from impasto.models import store


def readiness() -> list[dict[str, Any]]:
    """Each engine's `name`, whether it is `ready`, its `missing` models, and the `command` that helps."""
    rows = []
    for name, place in ENGINES.items():
        module, _, attribute = place.partition(":")
        weights = getattr(importlib.import_module(module), attribute).weights
        missing = [model for model in weights if not store.installed(model)]
        needs = [f"impasto models pull {' '.join(missing)}"] if missing else []
        if weights and importlib.util.find_spec("torch") is None:
            needs.append("pip install 'impasto[gpu]'")
        rows.append({"name": name, "ready": not needs, "missing": missing, "command": " && ".join(needs)})
    return rows
