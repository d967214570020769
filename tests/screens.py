"""A screen without a monitor, on which a program's windows are looked at and clicked."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from chroot import Guest


class Screen:
    """A running X server with a window manager, in a guest."""

    def __init__(self, guest: Guest, display: str, folders: list[Path], home: Path) -> None:
        """`folders`: of this system, to be seen by the programs too."""
        self.guest = guest
        self.folders = folders
        self.environment = {
            "DISPLAY": display,
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "GDK_BACKEND": "x11",
        }

    def start(
        self, words: list[str], more: Mapping[str, str] | None = None, output: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on the screen; what it says goes to `output`."""
        command = self.guest.command(words, {**self.environment, **(more or {})}, self.folders)
        with (output or Path(os.devnull)).open("wb") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)

    def ask(self, *words: str) -> str:
        """What a small program says."""
        return self.guest.run(list(words), self.environment, self.folders, 30).stdout

    def shot(self, path: Path) -> None:
        """Take a picture of all there is to see."""
        self.ask("import", "-window", "root", str(path))

    def window(self, title: str, seconds: float = 30.0) -> tuple[int, int, int, int]:
        """Wait for a window whose title matches: where its inside lies and how large it is.

        Raises:
            AssertionError: it does not come.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.ask("xdotool", "search", "--onlyvisible", "--name", title).split()
            if found:
                said = self.ask("xdotool", "getwindowgeometry", "--shell", found[-1])
                # What this says of the place counts the window's frame twice; the mouse tells it right.
                said += self.ask(
                    "xdotool", "mousemove", "-w", found[-1], "0", "0", "getmouselocation", "--shell"
                )
                values = dict(re.findall(r"^(X|Y|WIDTH|HEIGHT)=(-?\d+)$", said, re.M))
                if len(values) == 4:
                    return tuple(int(values[key]) for key in ("X", "Y", "WIDTH", "HEIGHT"))  # pyright: ignore
            time.sleep(0.2)
        raise AssertionError(f"no window “{title}” has come")

    def gone(self, title: str, seconds: float = 30.0) -> None:
        """Wait until no window has such a title."""
        deadline = time.monotonic() + seconds
        while self.ask("xdotool", "search", "--onlyvisible", "--name", title).strip():
            assert time.monotonic() < deadline, f"the window “{title}” stays"
            time.sleep(0.2)

    def click(self, x: int, y: int, button: int = 1) -> None:
        self.ask("xdotool", "mousemove", str(x), str(y), "sleep", "0.1", "click", str(button))

    def drag(self, x0: int, y0: int, x1: int, y1: int) -> None:
        half = [str((x0 + x1) // 2), str((y0 + y1) // 2)]
        moves = ["mousemove", *half, "sleep", "0.1", "mousemove", str(x1), str(y1), "sleep", "0.1"]
        self.ask(
            "xdotool", "mousemove", str(x0), str(y0), "mousedown", "1", "sleep", "0.1", *moves, "mouseup", "1"
        )

    def key(self, *keys: str) -> None:
        self.ask("xdotool", "key", *keys)

    def type(self, text: str) -> None:
        self.ask("xdotool", "type", "--delay", "20", text)


@contextlib.contextmanager
def screen(guest: Guest, home: Path, folders: list[Path], size: str = "1360x900") -> Iterator[Screen]:
    """An X server in a guest, ended at last with all that was started on it."""
    reader, writer = os.pipe()
    words = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(
        guest.command(words, {"HOME": str(home)}, folders),
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writer)
    with os.fdopen(reader) as said:
        number = said.readline().strip()
    assert number, "Xvfb did not start"
    found = Screen(guest, f":{number}", folders, home)
    manager = found.start(["openbox"])
    try:
        yield found
    finally:
        for process in (manager, server):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
