"""Options that are an engine's own: stated as data, given as a look's table `options`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impasto.errors import JobError, did_you_mean
from impasto.values import Value


@dataclass(frozen=True)
class Option:
    """What an option can be; a whole number where `default` is one.

    Attributes:
        meaning: for people, after its name.
        low, high: range of a number.
        choices: of a word.
    """

    default: Value
    meaning: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        return ", ".join(self.choices) if self.choices else f"{self.low:g} to {self.high:g}"

    def fits(self, value: Value) -> bool:
        if self.choices:
            return value in self.choices
        whole = isinstance(self.default, int)
        if isinstance(value, str) or (whole and value != int(value)):
            return False
        return self.low <= value <= self.high


def settled(engine: str, options: Mapping[str, Option], given: Mapping[str, Value]) -> dict[str, Value]:
    """The value of each of an engine's options: what is given, else its default.

    Raises:
        JobError: an option that the engine does not have (with the nearest one), or a value that
            it cannot have.
    """
    for name, value in given.items():
        if name not in options:
            known = did_you_mean(name, list(options)) or (
                f"; it has {', '.join(options)}" if options else "; it has none"
            )
            raise JobError(f"The engine “{engine}” has no option “{name}”{known}.")
        if not options[name].fits(value):
            raise JobError(f"The option “{name}” can be {options[name].range}, not {value!r}.")
    return {name: given.get(name, option.default) for name, option in options.items()}
