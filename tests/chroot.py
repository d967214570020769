"""Programs that this system does not have, in a Debian trixie of their own, cached outside the checkout.

    guest("gimp-console", ["gimp"]).run(["gimp-console", "--version"], environment, [folder, …])

Where the program is installed on this system, that one is run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("IMPASTO_CHROOTS", "/var/cache/impasto-chroots"))
SCREEN = [
    *("xvfb", "xauth", "xdotool", "openbox", "imagemagick", "dbus-x11", "adwaita-icon-theme"),
    *("fonts-dejavu-core", "python3-gi", "python3-gi-cairo", "gir1.2-gtk-3.0"),
]


class Guest:
    """A system to run programs in: a folder to change the root to, or None for this one."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    def command(self, words: list[str], environment: dict[str, str], folders: list[Path]) -> list[str]:
        """The command that runs `words` with `environment`; `folders` have the same path inside.

        The mounts live in a namespace of the command's own and end with it.
        """
        settings = [f"{name}={value}" for name, value in environment.items()]
        if self.root is None:
            return ["env", *settings, *words]
        lines = ["set -e", f"mount -t proc proc {self.root}/proc", f"mount --rbind /dev {self.root}/dev"]
        for folder in folders:
            inside = shlex.quote(f"{self.root}{folder}")
            lines += [f"mkdir -p {inside}", f"mount --bind {shlex.quote(str(folder))} {inside}"]
        inner = shlex.join(["chroot", str(self.root), "env", *settings, *words])
        return ["unshare", "--mount", "sh", "-c", "\n".join([*lines, f"exec {inner}"])]

    def run(
        self, words: list[str], environment: dict[str, str], folders: list[Path], timeout: float = 280
    ) -> subprocess.CompletedProcess[str]:
        command = self.command(words, environment, folders)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def guest(program: str, packages: list[str], name: str = "trixie") -> Guest:
    """A system that has `program`: this one, or a chroot with `packages`, made when it is missing.

    Skips the test with the reason where neither can be had.

    Args:
        name: of the chroot; begins with the Debian to take the program from, as in “trixie-krita”.
            This system's own program is not taken where that is another than usual.
    """
    suite = name.partition("-")[0]
    if suite == "trixie" and program.startswith("gimp") and _is_gimp_3():
        return Guest(None)
    root = CACHE / name
    if os.geteuid() != 0:
        pytest.skip(f"{program} is not installed, and only root can make or enter a chroot that has it")
    with _lock():
        done = root / f"has-{program}"  # the program alone may be of an installation that was broken off
        if not done.exists():
            _make(root, suite, packages)
            done.touch()
    return Guest(root)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One at a time: another run of the tests may be filling the same chroot."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_gimp_3() -> bool:
    path = shutil.which("gimp-console")
    if path is None:
        return False
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return re.search(r"\b3\.\d+\.\d+", done.stdout) is not None


def _make(root: Path, suite: str, packages: list[str]) -> None:
    mirror = _mirror()
    if shutil.which("debootstrap") is None and mirror:
        for words in (["update", "-qq"], ["-o", "DPkg::Lock::Timeout=120", "install", "-y", "debootstrap"]):
            subprocess.run(["apt-get", *words], check=False, capture_output=True)
    if shutil.which("debootstrap") is None or not mirror:
        pytest.skip("neither installed, nor is this a Debian with debootstrap to make a chroot that has it")
    quoted, wanted = shlex.quote(str(root)), shlex.join(packages)
    # An older debootstrap has no script of a newer Debian's name; that of sid does for all of them.
    known = Path("/usr/share/debootstrap/scripts", suite).exists()
    commands = f"""set -e
    if [ ! -d {quoted} ]; then
        rm -rf {quoted}.new
        debootstrap --variant=minbase {suite} {quoted}.new {shlex.quote(mirror)} {"" if known else "sid"}
        printf '#!/bin/sh\\nexit 101\\n' > {quoted}.new/usr/sbin/policy-rc.d
        chmod +x {quoted}.new/usr/sbin/policy-rc.d
        mv {quoted}.new {quoted}
    fi
    mount -t proc proc {quoted}/proc
    cp /etc/resolv.conf {quoted}/etc/
    export DEBIAN_FRONTEND=noninteractive
    # A mirror that lags behind still has the packages of its own list.
    chroot {quoted} apt-get -o Acquire::Check-Valid-Until=no update -qq
    chroot {quoted} apt-get install -y --no-install-recommends {wanted}
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", commands], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"the chroot could not be made: {(done.stderr or done.stdout).strip()[-200:]}")


def _mirror() -> str:
    """The address that this Debian's own packages come from, or "" elsewhere."""
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("debian*")]
    for place in filter(Path.is_file, places):
        found = re.search(
            r"^(?:URIs:|deb)\s+(?:\[.*?\]\s*)?(https?://\S+/debian/?)(?:\s|$)", place.read_text(), re.M
        )
        if found:
            return found[1]
    return ""
