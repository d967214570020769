"""Talk with the daemon: from bytes to painted bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from layers import Source
from texts import _, sentence

Attachments = list[tuple[dict[str, Any], bytes]]
Progress = Callable[[float, str], object]


def sandboxed() -> bool:
    """Whether GIMP runs in a Flatpak: a daemon started there would live in the sandbox."""
    return Path("/.flatpak-info").exists()


def open_client() -> Any:
    """A connection to the daemon; starts one where that makes sense.

    Raises:
        client.ClientError: with a sentence for the user.
    """
    from client import NoDaemon, connect

    if not sandboxed():
        return connect()
    try:
        return connect(start=False)
    except NoDaemon:
        raise NoDaemon(
            _(
                "No Impasto daemon is running, and a Flatpak cannot start one;"
                " run “impasto serve --detach” in a terminal."
            )
        ) from None


def open_courier() -> Any:
    """A `client.courier.Courier` whose answers come in GTK's main loop."""
    from client.courier import Courier
    from gi.repository import GLib

    return Courier(open_client, GLib.idle_add, sentence)


def paint(
    job: str,
    source: Source,
    attachments: Attachments,
    progress: Progress,
    sketch: Callable[[bytes], object] | None = None,
    cancelled: Event | None = None,
) -> tuple[dict[str, Any], memoryview]:
    """Have what was read painted; blocks. The job ends when this process does.

    Args:
        progress, sketch, cancelled: see `client.Client.run`.

    Raises:
        client.Cancelled: as asked.
        client.ClientError: with a sentence for the user.
    """
    with open_client() as client:
        meta = source.layout.meta(source.box.width, source.box.height)
        return client.run(
            job, meta, source.pixels, progress, cancelled, attachments=attachments, sketch=sketch
        )
