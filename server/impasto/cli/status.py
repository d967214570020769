"""Show what the daemon is doing. Exit status 5 when none is running."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

SUMMARY = "show what the daemon is doing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one object, for programs")


def run(args: argparse.Namespace) -> int:
    from impasto.backends.daemon import our_errors
    from impasto.client import connect

    with our_errors(), connect(start=False) as client:
        status = client.status()
    text = json.dumps(status, ensure_ascii=False) if args.json else described(status)
    sys.stdout.write(text + "\n")
    return 0


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
