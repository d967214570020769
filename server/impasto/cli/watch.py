"""Watch folders and paint what is dropped into them. Originals are never written to."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from impasto.backends import Backend
from impasto.cli.options import add_job_options, given_tables
from impasto.cli.progress import shown_progress
from impasto.errors import PartlyDone, UsageError
from impasto.files import SUFFIXES
from impasto.hotfolder import Event, Settings, Watcher, summary
from impasto.hotfolder.events import shown
from impasto.hotfolder.recipe import known
from impasto.hotfolder.watcher import places
from impasto.job import Job, Look, Output
from impasto.styles.references import located

SETTLE, SETTLE_POLL = 2.0, 10.0

LANES = 2
"""Pictures that the daemon has under way: one is painted while others are read and written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "The look is that of recipe.toml in the folder; options win over it. Paintings go into the folder's\n"
        "sub-folder “impasto”, sub-folders are mirrored, and originals stay where they are unless --move.\n"
        "Exit status: 0 done, 2 wrong use, 3 some pictures failed (--once), 4 a package or model is\n"
        "missing, 5 no daemon, 130 stopped."
    )
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="folder of pictures, with its sub-folders")
    add("-o", "--output", type=Path, metavar="OUT", help="folder for the paintings")
    add("--recipe", type=Path, metavar="FILE", help="instead of recipe.toml in the folder")
    add("--once", action="store_true", help="paint what is there and end")
    add("--move", action="store_true", help="move originals to “processed” and “failed” in the folder")
    add("--repaint", action="store_true", help="also what another recipe painted, what failed or is missing")
    add("--poll", action="store_true", help="for network shares: look every few seconds, rely on no events")
    add("--settle", type=seconds, metavar="S", help="a file must rest so long (default 2; 10 with --poll)")
    add("--interval", type=seconds, metavar="S", help="between two looks (default 30; 5 with --poll)")
    add("--state", type=Path, metavar="DIR", help="for the journal (default: “.impasto” in the folder)")
    add("--status", action="store_true", help="tell how far it is, and end")
    add("--install-service", action="store_true", help="watch from now on, and after each login")
    add("--remove-service", action="store_true", help="undo that")
    add("--json", action="store_true", help="print one object an event, for programs")
    add("--no-daemon", action="store_true", help="paint in this process")
    add("--backend", choices=("local", "ray"), default="local", help="ray: paint on a cluster of machines")
    add(
        "--cluster",
        type=address,
        metavar="HOST:PORT",
        default="auto",
        help="head of the cluster (default: this machine's)",
    )
    add(
        "--cores",
        type=cores,
        default=4,
        metavar="N",
        help="of a machine of the cluster for a painter (default 4)",
    )
    add_job_options(parser)


def seconds(text: str) -> float:
    """A time, for argparse."""
    value = float(text)
    if not 0 <= value <= 86400:
        raise ValueError(text)
    return value


def cores(text: str) -> int:
    """A number of processor cores, for argparse."""
    value = int(text)
    if not 1 <= value <= 1024:
        raise ValueError(text)
    return value


def address(text: str) -> str:
    """Of a cluster's head, for argparse."""
    if text != "auto" and not re.fullmatch(r".+:[0-9]{1,5}", text):
        raise ValueError(text)
    return text


def run(args: argparse.Namespace) -> int:
    if args.status:
        for folder in args.folders:
            told = summary(folder, args.state)
            sys.stdout.write((json.dumps(told) if args.json else described(told)) + "\n")
        return 0
    settings = Settings(
        recipe=args.recipe,
        options=options(args),
        output=args.output,
        state=args.state,
        move=args.move,
        repaint=args.repaint,
        once=args.once,
        settle=(SETTLE_POLL if args.poll else SETTLE) if args.settle is None else args.settle,
    )
    if args.install_service or args.remove_service:
        return serve(args)
    if args.backend == "ray" and args.no_daemon:
        raise UsageError("--no-daemon paints in this process, --backend ray on a cluster: choose one.")
    show = args.once and not args.json and sys.stderr.isatty()
    printer = Printer(args.json, quiet=show and sys.stdout.isatty())
    with backend(args) as (connect, lanes), shown_progress("painting", show) as progress:
        watcher = Watcher(
            args.folders,
            settings,
            connect,
            printer.report,
            progress,
            lanes=lanes,
            own_process=args.no_daemon,
            poll=args.poll,
            interval=args.interval,
        )
        if not args.json and not args.once:
            names = ", ".join(shown(folder.root) for folder in watcher.folders)
            sys.stderr.write(f"Watching {names} until Ctrl-C.\n")
        watcher.run()
    return conclude(watcher, printer)


