"""The options that say what to paint and what to hand back, for every command that paints."""

from __future__ import annotations

import argparse
from typing import Any

from impasto.job import ENGINES, FORMATS, StyleRef

LOOK = ("strength", "scale", "keep_color", "detail", "engine", "seed")
OUTPUT = ("format", "depth", "quality")


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for each key of a recipe's [look] and [output]."""
    add = parser.add_argument
    add(
        "--style",
        action="append",
        metavar="STYLE[:WEIGHT]",
        help="a name, picture or .style file; repeat it for a blend",
    )
    add("--strength", type=float, metavar="F", help="0 leaves the picture as it is, 1 paints fully (default)")
    add("--scale", type=float, metavar="F", help="size of the strokes, 0.25 to 4 (default 1)")
    add("--keep-color", type=float, metavar="F", help="how much of the photograph's colour stays, 0 to 1")
    add(
        "--detail",
        type=float,
        metavar="F",
        help="how much of its fine structure returns, 0 to 1 (default 0.6)",
    )
    add("--engine", metavar="NAME", help=f"technique: {', '.join(ENGINES)}")
    add("--seed", type=int, metavar="N", help="of whatever is random in an engine")
    add("--format", metavar="NAME", help=f"of the output: {', '.join(FORMATS)} (default: as the input)")
    add("--depth", type=int, metavar="BITS", help="per channel: 8, 16 or 32 (default: as the input)")
    add("--quality", type=int, metavar="N", help="of a lossy output, 1 to 100 (default 92)")


def given_tables(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of [look] and of [output] that were given as options, not yet checked."""

    def given(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(args, name) for name in names if getattr(args, name) is not None}

    look = given(LOOK)
    if args.style:
        look["style"] = [StyleRef.parse(text).to_dict() for text in args.style]
    return look, given(OUTPUT)
