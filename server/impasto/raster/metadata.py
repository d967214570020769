"""EXIF, without losing any of it: TIFF directories are read, and edited by appending only.

An EXIF block is a small TIFF file. Maker notes inside it point to absolute positions, so that
writing the block anew would break them. Here a changed directory is appended, the pointer to it
is turned, and every other byte stays where it was. The same serves real TIFF files.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

DESCRIPTION, MAKE, ORIENTATION, SOFTWARE = 270, 271, 274, 305
EXIF_IFD, GPS_IFD, INTEROP_IFD, USER_COMMENT = 34665, 34853, 40965, 37510
SAMPLES, SAMPLE_FORMAT, ICC, RESOLUTION = 277, 339, 34675, (282, 283, 296)

# What a TIFF file's first directory shares with that of an EXIF block; the rest is the pixels'.
DESCRIPTIVE = (DESCRIPTION, MAKE, 272, SOFTWARE, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096))

_CHILDREN: dict[int, tuple[int, ...]] = {EXIF_IFD: (INTEROP_IFD,), GPS_IFD: (), INTEROP_IFD: ()}

# Types of values as `struct` calls them. Fractions are two numbers; types 2 and 7 are bytes.
_CODE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZE = {kind: struct.calcsize("=" + code) for kind, code in _CODE.items()} | {2: 1, 5: 8, 7: 1, 10: 8}
_MAX_VALUE = 64 << 20


class BadTags(ValueError):
    """Not the structure of a TIFF or EXIF block."""


@dataclass(frozen=True)
class Field:
    """One entry of a directory; `slot` holds the value itself or its position in the file."""

    type: int
    count: int
    slot: bytes

    @property
    def size(self) -> int:
        return _SIZE.get(self.type, 1) * self.count


Directory = dict[int, Field]


class Structure:
    """A TIFF file or EXIF block opened for reading.

    Args:
        file: seekable; its position is moved.

    Raises:
        BadTags: here and from every method, when the bytes make no sense.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = self._read(0, 8)
        if head[:2] not in (b"II", b"MM"):
            raise BadTags("no byte order mark")
        self.order = "<" if head[:2] == b"II" else ">"
        version = self._unpack("H", head[2:4])[0]
        if version not in (42, 43):
            raise BadTags("no TIFF version")
        self.big = version == 43
        self.word = "Q" if self.big else "I"
        self.first = self._unpack("Q", self._read(8, 8))[0] if self.big else self._unpack("I", head[4:])[0]

    def _unpack(self, code: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + code, data)

    def _read(self, at: int, size: int) -> bytes:
        try:
            self._file.seek(at)
            data = self._file.read(size)
        except (OSError, OverflowError, ValueError) as error:
            raise BadTags(str(error)) from None
        if len(data) != size:
            raise BadTags("it ends too early")
        return data

    def directory(self, offset: int) -> tuple[Directory, int]:
        """The fields of the directory at `offset`, and the offset of the next one (0: none)."""
        width = 8 if self.big else 4
        prefix = 8 if self.big else 2
        entry = 4 + 2 * width
        count = self._unpack("Q" if self.big else "H", self._read(offset, prefix))[0]
        if count > 65_535:
            raise BadTags("too many tags")
        data = self._read(offset + prefix, count * entry)
        fields: Directory = {}
        for at in range(0, len(data), entry):
            tag, kind = self._unpack("HH", data[at : at + 4])
            amount = self._unpack(self.word, data[at + 4 : at + 4 + width])[0]
            fields[tag] = Field(kind, amount, data[at + 4 + width : at + entry])
        try:
            following = self._unpack(self.word, self._read(offset + prefix + len(data), width))[0]
        except BadTags:  # many writers leave out the last pointer
            following = 0
        return fields, following

    def value(self, field: Field) -> bytes:
        """The value's bytes, in the byte order of the file."""
        if field.size <= len(field.slot):
            return field.slot[: field.size]
        if field.size > _MAX_VALUE:
            raise BadTags("a value is too large")
        return self._read(self._unpack(self.word, field.slot)[0], field.size)

    def numbers(self, field: Field) -> tuple[float, ...]:
        """The value as numbers; fractions are divided (0 by 0 gives 0)."""
        data = self.value(field)
        if field.type in (5, 10):
            parts = self._unpack(f"{2 * field.count}{'I' if field.type == 5 else 'i'}", data)
            return tuple(a / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
        if field.type not in _CODE:
            raise BadTags("not a number")
        return self._unpack(f"{field.count}{_CODE[field.type]}", data)

    def number(self, fields: Directory, tag: int, default: int) -> int:
        """The first number under `tag`, or `default` when there is none."""
        try:
            return int(self.numbers(fields[tag])[0])
        except (KeyError, IndexError, BadTags):
            return default

    def child(self, fields: Directory, tag: int) -> Directory:
        """The directory that `tag` points to; empty when there is none or it makes no sense."""
        offset = self.number(fields, tag, 0)
        try:
            return self.directory(offset)[0] if offset else {}
        except BadTags:
            return {}


class Appender:
    """Adds values and directories behind the bytes of a TIFF file or EXIF block."""

    def __init__(self, data: bytes | memoryview, order: str, big: bool = False) -> None:
        self.order = order
        self._big = big
        self._word = "Q" if big else "I"
        self._parts: list[bytes | memoryview] = [data]
        self._end = len(data)

    def _add(self, data: bytes) -> int:
        pad = self._end % 2  # TIFF wants even positions
        self._parts.append(b"\0" * pad + data)
        at = self._end + pad
        self._end = at + len(data)
        return at

    def field(self, kind: int, value: bytes) -> Field:
        width = 8 if self._big else 4
        count = len(value) // _SIZE.get(kind, 1)
        if len(value) <= width:
            return Field(kind, count, value.ljust(width, b"\0"))
        return Field(kind, count, struct.pack(self.order + self._word, self._add(value)))

    def pointer(self, fields: Directory) -> Field:
        """A field that points to `fields`, which are written as a directory of their own."""
        kind, at = (16 if self._big else 4), self.directory(fields)
        return Field(kind, 1, struct.pack(self.order + self._word, at))

    def directory(self, fields: Directory, following: int = 0) -> int:
        data = struct.pack(self.order + ("Q" if self._big else "H"), len(fields))
        for tag, field in sorted(fields.items()):
            data += struct.pack(self.order + "HH" + self._word, tag, field.type, field.count) + field.slot
        return self._add(data + struct.pack(self.order + self._word, following))

    def finish(self, first: int) -> bytes:
        """All bytes, with the first directory at `first`."""
        head, *rest = self._parts
        start = 8 if self._big else 4
        turned = struct.pack(self.order + self._word, first)
        return b"".join([head[:start], turned, memoryview(head)[start + len(turned) :], *rest])


def _swapped(kind: int, value: bytes) -> bytes:
    unit = 4 if kind in (5, 10) else _SIZE.get(kind, 1)
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit)) if unit > 1 else value


