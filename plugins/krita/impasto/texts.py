"""The plug-in's texts, through gettext."""

from __future__ import annotations

import gettext
from pathlib import Path
from typing import Any

_ = gettext.translation("impasto", Path(__file__).with_name("locale"), fallback=True).gettext


class Unsuitable(Exception):
    """`str(error)` is one sentence for the user."""


def sentence(error: Any) -> str:
    """What a `client.ClientError` says; the daemon's own errors are in English."""
    return _(error.template).format(**error.values) if error.values else _(error.template)


def crashed(error: BaseException) -> str:
    """The sentence for an error that nobody foresaw."""
    return _("Impasto's plug-in failed ({error}); please report it.").format(error=repr(error))
