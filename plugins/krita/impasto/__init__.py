"""Impasto in Krita: a docker that paints the active layer, and an entry in the Filter menu.

One source for Krita 5.2 to 6. `pixels` and `settings` know neither Krita nor Qt; `worker` talks to
the daemon in a thread; `layers` reads and adds layers; `docker` is what the user sees.
"""

from .docker import register

register()
