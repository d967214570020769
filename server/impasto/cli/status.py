"""Show what the daemon is doing, and which folders are watched. Exit status 5 without a daemon."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from impasto.errors import DaemonError

SUMMARY = "show what the daemon is doing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one object, for programs")


def run(args: argparse.Namespace) -> int:
    from impasto.backends.daemon import our_errors
    from impasto.client import connect
    from impasto.hotfolder.register import watched

    folders = watched()
    try:
        with our_errors(), connect(start=False) as client:
            status = client.status()
    except DaemonError:
        if folders and not args.json:  # they may be painted on a cluster
            sys.stdout.write("\n".join(map(folder_line, folders)) + "\n")
        raise
    if args.json:
        text = json.dumps(status | {"folders": folders}, ensure_ascii=False)
    else:
        text = "\n".join([described(status), *map(folder_line, folders)])
    sys.stdout.write(text + "\n")
    return 0


def folder_line(told: dict[str, Any]) -> str:
    """One line about a watched folder."""
    counts = (
        f"{told['painted']} painted, {told['failed']} failed, {told['waiting'] + told['under_way']} to do"
    )
    return f"{'folder':<10} {told['folder']}: {counts}, {told['per_minute']:g} a minute"


def described(status: dict[str, Any]) -> str:
    """The status for a person to read."""
    worker, queue, memory = status["worker"], status["queue"], status["memory_mb"]
    under_way = (f"job {job['job']} ({job['priority']}) {job['fraction']:.0%}" for job in queue["running"])
    waiting = ", ".join(f"{count} {name}" for name, count in queue["waiting"].items() if count)
    limit = status["idle_limit"]
    megabytes = (f"{name} {value:.0f} MB" for name, value in memory.items() if value is not None)
    lines = {
        "daemon": f"Impasto {status['version']}, pid {status['pid']}, up {duration(status['uptime'])}",
        "protocol": str(status["protocol"]),
        "worker": f"{worker['state']}, pid {worker['pid']}" if worker["pid"] else worker["state"],
        "paints on": f"{worker['device']}, engine {worker['engine']}"
        if "device" in worker
        else "not known yet",
        "painting": ", ".join(under_way) or "nothing",
        "waiting": waiting or "nothing",
        "jobs": f"{queue['done']} done, {queue['failed']} failed, {queue['cancelled']} cancelled",
        "memory": ", ".join(megabytes) or "not known",
        "ends": f"after {duration(limit)} without work" if limit else "only when stopped",
        "log": status["log"],
    }
    return "\n".join(f"{name:<10} {text}" for name, text in lines.items())


def duration(seconds: float) -> str:
    """Such as “3 min” or “2 h 5 min”."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
