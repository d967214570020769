"""Selectors in words: read, written back, refused with a sentence."""

from __future__ import annotations

import contextlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import JobError
from impasto.selector import (
    CLASSES,
    WHOLES,
    Box,
    Changed,
    Colour,
    Luminance,
    Named,
    Not,
    Painted,
    Pair,
    Points,
    Segment,
    Selector,
    parse,
    parts,
    with_masks,
)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("sky", Named("sky")),
        ("points:1,2;-30,4.5", Points(((1, 2, True), (30, 4.5, False)))),
        ("box:9,8,1,2", Box((1, 2, 9, 8))),
        ("segment:7", Segment(7)),
        ("attachment:3", Painted("attachment:3")),
        ('mask:"a, (b).png"', Painted("a, (b).png")),
        ("luminance:0.8-0.25", Luminance(0.25, 0.8)),
        ("color:#4080C0,0.2", Colour((64, 128, 192), 0.2)),
        ("!sky", Not(Named("sky"))),
        ("!!sky", Named("sky")),
        ("sky | water & person", Pair("|", Named("sky"), Pair("&", Named("water"), Named("person")))),
        ("sky - water - person", Pair("-", Pair("-", Named("sky"), Named("water")), Named("person"))),
        ("sky -(water)", None),
        ("grow(points:1,2, 3)", Changed("grow", Points(((1, 2, True),)), 3)),
        ("feather(shrink(sky, 2), 4)", Changed("feather", Changed("shrink", Named("sky"), 2), 4)),
    ],
)
def test_reading(text: str, selector: Selector | None) -> None:
    if selector is None:
        with pytest.raises(JobError, match="selector"):
            parse(text)
    else:
        assert parse(text) == selector
        assert parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "a name is missing at its end"),
        ("skyy", "did you mean “sky”"),
        ("sky sky", "“sky” is not expected"),
        ("(sky", "“)” is expected at its end"),
        ("sky & | water", "a name is missing before “|”"),
        ("grow(sky)", "“,” is expected"),
        ("grew(sky, 3)", "did you mean “grow”"),
        ("points:1", "a point has two numbers"),
        ("points:1,nan", "must lie between"),
        ("box:1,2,3", "a box has four numbers"),
        ("segment:0", "between 1 and 65535"),
        ("segment:1.5", "a whole number"),
        ("mask:", "a file is missing"),
        ("luminance:bright", "needs a range"),
        ("color:red", "color:#4080c0"),
        ("(" * 60 + "sky", "nested deeper"),
        ("a" * 20_000, "at most"),
        ("sky; water", "is not understood"),
    ],
)
def test_refusing(text: str, part: str) -> None:
    with pytest.raises(JobError, match=re.escape(part)):
        parse(text)


amounts = st.integers(0, 500).map(float)
atoms = st.one_of(
    st.sampled_from([*CLASSES, *WHOLES]).map(Named),
    st.lists(st.tuples(amounts, amounts, st.booleans()), min_size=1).map(lambda ps: Points(tuple(ps))),
    st.text(string.printable + "äß„“", min_size=1).map(Painted),
    st.integers(1, 65_535).map(Segment),
)
selectors = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Pair, st.sampled_from("&|-"), inner, inner),
        st.builds(Changed, st.sampled_from(["grow", "shrink", "feather"]), inner, amounts),
        inner.filter(lambda one: not isinstance(one, Not)).map(Not),
    ),
    max_leaves=12,
)


@given(selectors)
def test_what_is_written_is_read_back(selector: Selector) -> None:
    assert parse(str(selector)) == selector


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(JobError):
        assert parse(str(parse(text))) == parse(text)


def test_masks_are_renamed() -> None:
    selector = parse("grow(mask:a.png, 2) | !(sky & mask:b.png)")
    assert str(with_masks(selector, lambda ref: f"attachment:{ord(ref[0]) - 97}")) == (
        "grow(attachment:0, 2) | !(sky & attachment:1)"
    )
    assert [part for part in parts(selector) if isinstance(part, Painted)] == [
        Painted("a.png"),
        Painted("b.png"),
    ]
