"""Values of a recipe: each checked with one sentence that names its key, and all of them written as text."""

from __future__ import annotations

import json
from string import Formatter
from typing import Any

from impasto.errors import JobError, did_you_mean

Value = float | int | str
"""Of an engine's option."""


def number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JobError(f"{where} must be a number, not {value!r}.")
    if not low <= value <= high:  # nor is NaN
        raise JobError(f"{where} must lie between {low:g} and {high:g}, not {value!r}.")
    return float(value)


def whole(value: Any, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise JobError(f"{where} must be a whole number between {low} and {high}, not {value!r}.")
    return value


def text(value: Any, where: str) -> str:
    try:
        if isinstance(value, str) and value and "\0" not in value and value.encode():
            return value
    except UnicodeEncodeError:  # half a character, which neither TOML nor a socket can carry
        pass
    raise JobError(f"{where} must be text, not {value!r}.")


def pattern(value: Any, where: str) -> str:
    """A file name in which only the bare {stem} and {style} are filled in."""
    name = text(value, where)
    try:
        parts = list(Formatter().parse(name))
    except ValueError:
        parts = [("", "", "", None)]
    # A format such as {stem:>999999999} could fill the memory, an attribute tell internals.
    plain = all(part[1:] in ((None, None, None), ("stem", "", None), ("style", "", None)) for part in parts)
    if not plain or "/" in name or "\\" in name:
        raise JobError(f"{where} must be a pattern such as “{{stem}}-{{style}}”, not {value!r}.")
    return name


def choice(value: Any, where: str, known: tuple[Any, ...]) -> Any:
    # By type as well, because 8.0 and True equal whole numbers.
    if not any(type(value) is type(choice) and value == choice for choice in known):
        choices = [str(choice) for choice in known if choice is not None]
        near = did_you_mean(str(value), choices)
        raise JobError(f"{where} must be one of {', '.join(choices)}, not {value!r}{near}.")
    return value


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise JobError(f"{where} must be true or false, not {value!r}.")
    return value


def options(value: Any) -> tuple[tuple[str, Value], ...]:
    """Numbers and words, sorted by name. Whether they mean something is for the engine to say."""
    if not isinstance(value, dict):
        raise JobError(f"options must be a table of keys and values, not {type(value).__name__}.")
    for name, given in value.items():
        text(name, "The name of an option")
        if isinstance(given, str):
            text(given, f"The option “{name}”")
        else:
            number(given, f"The option “{name}”", -1e9, 1e9)
    return tuple(sorted(value.items()))


def toml(data: dict[str, Any]) -> str:
    """Values, tables and lists of tables, two levels deep, as the text of a TOML file."""

    def value(item: Any) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(value(part) for part in item) + "]"
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{key} = {value(part)}" for key, part in item.items()) + " }"
        if isinstance(item, str):  # a JSON string is a TOML basic string, but for DEL
            return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
        return json.dumps(item)

    lines: list[str] = []
    for name, content in data.items():
        if not isinstance(content, list | dict):
            lines.append(f"{name} = {value(content)}")
            continue
        many = isinstance(content, list)
        for table in content if many else [content]:
            lines += ["", f"[[{name}]]" if many else f"[{name}]"]
            lines += (f"{key} = {value(item)}" for key, item in table.items())
    return "\n".join(lines) + "\n"
