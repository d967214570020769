"""A model that is missing is offered to whoever sits at a terminal."""

from __future__ import annotations

import re
import sys

from impasto.errors import ModelMissing

# The sentence says what to fetch, also when it comes from the daemon, which sends nothing else.
COMMAND = re.compile(r"fetch it.*“impasto models pull ([\w-]+)”")


def accepted(error: ModelMissing) -> bool:
    """Offer to fetch the model that `error` names, and fetch it if that is wanted.

    Returns:
        Whether it is there now.

    Raises:
        ModelMissing: it could not be fetched.
    """
    found = COMMAND.search(str(error))
    if found is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    from impasto.cli.progress import shown_progress
    from impasto.models import store

    size = f"{store.find(found[1]).size / 1e6:.0f} MB"
    sys.stderr.write(f"impasto: The model “{found[1]}” is needed. Fetch it now ({size})? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        return False
    with shown_progress(found[1], True) as progress:
        store.pull(found[1], progress)
    return True
