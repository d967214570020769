"""What a job that failed says of it to another process."""

from __future__ import annotations

import traceback

from impasto.errors import ImpastoError, OutOfMemory


def told(error: Exception) -> tuple[str, str]:
    """Name and sentence of an error; of a fault of ours, which must not cost the warm networks, the
    details go to stderr."""
    if isinstance(error, ImpastoError):
        return error.name, str(error)
    if isinstance(error, MemoryError):
        sentence = "There is not enough memory for this picture; close other programs or use a smaller one."
        return OutOfMemory.__name__, sentence
    traceback.print_exception(error)
    sentence = f"Painting failed by a fault in Impasto ({type(error).__name__}: {error}); see the log."
    return ImpastoError.__name__, sentence
