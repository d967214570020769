"""The tree of errors is the one that its module draws."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from impasto import errors
from impasto.errors import ImpastoError, by_name, did_you_mean

BRANCH = re.compile(
    r"^ {4}(?P<indent>[│ ]*)[├└]── (?P<name>\w+) +(?P<code>\d+)? *(?P<meaning>.+)$", re.MULTILINE
)


def drawn() -> dict[str, tuple[str, int, bool]]:
    """Parent, code and retry of each class below the root, by its name, as drawn."""
    tree: dict[str, tuple[str, int, bool]] = {}
    path = ["ImpastoError"]
    for match in BRANCH.finditer(errors.__doc__ or ""):
        depth = len(match["indent"]) // 4
        parent = path[depth]
        code = int(match["code"]) if match["code"] else tree[parent][1]
        tree[match["name"]] = parent, code, "a retry can help" in match["meaning"]
        path[depth + 1 :] = [match["name"]]
    return tree


def below(cls: type[ImpastoError]) -> Iterator[type[ImpastoError]]:
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


ALL = [ImpastoError, *below(ImpastoError)]


def test_the_drawing_is_read() -> None:
    assert drawn()["WorkerLost"] == ("DaemonError", 5, True)


def test_the_drawing_is_the_tree() -> None:
    real = {cls.__name__: (cls.__bases__[0].__name__, cls.code, cls.retry) for cls in below(ImpastoError)}
    assert drawn() == real


def test_every_error_of_the_module_is_in_the_tree() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert {cls for cls in classes if issubclass(cls, BaseException)} == set(ALL)


@pytest.mark.parametrize("cls", ALL)
def test_each_error_is_caught_as_the_root_and_keeps_its_sentence(cls: type[ImpastoError]) -> None:
    with pytest.raises(ImpastoError) as caught:
        raise cls("The sky fell down.")
    assert str(caught.value) == "The sky fell down."
    assert caught.value.name == cls.__name__


@pytest.mark.parametrize("cls", ALL)
def test_a_name_leads_back_to_its_class(cls: type[ImpastoError]) -> None:
    assert by_name(cls("any").name) is cls


@pytest.mark.parametrize("name", ["", "Exception", "KeyError", "FromTheFuture", "__class__"])
def test_an_unknown_name_is_the_root(name: str) -> None:
    assert by_name(name) is ImpastoError


def test_did_you_mean_names_what_is_near() -> None:
    known = ["strength", "scale", "seed"]
    assert did_you_mean("strenght", known) == " (did you mean “strength”?)"
    assert did_you_mean("xyz", known) == ""
