"""Pictures: what goes in comes out, with its depth, alpha, profile and metadata."""

from impasto.raster.formats import FORMATS, MAX_PIXELS, MAX_SIDE, Format, format_of
from impasto.raster.picture import Raster, from_pixels, quantise, to_pixels
from impasto.raster.reading import decode, load
from impasto.raster.writing import encodable, encode

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "MAX_SIDE",
    "Format",
    "Raster",
    "decode",
    "encodable",
    "encode",
    "format_of",
    "from_pixels",
    "load",
    "quantise",
    "to_pixels",
]
