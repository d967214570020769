"""Put Impasto into GIMP, take it out again, or tell where it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

SUMMARY = "put Impasto into GIMP"
HOSTS = ("gimp",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status"))
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="a profile's folder (default: each that there is)"
    )


def run(args: argparse.Namespace) -> int:
    from impasto import installer
    from impasto.errors import UsageError
    from impasto.installer import gimp

    profiles = [args.profile] if args.profile else gimp.profiles()
    if not profiles:
        raise UsageError("No profile of GIMP 3 was found; start GIMP once, or name one with --profile.")
    for profile in profiles:
        target = gimp.target(profile)
        if args.action == "install":
            command = None if gimp.is_sandboxed(profile) else installer.daemon_command()
            installer.install(gimp.sources(), target, command)
            sys.stdout.write(f"Installed in {target}; restart GIMP and look under Filters > Impasto.\n")
        elif args.action == "uninstall":
            gone = installer.uninstall(target)
            sys.stdout.write(f"{'Removed from' if gone else 'Nothing of Impasto in'} {target}.\n")
        else:
            sys.stdout.write(f"{profile}: {state(profile)}\n")
    return 0


def state(profile: Path) -> str:
    """One line about a profile."""
    from impasto import __version__, installer
    from impasto.installer import gimp

    found = installer.installed(gimp.target(profile))
    if found is None:
        return "not installed"
    reason = gimp.visible(profile)
    parts = [
        f"version {found.version}" + ("" if found.version == __version__ else f" (Impasto is {__version__})"),
        f"GIMP will not see it: {reason}" if reason else "GIMP will see it",
        *([f"{len(found.changed)} files changed since"] if found.changed else []),
    ]
    return "; ".join(parts)
