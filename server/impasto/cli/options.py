"""The options that say what to paint and what to hand back, for every command that paints."""

from __future__ import annotations

import argparse
import re
from typing import Any

from impasto.errors import JobError
from impasto.job import ENGINES, FORMATS, Job, StyleRef
from impasto.styles.references import limited

LOOK = ("strength", "scale", "keep_color", "detail", "engine", "seed", "tile", "sprite")
OUTPUT = ("format", "depth", "quality", "size")


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
    add(
        "--option",
        action="append",
        metavar="NAME=VALUE",
        help="of the engine's own, see “impasto engines NAME”; repeat it for others",
    )
    add("--seed", type=int, metavar="N", help="of whatever is random in an engine")
    add(
        "--region",
        action="append",
        metavar="SELECTOR=STYLE[,KEY=VALUE…]",
        help="paint a part in another style: sky=scream, person=none, 'subject=kiss,strength=0.8,feather=8'; "
        "repeat it, later regions lie over earlier ones",
    )
    add("--mask", metavar="FILE", help="paint only where this picture, as large as the input, is light")
    add(
        "--tile",
        action="store_const",
        const=True,
        help="the picture is a texture that repeats; so is the painting",
    )
    add(
        "--sprite",
        action="store_const",
        const=True,
        help="only what is opaque counts, and its colours go on where the picture is transparent",
    )
    add("--size", type=int, metavar="N", help="pixels of the longer side at most (default: as the input)")
    add("--format", metavar="NAME", help=f"of the output: {', '.join(FORMATS)} (default: as the input)")
    add("--depth", type=int, metavar="BITS", help="per channel: 8, 16 or 32 (default: as the input)")
    add("--quality", type=int, metavar="N", help="of a lossy output, 1 to 100 (default 92)")


def given_tables(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of [look] and of [output] that were given as options, not yet checked.

    Raises:
        JobError: a style's weight that is none, or an option without “=”.
    """

    def given(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(args, name) for name in names if getattr(args, name) is not None}

    look = given(LOOK)
    if args.style:
        look["style"] = [StyleRef.parse(text).to_dict() for text in args.style]
    if args.option:
        look["options"] = dict(option(text) for text in args.option)
    return look, given(OUTPUT)


def option(text: str) -> tuple[str, float | int | str]:
    """`NAME=VALUE`, a number where it looks like one.

    Raises:
        JobError: it has no “=”.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise JobError(f"An option is written as NAME=VALUE, such as steps=500, not “{text}”.")
    for number in (int, float):
        try:
            return name.strip(), number(value)
        except ValueError:
            continue
    return name.strip(), value.strip()


def with_options(job: Job, args: argparse.Namespace) -> Job:
    """A job with what was given as options in its place.

    Raises:
        JobError: a value that is none.
    """
    look, output = given_tables(args)
    data = job.to_dict()
    data["look"] = job.look.base_of(look) | look
    data["output"] = data.get("output", {}) | output
    if args.region:
        data["region"] = [region_table(text) for text in args.region]
    merged = Job.from_dict(data)
    return limited(merged, args.mask) if args.mask else merged


def region_table(text: str) -> dict[str, Any]:
    """`SELECTOR=STYLE[:WEIGHT][,STYLE…][,KEY=VALUE…]` as the table of a recipe, not yet checked.

    Raises:
        JobError: it has no “=”, or a style's weight that is none.
    """
    found = re.fullmatch(r'((?:[^="]|"(?:[^"\\]|\\.)*")+)=(.*)', text.strip(), re.DOTALL)
    if not found:
        raise JobError(f"A region is written as SELECTOR=STYLE, such as sky=scream, not “{text}”.")
    table: dict[str, Any] = {"select": found[1].strip()}
    styles: list[str] = []
    for word in filter(None, map(str.strip, found[2].split(","))):
        key, equals, value = word.partition("=")
        if not equals:
            styles.append(word)
            continue
        try:
            table[key.replace("-", "_")] = int(value) if key == "seed" else float(value)
        except ValueError:
            table[key.replace("-", "_")] = value
    if styles:
        refs = [StyleRef.parse(style).to_dict() for style in styles]
        table["style"] = refs[0] if len(refs) == 1 else refs
    return table
