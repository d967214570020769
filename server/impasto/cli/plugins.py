"""Put Impasto into GIMP or Krita, take it out again, or tell where it is."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

SUMMARY = "put Impasto into GIMP or Krita"
HOSTS = ("gimp", "krita")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status"))
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="a profile's folder (default: each that there is)"
    )


def run(args: argparse.Namespace) -> int:
    from impasto.errors import UsageError

    host = import_module(f"impasto.installer.{args.host}")
    profiles = [args.profile] if args.profile else host.profiles()
    if not profiles:
        program = host.NAME
        raise UsageError(f"No profile of {program} was found; start it once, or name one with --profile.")
    act = {"install": install, "uninstall": uninstall, "status": status}[args.action]
    for profile in profiles:
        sys.stdout.write(f"{act(host, profile)}\n")
    return 0


def install(host: Any, profile: Path) -> str:
    """Put the plug-in into a profile; what was done, in words."""
    from impasto import installer

    target = host.target(profile)
    sandboxed = host.is_sandboxed(profile)
    installer.install(host.sources(), target, None if sandboxed else installer.daemon_command())
    left = host.enable(profile)
    said = f"Installed in {target}; restart {host.NAME} and look under {host.MENU}."
    said += f"\n  {left}" if left else ""
    if sandboxed:
        said += (
            "\n  This one runs in a sandbox, and cannot start the daemon. Let it see the daemon once with"
            f"\n    {host.SANDBOX_COMMAND}\n  and start the daemon before with\n    impasto serve --detach"
        )
    return said


def uninstall(host: Any, profile: Path) -> str:
    """Take the plug-in out of a profile; what was done, in words."""
    from impasto import installer

    target = host.target(profile)
    host.disable(profile)
    return f"{'Removed from' if installer.uninstall(target) else 'Nothing of Impasto in'} {target}."


def status(host: Any, profile: Path) -> str:
    """One line about a profile."""
    from impasto import __version__, installer

    found = installer.installed(host.target(profile))
    if found is None:
        return f"{profile}: not installed"
    hindrance = host.hindrance(profile)
    seen = "has it" if host.is_known(profile) else "will see it at its next start"
    parts = [
        f"version {found.version}" + ("" if found.version == __version__ else f" (Impasto is {__version__})"),
        f"{host.NAME} does not see it: {hindrance}" if hindrance else f"{host.NAME} {seen}",
        *([f"{len(found.changed)} files changed since"] if found.changed else []),
    ]
    return f"{profile}: {'; '.join(parts)}"
