"""Jobs: to TOML and JSON and back, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import JobError
from impasto.job import ENGINES, FORMATS, NO_STYLE, VERSION, Job, Look, Output, Region, StyleRef

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
literals = words.filter(lambda text: not set(text) & set("/\\{}"))
refs = st.builds(StyleRef, words, st.floats(0, 1e6))
looks = st.builds(
    Look,
    style=st.lists(refs, max_size=4)
    .map(tuple)
    .filter(lambda blend: not blend or sum(style.weight for style in blend) > 0),
    strength=st.floats(0, 1),
    scale=st.floats(0.25, 4),
    keep_color=st.floats(0, 1),
    detail=st.floats(0, 1),
    engine=st.sampled_from(ENGINES),
    seed=st.integers(0, 2**63 - 1),
    tile=st.booleans(),
    sprite=st.booleans(),
)
outputs = st.builds(
    Output,
    format=st.sampled_from((None, *FORMATS)),
    depth=st.sampled_from((None, 8, 16, 32)),
    quality=st.integers(1, 100),
    size=st.none() | st.integers(1, 1 << 16),
    name=st.lists(st.sampled_from(["{stem}", "{style}", "{{", "}}"]) | literals, min_size=1).map("".join),
    variants=st.sampled_from(["all", "one"]),
)
regions = st.builds(
    Region,
    select=st.sampled_from(["sky", "subject", "points:1,2;-3,4.5", "!sky | grow(water, 3)"]),
    look=looks.filter(lambda look: [style.ref for style in look.style] != [NO_STYLE]),
    feather=st.floats(0, 1e4),
    grow=st.floats(-1e4, 1e4),
)
plain = st.builds(Job, look=looks, output=outputs, regions=st.lists(regions, max_size=3).map(tuple))


@st.composite
def with_variants(draw: st.DrawFn) -> Job:
    """A job with variants, as it is read: each changes some keys of the job."""
    job = draw(plain)
    data, listed = job.to_dict(), []
    for number in range(draw(st.integers(1, 3))):
        other = draw(plain).to_dict()
        changes = other.get("look", {}) | other.get("output", {})
        keys = draw(st.sets(st.sampled_from([*changes]))) if changes else set()
        changes = {key: changes[key] for key in keys - {"variants"}} | {"name": f"{number}"}
        listed.append(changes | ({"region": other["region"]} if "region" in other else {}))
    return Job.from_dict(data | {"variant": listed})


jobs = plain | with_variants()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(jobs)
def test_a_job_survives_toml(job: Job) -> None:
    assert Job.from_toml(job.to_toml()) == job


@given(jobs)
def test_a_job_survives_json(job: Job) -> None:
    assert Job.from_json(job.to_json()) == job


@given(jobs)
def test_a_job_survives_utf8(job: Job) -> None:
    assert Job.from_toml(job.to_toml().encode().decode()) == job
    assert Job.from_json(job.to_json().encode().decode()) == job


@given(jobs)
def test_defaults_are_left_out(job: Job) -> None:
    data = job.to_dict()
    assert data.pop("version") == VERSION
    for part, default in (("look", Look()), ("output", Output())):
        present = data.get(part, {})
        differs = {key for key in vars(default) if getattr(getattr(job, part), key) != getattr(default, key)}
        assert present.keys() == differs
        assert (part in data) == bool(differs)


def test_a_recipe_stays_short() -> None:
    assert Job().to_toml() == f"version = {VERSION}\n"
    assert Job(Look((StyleRef("kiss"),), strength=0.5)).to_toml() == (
        f'version = {VERSION}\n\n[look]\nstyle = "kiss"\nstrength = 0.5\n'
    )


def test_a_recipe_as_people_write_it() -> None:
    recipe = """
        [look]
        style = [{ ref = "great-wave", weight = 2 }, "kiss"]
        strength = 1
        [output]
        format = "png"
        depth = 16
    """
    blend = (StyleRef("great-wave", 2.0), StyleRef("kiss"))
    assert Job.from_toml(recipe) == Job(Look(blend), Output("png", 16))


@pytest.mark.parametrize(
    ("data", "key", "meant", "where"),
    [
        ({"lok": {}}, "lok", "look", "the job"),
        ({"outputs": {}}, "outputs", "output", "the job"),
        ({"look": {"strenght": 1}}, "strenght", "strength", "look"),
        ({"look": {"keep_colour": 1}}, "keep_colour", "keep_color", "look"),
        ({"look": {"style": {"ref": "kiss", "wieght": 1}}}, "wieght", "weight", "style"),
        ({"look": {"style": ["kiss", {"reff": "kiss"}]}}, "reff", "ref", "style"),
        ({"output": {"fromat": "png"}}, "fromat", "format", "output"),
        ({"region": [{"select": "sky", "feathr": 1}]}, "feathr", "feather", "region"),
        ({"region": [{"select": "sky", "strenght": 1}]}, "strenght", "strength", "region"),
    ],
)
def test_an_unknown_key_names_the_nearest(data: Any, key: str, meant: str, where: str) -> None:
    with pytest.raises(JobError) as caught:
        Job.from_dict(data)
    assert str(caught.value) == f"Unknown key “{key}” in {where} (did you mean “{meant}”?)."


def test_a_region_has_the_looks_keys_where_it_has_none_of_its_own() -> None:
    job = Job.from_toml(
        """
        [look]
        style = "scream"
        strength = 0.5
        [[region]]
        select = "sky"
        strength = 1
        [[region]]
        select = "person"
        style = "none"
        feather = 8
        """
    )
    sky, person = job.regions
    assert sky == Region("sky", Look(style=(StyleRef("scream"),)))
    assert person == Region("person", Look(strength=0.5), feather=8)
    assert list(job.looks()) == [job.look, sky.look]


@pytest.mark.parametrize(
    ("region", "part"),
    [
        ({}, "“select” of a region must be text"),
        ({"select": "skyy"}, "did you mean “sky”"),
        ({"select": "sky", "feather": -1}, "feather must lie between 0"),
        ({"select": "sky", "grow": "wide"}, "grow must be a number"),
        ("sky", "A region must be a table"),
    ],
)
def test_a_region_that_is_none(region: Any, part: str) -> None:
    with pytest.raises(JobError, match=part):
        Job.from_dict({"region": [region]})
    with pytest.raises(JobError, match="Regions are a list"):
        Job.from_dict({"region": region})


def test_too_many_regions() -> None:
    with pytest.raises(JobError, match="at most 256"):
        Job.from_dict({"region": [{"select": "sky"}] * 257})


def test_the_label_names_the_styles() -> None:
    base = {"style": ["kiss", "a/b.png"]}
    region = {"select": "sky", "style": "scream"}
    assert Job.from_dict({"look": base, "region": [region]}).label == "kiss+b"
    assert Job.from_dict({"region": [region, region]}).label == "scream"


THREE = """
[look]
style = "great-wave"
strength = 0.8

