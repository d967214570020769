"""The plug-in's texts, through gettext."""

from __future__ import annotations

import gettext
from pathlib import Path

_ = gettext.translation("impasto", Path(__file__).with_name("locale"), fallback=True).gettext


class Unsuitable(Exception):
    """`str(error)` is one sentence for the user."""


def crashed(error: BaseException) -> str:
    """The sentence for an error that nobody foresaw."""
    return _("Impasto's plug-in failed ({error}); please report it.").format(error=repr(error))
