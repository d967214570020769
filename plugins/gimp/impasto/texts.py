"""The plug-in's texts, through gettext."""

from __future__ import annotations

import gettext
from pathlib import Path
from typing import Any

_ = gettext.translation("impasto", Path(__file__).with_name("locale"), fallback=True).gettext


def fill(text: str, item: Any) -> str:
    """`text` with the name of an image, layer or file for {name}."""
    return text.format(name=item if isinstance(item, str) else item.get_name())


def sentence(error: Any) -> str:
    """What a `client.ClientError` says; the daemon's own errors are in English."""
    return _(error.template).format(**error.values) if error.values else _(error.template)
