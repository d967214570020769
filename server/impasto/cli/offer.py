"""A model that is missing is offered to whoever sits at a terminal."""

from __future__ import annotations

import re
import sys

from impasto.errors import ModelMissing

# The sentence says what to fetch, also when it comes from the daemon, which sends nothing else.
COMMAND = re.compile(r"fetch (it|them).*“impasto models pull ([\w -]+)”")


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

    names = found[2].split()
    size = f"{sum(store.find(name).size for name in names) / 1e6:.0f} MB"
    is_needed = f"model “{names[0]}” is" if len(names) == 1 else f"models {found[2]} are"
    sys.stderr.write(f"impasto: The {is_needed} needed. Fetch {found[1]} now ({size})? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        return False
    for name in names:
        with shown_progress(name, True) as progress:
            store.pull(name, progress)
    return True
