"""The plug-ins' translations: from `plugins/locale/LANGUAGE.po` to what gettext reads.

Enough of the formats for our own catalogues: messages without plurals and contexts.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterator
from pathlib import Path

MAGIC, HEADER = 0x950412DE, 28


def parse(text: str) -> dict[str, str]:
    """The messages of a .po file that are translated, with the header under "".

    Raises:
        ValueError: a line is not understood, or a message stands twice.
    """
    found: dict[str, str] = {}
    pair: dict[str, str] = {}
    word = ""

    def finish() -> None:
        if "msgstr" in pair:
            if pair["msgid"] in found:
                raise ValueError(f"“{pair['msgid']}” stands twice")
            found[pair["msgid"]] = pair["msgstr"]
            pair.clear()

    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("msgid "):
            finish()
        if line.startswith(("msgid ", "msgstr ")):
            word, _, line = line.partition(" ")
            pair[word] = ""
        if not (word and line.startswith('"') and line.endswith('"')):
            raise ValueError(f"line {number} is not understood: {line}")
        pair[word] += ast.literal_eval(line)
    finish()
    return {source: target for source, target in found.items() if target}


def compiled(messages: dict[str, str]) -> bytes:
    """Messages as a .mo file: a table of sources, one of targets, then all texts."""
    pairs = sorted((source.encode(), target.encode()) for source, target in messages.items())
    tables, texts = [b"", b""], b""
    start = HEADER + 16 * len(pairs)
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<2I", len(pair[side]), start + len(texts))
            texts += pair[side] + b"\0"
    header = struct.pack("<7I", MAGIC, 0, len(pairs), HEADER, HEADER + 8 * len(pairs), 0, start)
    return header + tables[0] + tables[1] + texts


def translations(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each language of a folder of .po files as gettext wants it beside a plug-in: path and bytes."""
    for path in sorted(folder.glob("*.po")):
        yield f"locale/{path.stem}/LC_MESSAGES/impasto.mo", compiled(parse(path.read_text("utf-8")))
