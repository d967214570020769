"""Run the daemon that keeps the networks warm. Programs start it by themselves when they need it."""

from __future__ import annotations

import argparse
import math
import sys

SUMMARY = "run the daemon that keeps the networks warm"
IDLE_MINUTES = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--idle",
        type=minutes,
        default=IDLE_MINUTES,
        metavar="MINUTES",
        help=f"end after so long without work (default {IDLE_MINUTES:g}, 0 for never)",
    )
    parser.add_argument("--detach", action="store_true", help="run in the background")


def minutes(text: str) -> float:
    """A number of minutes, for argparse."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value


def run(args: argparse.Namespace) -> int:
    if args.detach:
        return detach(args.idle)
    from impasto.daemon.lifecycle import Daemon
    from impasto.daemon.log import log_path

    if sys.stderr.isatty():
        sys.stderr.write(f"The daemon runs until Ctrl-C; its log is {log_path()}.\n")
    Daemon(idle_minutes=args.idle).serve()
    return 0


def detach(idle: float) -> int:
    """Start a daemon in the background, or find the one that runs, and tell its pid."""
    from impasto.backends.daemon import our_errors
    from impasto.client import connect

    command = [sys.executable, "-m", "impasto", "serve", "--idle", str(idle)]
    with our_errors(), connect(start=True, command=command) as client:
        sys.stdout.write(f"The daemon is running, pid {client.status()['pid']}.\n")
    return 0
