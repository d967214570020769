"""List the styles of the gallery, each with the painting it was learned from."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from impasto.models.gallery import styles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list of objects for programs")


def run(args: argparse.Namespace) -> int:
    if args.json:
        json.dump([asdict(style) for style in styles()], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(len(style.name) for style in styles())
    for style in styles():
        sys.stdout.write(f"{style.name:<{width}}  {style.credit}; {style.technique}\n")
    return 0
