"""List, fetch, verify or import the weights that some engines need."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from impasto.models import store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what exists, and what is installed")
    listing.add_argument("--json", action="store_true", help="print a list of objects for programs")
    fetch = actions.add_parser("pull", help="fetch models; a broken download goes on where it stopped")
    fetch.add_argument("name", nargs="+")
    check = actions.add_parser("verify", help="compare each byte of what is installed")
    check.add_argument("name", nargs="*", help="(default: all that are installed)")
    take = actions.add_parser("import", help="take over files that were fetched by other means")
    take.add_argument("file", nargs="+", type=Path)


def run(args: argparse.Namespace) -> int:
    return {"list": show, "pull": pull, "verify": verify, "import": take_over}[args.action](args)


def show(args: argparse.Namespace) -> int:
    if args.json:
        keys = ("name", "title", "size", "sha256", "licence")
        rows = [
            {key: getattr(model, key) for key in keys} | {"installed": store.installed(model.name)}
            for model in store.registry()
        ]
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return 0
    width = max(len(model.name) for model in store.registry())
    for model in store.registry():
        state = "installed" if store.installed(model.name) else "missing"
        size = f"{model.size / 1e6:.0f} MB"
        sys.stdout.write(f"{model.name:<{width}}  {state:<9}  {size}; {model.title}; {model.licence}\n")
    return 0


def pull(args: argparse.Namespace) -> int:
    from impasto.cli.progress import shown_progress

    models = [store.find(name) for name in args.name]
    for model in models:
        with shown_progress(model.name, sys.stderr.isatty()) as progress:
            path = store.pull(model.name, progress)
        sys.stdout.write(f"{path}\n")
    return 0


def verify(args: argparse.Namespace) -> int:
    names = args.name or [model.name for model in store.registry() if store.find(model.name).path.exists()]
    for name in names:
        store.require(name)
        sys.stdout.write(f"{name}: right\n")
    return 0


def take_over(args: argparse.Namespace) -> int:
    for path in args.file:
        model = store.import_file(path)
        sys.stdout.write(f"{model.path}\n")
    return 0
