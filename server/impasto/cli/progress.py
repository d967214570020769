"""A progress bar on a terminal; nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from impasto.backends import Progress


@contextmanager
def shown_progress(title: str, show: bool) -> Iterator[Progress]:
    """A `Progress` that draws a bar on stderr if `show`."""
    if not show:
        yield lambda fraction, what: None
        return
    import rich.progress
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(title), total=1.0, what="")
        yield lambda fraction, what: bar.update(task, completed=fraction, what=what)