def _copied(source: Structure, fields: Directory, tags: Iterable[int], target: Appender) -> Directory:
    """The fields `tags` for another file; what makes no sense is left out."""
    copies: Directory = {}
    for tag in tags:
        field = fields.get(tag)
        if field is None:
            continue
        if tag in _CHILDREN:
            inner = source.child(fields, tag)
            # A file may point in circles: only what belongs below `tag` is followed.
            below = [key for key in inner if key not in _CHILDREN or key in _CHILDREN[tag]]
            if below:
                copies[tag] = target.pointer(_copied(source, inner, below, target))
            continue
        try:
            value = source.value(field)
        except BadTags:
            continue
        if source.order != target.order:
            value = _swapped(field.type, value)
        copies[tag] = target.field(field.type, value)
    return copies


def empty_exif() -> bytes:
    """An EXIF block without fields."""
    return b"II*\0" + struct.pack("<IHI", 8, 0, 0)


def orientation(exif: bytes | None) -> int:
    """1 to 8 as in EXIF; 1 when it is not stated."""
    try:
        tags = Structure(io.BytesIO(exif or b""))
        value = tags.number(tags.directory(tags.first)[0], ORIENTATION, 1)
    except BadTags:
        return 1
    return value if 1 <= value <= 8 else 1


def plausible(across: float, down: float) -> tuple[float, float] | None:
    """A resolution in dpi, freed from the rounding of formats that count per metre; None if absurd."""

    def snapped(value: float) -> float:
        whole = round(value)
        return float(whole) if abs(value - whole) < 0.013 else round(value, 4)

    return (snapped(across), snapped(down)) if 0 < across < 1e6 and 0 < down < 1e6 else None


def resolution(tags: Structure, fields: Directory) -> tuple[float, float] | None:
    """The resolution that a directory states, in dpi."""
    unit = {2: 1.0, 3: 2.54}.get(tags.number(fields, RESOLUTION[2], 2))
    try:
        across, down = (tags.numbers(fields[tag])[0] for tag in RESOLUTION[:2])
    except (KeyError, IndexError, BadTags):
        return None
    return plausible(across * unit, down * unit) if unit else None


def resolution_of_exif(exif: bytes | None) -> tuple[float, float] | None:
    """The resolution that an EXIF block states, in dpi."""
    try:
        tags = Structure(io.BytesIO(exif or b""))
        return resolution(tags, tags.directory(tags.first)[0])
    except BadTags:
        return None


