"""List the techniques of painting: which are ready, and what the others need."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys

from impasto.models import store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")


def run(args: argparse.Namespace) -> int:
    from impasto.engines import ENGINES

    rows = []
    for name, place in ENGINES.items():
        module, _, attribute = place.partition(":")
        weights = getattr(importlib.import_module(module), attribute).weights
        missing = [model for model in weights if not store.installed(model)]
        needs = [f"impasto models pull {' '.join(missing)}"] if missing else []
        if weights and importlib.util.find_spec("torch") is None:
            needs.append("pip install 'impasto[gpu]'")
        rows.append({"name": name, "ready": not needs, "missing": missing, "command": " && ".join(needs)})
    if args.json:
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(map(len, ENGINES))
    for row in rows:
        state = "ready" if row["ready"] else f"needs: {row['command']}"
        sys.stdout.write(f"{row['name']:<{width}}  {state}\n")
    return 0
