"""The plug-ins' catalogues: every text is there, in German and in French, with the same gaps to fill."""

from __future__ import annotations

import ast
import gettext
import io
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.installer import catalogues, plugin_sources

ROOT = Path(__file__).parents[1]
LOCALE = plugin_sources("locale")
LANGUAGES = ("de", "fr")
CLIENT_ERRORS = ("NoDaemon", "Refused", "ConnectionLost", "HungUp", "Cancelled")


def calls(folder: Path) -> Iterator[tuple[Path, ast.Call, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                yield path, node, name


def texts() -> dict[str, str]:
    """Everything that a user of a plug-in can read, and where it stands: texts of the plug-ins
    themselves, the client's sentences, and what the daemon says it does."""
    found: dict[str, str] = {}
    wanted = [
        (plugin_sources("gimp"), ("_",), 0),
        (plugin_sources("krita"), ("_",), 0),
        (ROOT / "server/impasto/client", ("_", *CLIENT_ERRORS), 0),
        *((ROOT / "server/impasto" / room, ("progress",), 1) for room in ("paint", "backends", "regions")),
    ]
    for folder, names, position in wanted:
        for path, call, name in calls(folder):
            if name not in names or len(call.args) <= position:
                continue
            text = call.args[position]
            if isinstance(text, ast.JoinedStr):
                assert name == "progress", f"{path.name}:{call.lineno}: no f-string is found again"
                continue  # with numbers, in English
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                found.setdefault(text.value, f"{path.relative_to(ROOT)}:{call.lineno}")
    return found


def placeholders(text: str) -> list[str]:
    return sorted(f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete(language: str) -> None:
    known = catalogues.parse((LOCALE / f"{language}.po").read_text("utf-8"))
    wanted = texts()
    missing = [
        f'# {place}\nmsgid "{text}"\nmsgstr ""\n' for text, place in wanted.items() if text not in known
    ]
    assert not missing, "\n" + "\n".join(missing)
    assert not known.keys() - wanted.keys() - {""}, "nobody says this any more"
    for text, translated in known.items():
        if text:
            assert placeholders(text) == placeholders(translated), text
            assert text.count("_") == translated.count("_"), f"access key: {text}"
            assert (text[-1] in ".:…") == (translated[-1] in ".:…"), text
            assert not re.search(r"\w\"|\"\w", translated), f"use typographic marks: {translated}"


def test_gettext_reads_what_is_compiled() -> None:
    (messages,) = [data for name, data in catalogues.translations(LOCALE) if name.startswith("locale/de/")]
    german = gettext.GNUTranslations(io.BytesIO(messages))
    assert german.gettext("Nobody says this") == "Nobody says this"
    assert german.gettext("S_trength") == "S_tärke"
    assert german.info()["language"] == "de"


def test_what_is_no_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        catalogues.parse('msgid "a"\nmsgid_plural "b"\nmsgstr ""\n')
    with pytest.raises(ValueError, match="twice"):
        catalogues.parse('msgid "a"\nmsgstr "b"\nmsgid "a"\nmsgstr "c"\n')
    assert catalogues.parse('# x\nmsgid "a"\nmsgstr ""\n"b\\n"\n"c"\n\nmsgid "d"\nmsgstr ""\n') == {
        "a": "b\nc"
    }


def test_the_manual_of_gimp_quotes_what_is_said() -> None:
    """Each sentence of the table of bad situations is one that a text of the program can become."""
    manual = (plugin_sources("gimp") / "README.md").read_text("utf-8")
    table = manual.split("## When it does not work")[1].split("\n\n")
    rows = [
        line.split("|")[2].strip() for part in table for line in part.splitlines() if line.startswith("| ")
    ]
    sentences = [row for row in rows if row not in ("what it says", "---")]
    assert len(sentences) >= 10
    known = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(text)) for text in texts()]
    for sentence in sentences:
        assert any(re.fullmatch(form, sentence) for form in known if form != ".+"), sentence