def upright(exif: bytes) -> bytes:
    """The block with an orientation of 1, if it states any."""
    try:
        tags = Structure(io.BytesIO(exif))
        fields, following = tags.directory(tags.first)
    except BadTags:
        return exif
    if tags.number(fields, ORIENTATION, 1) == 1:
        return exif
    target = Appender(exif, tags.order)
    fields[ORIENTATION] = target.field(3, struct.pack(tags.order + "H", 1))
    return target.finish(target.directory(fields, following))


def upright_xmp(xmp: bytes) -> bytes:
    """The packet with a tiff:Orientation of 1, if it states any."""
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8]", rb"\g<1>1", xmp)


def with_comment(exif: bytes | None, software: str, comment: str) -> bytes:
    """The block with the tag Software set, and a comment.

    The comment goes into UserComment unless somebody else's words stand there; then it goes into
    Software, behind the name. The thumbnail is unlinked, because it shows the picture as it was.
    A block that cannot be read is replaced.
    """
    try:
        tags = Structure(io.BytesIO(exif or empty_exif()))
        fields = tags.directory(tags.first)[0]
    except BadTags:
        return with_comment(None, software, comment)
    target = Appender(exif or empty_exif(), tags.order)
    inner = tags.child(fields, EXIF_IFD)
    if _is_free(tags, fields, inner):
        inner[USER_COMMENT] = target.field(7, _user_comment(comment, tags.order))
        fields[EXIF_IFD] = target.pointer(inner)
    else:
        software = f"{software}: {comment}"
    fields[SOFTWARE] = target.field(2, software.encode() + b"\0")
    return target.finish(target.directory(fields))


def with_dpi(exif: bytes | None, dpi: tuple[float, float]) -> bytes | None:
    """The block with a resolution, if it does not state one; for formats with no place of their own."""
    try:
        tags = Structure(io.BytesIO(exif or empty_exif()))
        fields, following = tags.directory(tags.first)
    except BadTags:
        return exif
    if RESOLUTION[0] in fields:
        return exif
    target = Appender(exif or empty_exif(), tags.order)
    for tag, value in zip(RESOLUTION, dpi, strict=False):
        fields[tag] = target.field(5, struct.pack(tags.order + "II", round(value * 1000), 1000))
    fields[RESOLUTION[2]] = target.field(3, struct.pack(tags.order + "H", 2))
    return target.finish(target.directory(fields, following))


def _is_free(tags: Structure, fields: Directory, inner: Directory) -> bool:
    """Whether UserComment is missing, blank (as cameras leave it) or written by Impasto."""
    try:
        ours = SOFTWARE in fields and tags.value(fields[SOFTWARE]).startswith(b"Impasto")
        return ours or USER_COMMENT not in inner or not tags.value(inner[USER_COMMENT])[8:].strip(b"\0 ")
    except BadTags:
        return True


def _user_comment(text: str, order: str) -> bytes:
    if text.isascii():
        return b"ASCII\0\0\0" + text.encode()
    return b"UNICODE\0" + text.encode("utf-16-le" if order == "<" else "utf-16-be")


def exif_of_tiff(tags: Structure, fields: Directory) -> bytes | None:
    """The descriptive fields of a TIFF file as an EXIF block; None when it has none."""
    mark = b"II*\0" if tags.order == "<" else b"MM\0*"
    target = Appender(mark + bytes(4), tags.order)
    copies = _copied(tags, fields, (*DESCRIPTIVE, EXIF_IFD, GPS_IFD), target)
    return target.finish(target.directory(copies)) if copies else None


def tiff_with(data: bytes, exif: bytes | None, icc: bytes | None, has_dpi: bool, half: bool) -> bytes:
    """A TIFF file with the fields of an EXIF block and a profile; without a resolution unless `has_dpi`.

    `half` declares 16-bit samples to be floats.
    """
    tags = Structure(io.BytesIO(data))
    fields = tags.directory(tags.first)[0]
    target = Appender(data, tags.order, tags.big)
    if not has_dpi:
        for tag in RESOLUTION:
            fields.pop(tag, None)
    if half:
        floats = struct.pack(tags.order + "H", 3) * tags.number(fields, SAMPLES, 1)
        fields[SAMPLE_FORMAT] = target.field(3, floats)
    if icc:
        fields[ICC] = target.field(7, icc)
    if exif:
        try:
            source = Structure(io.BytesIO(exif))
            described = source.directory(source.first)[0]
            fields |= _copied(source, described, (*DESCRIPTIVE, EXIF_IFD, GPS_IFD), target)
        except BadTags:
            pass
    return target.finish(target.directory(fields))
