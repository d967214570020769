"""Impasto in Krita: a docker that paints the active layer, and entries in the Filter menu.

One source for Krita 5.2 to 6. `pixels`, `settings` and `recipes` know neither Krita nor Qt; `jobs`
and `preview` talk to the daemon in threads; `layers`, `masks`, `spaces` and `animation` touch
Krita's objects, on the UI thread only; the rest is what the user sees.
"""

from . import service  # makes rpyc, which is vendored, to be found
from .actions import register

register()

__all__ = ["service"]
