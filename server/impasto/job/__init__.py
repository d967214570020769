"""A `Job` is the one description of work: what to paint with, and what to hand back.

The same dataclasses serve the command line, recipes (TOML), the daemon (JSON) and plug-ins.
They know nothing of pixels. `Job.from_dict` refuses unknown keys and values out of range with
one sentence; `Job.to_dict` leaves out what has its default value, so that a recipe stays short.
"""

from impasto.job.job import VERSION, Job
from impasto.job.look import ENGINES, Look, StyleRef
from impasto.job.output import FORMATS, Output
from impasto.job.region import NO_STYLE, Region

__all__ = ["ENGINES", "FORMATS", "NO_STYLE", "VERSION", "Job", "Look", "Output", "Region", "StyleRef"]