def serve(args: argparse.Namespace) -> int:
    """Install or remove the service that watches the folders."""
    from impasto.installer import service

    if args.once:
        raise UsageError("A service watches for ever; leave out --once.")
    folders = [folder.absolute() for folder in args.folders]
    own = {"--install-service", "--remove-service"}
    words = [word for word in args.words if word not in own]
    wanted = service.service(folders, [sys.executable, "-m", "impasto", "watch", *words])
    if args.remove_service:
        there = service.remove(wanted)
        sys.stdout.write(f"Removed {wanted.path}.\n" if there else "No such service is installed.\n")
        return 0
    options(args)
    places([*folders], args.output)
    reason = service.install(wanted)
    sys.stdout.write(f"Installed {wanted.path}.\n")
    if reason:
        by_hand = " && ".join(map(shlex.join, wanted.begin))
        raise UsageError(f"The service could not be started ({reason}); do that by hand: {by_hand}")
    return 0


def options(args: argparse.Namespace) -> dict[str, Any]:
    """The tables of a recipe that the options stand for, checked."""
    look, output = given_tables(args)
    here = located(Job(Look.from_dict(look), Output.from_dict(output)), Path.cwd())
    known(here, Path.cwd())
    if here.look.style:
        look["style"] = [style.to_dict() for style in here.look.style]
    return {"look": look, "output": output}


@contextmanager
def backend(args: argparse.Namespace) -> Iterator[tuple[Callable[[], Backend], Callable[[], int]]]:
    """What opens a backend, and tells how many pictures it can paint at a time."""
    if args.backend == "ray":
        from impasto.backends.cluster import Cluster

        with closing(Cluster(args.cluster, cores=args.cores)) as cluster:
            yield cluster.connect, lambda: cluster.size
    elif args.no_daemon:
        from impasto.backends.local import LocalBackend

        yield LocalBackend, lambda: 1
    else:
        yield connected, lambda: LANES


def connected() -> Backend:
    """A connection to the daemon, which is started where none runs."""
    from impasto.backends.daemon import DaemonBackend, our_errors
    from impasto.client import connect

    with our_errors():
        return DaemonBackend(connect(start=True), priority="batch")


class Printer:
    """Prints events, from any thread."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        """
        Args:
            quiet: a progress bar tells of what is painted.
        """
        self._as_json = as_json
        self._quiet = quiet
        self._out = sys.stdout  # while a bar is shown, the other one leads to its terminal
        self._lock = threading.Lock()
        self.began = time.monotonic()
        self._gone = False

    def report(self, event: Event) -> None:
        with self._lock:
            if self._as_json:
                self._write(json.dumps(event.to_dict()) + "\n")
            elif event.kind == "painted":
                if not self._quiet:
                    self._write(f"{shown(event.output or '')} ({event.seconds:.2f} s)\n")
            elif event.kind == "failed":
                sys.stderr.write(f"impasto: {shown(event.input or '')}: {event.text}\n")
            else:
                sys.stderr.write(f"impasto: {event.text}\n")

    def _write(self, line: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(line)
            self._out.flush()
        except BrokenPipeError:  # nobody listens any more; the pictures are painted all the same
            self._gone = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def conclude(watcher: Watcher, printer: Printer) -> int:
    """Sum up what `--once` has done.

    Raises:
        PartlyDone: some pictures failed, or a folder could not be finished.
    """
    tally, took = watcher.pipeline.tally, time.monotonic() - printer.began
    painted, failed = tally["painted"], tally["failed"]
    if watcher.troubles:
        if not painted and len(watcher.folders) == 1:
            raise watcher.troubles[0]
        raise PartlyDone(f"{painted} pictures were painted; the next call paints what waits.")
    if failed:
        raise PartlyDone(
            f"{painted} of {painted + failed} pictures were painted; the others are named above."
        )
    if painted:
        number = f"{painted} picture{'s' * (painted > 1)}"
        words = f"{number} painted in {took:.1f} s, {60 * painted / took:.1f} a minute."
    else:
        words = f"Nothing to paint: no new pictures ({', '.join(SUFFIXES)})."
    sys.stderr.write(words + "\n")
    return 0


def described(told: dict[str, Any]) -> str:
    """A folder's state for a person to read."""
    lines = {
        "folder": told["folder"],
        "watched": "yes" if told["running"] else "no",
        "painted": told["painted"],
        "failed": told["failed"],
        "under way": told["under_way"],
        "waiting": told["waiting"],
        "speed": f"{told['per_minute']:g} a minute, {told['mean_seconds']:g} s each",
    }
    text = [f"{name:<10} {value}" for name, value in lines.items()]
    for error in told["last_errors"]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(error["at"]))
        text.append(f"{'error':<10} {when}  {error['input']}: {error['error']}")
    return "\n".join(text)
