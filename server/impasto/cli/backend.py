"""Where a command's work is done."""

from __future__ import annotations

from impasto.backends import SketchingBackend


def open_backend(no_daemon: bool) -> SketchingBackend:
    """The daemon when one runs, else this process."""
    if not no_daemon:
        from impasto.backends.daemon import running_daemon

        backend = running_daemon()
        if backend is not None:
            return backend
    from impasto.backends.local import LocalBackend

    return LocalBackend()
