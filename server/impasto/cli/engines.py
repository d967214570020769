"""List the techniques of painting: which are ready, and what the others need."""

from __future__ import annotations

import argparse
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")


def run(args: argparse.Namespace) -> int:
    from impasto.engines.readiness import readiness

    rows = readiness()
    if args.json:
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        state = "ready" if row["ready"] else f"needs: {row['command']}"
        sys.stdout.write(f"{row['name']:<{width}}  {state}\n")
    return 0
