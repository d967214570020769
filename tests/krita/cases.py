"""Runs inside Krita: all cases in one process."""

import documents
import events
import frames
import regions
import styles
from common import report_of

MODULES = (documents, styles, regions, frames, events)


def drive():
    found = {}
    for module in MODULES:
        own = module.CASES
        found |= own if isinstance(own, dict) else {case.__name__: case for case in own}
    return (yield from report_of(found))