[[region]]
select = "subject"
keep_color = 1.0

[output]
format = "png"

[[variant]]

[[variant]]
style = "kiss"
size = 800

[[variant]]
style = "scream"
strength = 1.0
name = "{stem} loud"
"""


def test_variants_change_keys_of_the_job() -> None:
    job = Job.from_toml(THREE)
    first, second, third = job.for_picture(b"1")
    assert (first.look, first.output, first.regions) == (job.look, job.output, job.regions)
    assert (second.label, second.look.strength, second.output.size) == ("kiss", 0.8, 800)
    assert second.output.format == third.output.format == "png"
    assert (third.label, third.look.strength, third.output.name) == ("scream", 1.0, "{stem} loud")
    assert second.regions[0].look.style == second.look.style
    assert not any(variant.variants for variant in job.variants)
    assert Job().for_picture(b"1") == (Job(),)


def test_a_picture_gets_one_of_the_variants_always_the_same() -> None:
    job = Job.from_toml(THREE.replace('"png"', '"png"\nvariants = "one"'))
    chosen = [job.for_picture(bytes([number])) for number in range(9)]
    assert {len(own) for own in chosen} == {1}
    assert chosen == [job.for_picture(bytes([number])) for number in range(9)]
    assert {own[0].label for own in chosen} == {"great-wave", "kiss", "scream"}


@pytest.mark.parametrize(
    ("variants", "part"),
    [
        ([{"strenght": 1}], "“strenght” in variant .*“strength”"),
        ([{"variants": "one"}], "Unknown key “variants”"),
        ([{"scale": 9}], "scale must lie between"),
        ([3], "A variant must be a table"),
        ({}, "Variants are a list"),
        ([{"style": str(number)} for number in range(65)], "at most 64"),
        ([{"style": "kiss"}, {"style": "kiss", "size": 800}], "Variants 1 and 2 would have one name"),
        ([{"format": "png"}, {"size": 8}], "Variants 1 and 2 would have one name"),
    ],
)
def test_variants_that_are_none(variants: Any, part: str) -> None:
    with pytest.raises(JobError, match=part):
        Job.from_dict({"variant": variants})


def test_variants_of_one_name_but_several_formats() -> None:
    job = Job.from_dict({"variant": [{"format": "png"}, {"format": "jpeg"}]})
    assert len(job.for_picture(b"")) == 2


def test_a_key_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(JobError, match=r"^Unknown key “zzz” in look\.$"):
        Job.from_dict({"look": {"zzz": 1}})


NOT_A_NUMBER = [None, True, "1", [1], {}, float("nan"), float("inf"), -float("inf"), 10**400]
NOT_WHOLE = [*NOT_A_NUMBER, 1.0, 1.5]
NOT_A_NAME = [None, True, 1, "", [], {}, "nul\0", "half \ud800"]
WRONG = {
    ("look", "strength"): [*NOT_A_NUMBER, -0.1, 1.1],
    ("look", "scale"): [*NOT_A_NUMBER, 0, 0.2, 4.1],
    ("look", "keep_color"): [*NOT_A_NUMBER, -0.1, 1.1],
    ("look", "detail"): [*NOT_A_NUMBER, -0.1, 1.1],
    ("look", "engine"): [None, True, 1, "", "galery", ["gallery"]],
    ("look", "seed"): [*NOT_WHOLE, -1, 2**63],
    ("output", "format"): [True, 1, "", "jpg", "PNG", ["png"]],
    ("output", "depth"): [True, 0, 12, 64, 8.0, "8", [8]],
    ("look", "tile"): [None, 0, 1, "true"],
    ("look", "sprite"): [None, 0, 1, "true"],
    ("output", "size"): [True, 0, -1, "800", 800.0, 1 << 17],
    ("output", "variants"): [None, True, "", "each"],
    ("output", "quality"): [*NOT_WHOLE, 0, 101],
    ("output", "name"): [
        *NOT_A_NAME,
        "a/b",
        "a\\b",
        "{",
        "}",
        "{}",
        "{0}",
        "{other}",
        "{stem!r}",
        "{stem.__class__}",
        "{stem[0]}",
        "{stem:>999999999999}",
    ],
}


@pytest.mark.parametrize(
    ("part", "key", "value"), [(*at, bad) for at, values in WRONG.items() for bad in values]
)
def test_a_wrong_value_is_one_sentence_naming_its_key(part: str, key: str, value: Any) -> None:
    with pytest.raises(JobError) as caught:
        Job.from_dict({part: {key: value}})
    sentence = str(caught.value)
    assert key in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("value", NOT_A_NAME)
def test_a_style_needs_a_name(value: Any) -> None:
    for style in ([value], {"ref": value}, ["kiss", {"ref": value}]):
        with pytest.raises(JobError, match="style"):
            Look.from_dict({"style": style})


@pytest.mark.parametrize("weight", [*NOT_A_NUMBER, -1, 2e6])
def test_a_weight_is_a_number(weight: Any) -> None:
    with pytest.raises(JobError, match=r"^The weight of style “kiss” must .+\.$"):
        StyleRef.from_dict({"ref": "kiss", "weight": weight})


def test_weights_are_not_all_zero() -> None:
    silent = {"ref": "kiss", "weight": 0}
    assert Look.from_dict({"style": [silent, "scream"]}).style[0].weight == 0
    with pytest.raises(JobError, match="weight above 0"):
        Look.from_dict({"style": [silent, silent]})


@pytest.mark.parametrize(("part", "where"), [("look", "look"), ("output", "output"), (None, "the job")])
@pytest.mark.parametrize("value", [None, True, 1, "text", []])
def test_a_table_is_a_table(part: str | None, where: str, value: Any) -> None:
    with pytest.raises(JobError, match=f"^{where} must be a table"):
        Job.from_dict({part: value} if part else value)


@pytest.mark.parametrize("version", [0, 2, -1, None, "1", 1.0, True, [1]])
def test_another_version_is_refused(version: Any) -> None:
    with pytest.raises(JobError, match=f"this Impasto knows version {VERSION}"):
        Job.from_dict({"version": version})


def test_a_job_without_a_version_is_of_this_one() -> None:
    assert Job.from_dict({}) == Job.from_dict({"version": VERSION}) == Job()


@given(anything)
def test_whatever_comes_is_a_job_or_a_job_error(data: Any) -> None:
    for shape in (
        data,
        {"look": data},
        {"output": data},
        {"look": {"style": data}},
        {"version": data},
        {"region": data},
        {"region": [data]},
        {"variant": data},
        {"variant": [data]},
    ):
        try:
            job = Job.from_dict(shape)
        except JobError:
            continue
        assert Job.from_toml(job.to_toml()) == job


@pytest.mark.parametrize("read", [Job.from_json, Job.from_toml])
@pytest.mark.parametrize("text", ["{", "= 1", "[look", '"', "\0", "[" * 100_000, "seed = [" + "[" * 100_000])
def test_what_is_not_json_or_toml_is_a_job_error(read: Callable[[str], Job], text: str) -> None:
    with pytest.raises(JobError, match="not valid"):
        read(text)


def test_numbers_beyond_all_measure_are_a_job_error() -> None:
    digits = "9" * 5000  # more than Python turns into a whole number
    with pytest.raises(JobError):
        Job.from_json(f'{{"look": {{"seed": {digits}}}}}')
    with pytest.raises(JobError):
        Job.from_toml(f"[look]\nseed = {digits}")
    with pytest.raises(JobError):
        Job.from_toml(f"[look]\nseed = 0x{'f' * 5000}")
    with pytest.raises(JobError):
        Job.from_json('{"look": {"strength": 1e999}}')


@given(words.filter(lambda text: ":" not in text), st.floats(0, 1e6))
def test_a_style_and_its_weight_on_the_command_line(name: str, weight: float) -> None:
    assert StyleRef.parse(name) == StyleRef(name)
    assert StyleRef.parse(f"{name}:{weight!r}") == StyleRef(name, weight)


@pytest.mark.parametrize(
    "text", ["", ":", ":1", "kiss:", "kiss:much", "kiss:-1", "kiss:nan", "kiss:inf", "a:b:c"]
)
def test_what_is_no_style_on_the_command_line(text: str) -> None:
    with pytest.raises(JobError, match="style"):
        StyleRef.parse(text)


@given(jobs)
def test_equal_jobs_have_one_hash(job: Job) -> None:
    assert hash(job) == hash(Job.from_json(json.dumps(job.to_dict())))
