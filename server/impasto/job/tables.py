"""Tables of keys and values, as decoded from TOML or JSON: what is wrong with them, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from impasto.errors import JobError, did_you_mean


def checked(cls: type, data: Any, where: str, others: Sequence[str] = ()) -> dict[str, Any]:
    """Return `data` when it is a table with none but the fields of `cls`, and tell of `others` too."""
    if not isinstance(data, dict):
        raise JobError(f"{where} must be a table of keys and values, not {type(data).__name__}.")
    known = [field.name for field in fields(cls)]
    for key in data:
        if key not in known:
            raise JobError(f"Unknown key “{key}” in {where}{did_you_mean(str(key), [*known, *others])}.")
    return data


def non_default(instance: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from their defaults, by name."""
    found = ((field, getattr(instance, field.name)) for field in fields(instance))
    return {field.name: value for field, value in found if value != field.default}


def listed(data: dict[str, Any], name: str, most: int) -> list[Any]:
    """The list called `name`, "regions" or "variants"."""
    tables = data.get(name, [])
    if not isinstance(tables, list) or len(tables) > most:
        raise JobError(f"{name.capitalize()} are a list of at most {most} tables: [[{name[:-1]}]].")
    return tables
