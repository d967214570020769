"""Stop the daemon. Its running jobs are cancelled. Exit status 5 when none is running."""

from __future__ import annotations

import argparse
import sys

SUMMARY = "stop the daemon"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(args: argparse.Namespace) -> int:
    from impasto.backends.daemon import our_errors
    from impasto.client import connect

    with our_errors(), connect(start=False) as client:
        client.stop()
    sys.stdout.write("The daemon has stopped.\n")
    return 0
