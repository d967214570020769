"""What a person is told of each engine before one is chosen: what it is, needs, and whether it is ready."""

from __future__ import annotations

import importlib.util
from typing import Any

from impasto.engines import technique
from impasto.job import ENGINES
from impasto.models import store


def readiness() -> list[dict[str, Any]]:
    """JSON values of each engine: `name`, `title`, `paper`, `speed`, `licence` (of what it needs),
    `weights` (models), `missing` (those not here), `ready`, `command` (what makes it ready), and
    `options`, each with `meaning`, `range` and `default`."""
    return [_description(name) for name in ENGINES if name != "auto"]


def _description(name: str) -> dict[str, Any]:
    kind = technique(name)
    missing = [model for model in kind.weights if not store.installed(model)]
    needs = [f"impasto models pull {' '.join(missing)}"] if missing else []
    if kind.weights and importlib.util.find_spec("torch") is None:
        needs.append("pip install 'impasto[gpu]'")
    licences = dict.fromkeys(store.find(model).licence for model in kind.weights)
    return {
        "name": name,
        "title": kind.title,
        "paper": kind.paper,
        "speed": kind.speed,
        "licence": "; ".join(licences) or "Apache-2.0",
        "weights": list(kind.weights),
        "missing": missing,
        "ready": not needs,
        "command": " && ".join(needs),
        "options": {
            key: {"meaning": option.meaning, "range": option.range, "default": option.default}
            for key, option in kind.options.items()
        },
    }
