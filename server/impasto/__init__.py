"""Impasto paints photographs and layers in the style of any picture."""

__version__ = "0.1.0"
