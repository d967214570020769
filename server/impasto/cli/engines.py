"""List the techniques of painting: what each is, needs, and whether it is ready; or one's options."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from impasto.errors import UsageError, did_you_mean


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of them, with its own options")
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")


def run(args: argparse.Namespace) -> int:
    from impasto.engines.readiness import readiness

    rows = readiness()
    if args.name:
        rows = [row for row in rows if row["name"] == args.name]
        if not rows:
            names = [row["name"] for row in readiness()]
            near = did_you_mean(args.name, names) or f"; there are {', '.join(names)}"
            raise UsageError(f"There is no engine “{args.name}”{near}.")
    if args.json:
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    for row in rows:
        sys.stdout.write(described(row))
    if args.name:
        sys.stdout.write(options(rows[0]["options"]))
    return 0


def described(row: dict[str, Any]) -> str:
    """A few lines about an engine."""
    state = "ready" if row["ready"] else f"needs: {row['command']}"
    facts = f"{row['title']}; {row['speed']}; {row['paper']}; {row['licence']}"
    return f"{row['name']:<9} {state}\n{'':<9} {facts}\n"


def options(table: dict[str, dict[str, Any]]) -> str:
    """A line for each option of an engine."""
    if not table:
        return "It has no options.\n"
    width = max(map(len, table))
    lines = (
        f"  {name:<{width}}  {option['meaning']}: {option['range']} (default {option['default']})\n"
        for name, option in table.items()
    )
    return "Options, as --option NAME=VALUE or in a recipe's [look.options]:\n" + "".join(lines)
