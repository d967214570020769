"""Files to pictures: `load` and `decode`."""

from __future__ import annotations

from pathlib import Path

from impasto.errors import UnreadablePicture
from impasto.files import read
from impasto.raster.formats import FORMATS, READ, sniff, vips
from impasto.raster.metadata import BadTags
from impasto.raster.picture import Raster
from impasto.raster.reader import Reader
from impasto.raster.tiff_reader import TiffReader


def load(path: str | Path) -> Raster:
    """Read a picture from a file. Its real format counts, not its ending.

    Raises:
        UnreadablePicture: as `files.read` and `decode`.
    """
    path = Path(path)
    return decode(read(path), path.name)


def decode(data: bytes | memoryview, name: str) -> Raster:
    """Read a picture from the bytes of a file called `name` (for messages only).

    Raises:
        UnreadablePicture: damaged, of another format, or more than `MAX_SIDE` or `MAX_PIXELS`.
    """
    if not data:
        raise UnreadablePicture(f"“{name}” is empty; copy or export it again.")
    kind, words = sniff(bytes(data[:64]))
    if kind is None:
        raise UnreadablePicture(f"“{name}” is {words}; Impasto reads {READ}, so export it as one of them.")
    try:
        return TiffReader(data, name).read() if kind == "tiff" else Reader(data, name, kind).read()
    except (vips().Error, BadTags, UnicodeDecodeError) as error:  # pyvips may fail to decode its own message
        raise _damaged(name, kind, error) from None
    except MemoryError:
        raise UnreadablePicture(f"“{name}” does not fit into memory; make it smaller first.") from None


def _damaged(name: str, kind: str, error: Exception) -> UnreadablePicture:
    detail = getattr(error, "detail", None) or str(error)
    if isinstance(detail, bytes):
        detail = detail.decode("utf-8", "replace")
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    reason = lines[-1][:100] if lines else "no reason given"
    title = FORMATS[kind].title
    return UnreadablePicture(f"“{name}” is no complete {title} picture ({reason}); copy or export it again.")
