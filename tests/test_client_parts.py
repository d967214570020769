"""What both plug-ins share beyond the conversation: looks, clicks, small pictures, the thread."""

from __future__ import annotations

import array
import contextlib
import sys
import time
from typing import Any

import pytest

import daemons
from impasto.client import NoDaemon, connect, looks, planes, qualities, subjects
from impasto.client.courier import Courier
from impasto.engines import technique
from impasto.job import ENGINES, Job, Look
from impasto.selector import CLASSES, WHOLES


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("scream", [("scream", 1.0)]),
        (" scream:2 , great-wave", [("scream", 2.0), ("great-wave", 1.0)]),
        ("C:/a.jpg", [("C:/a.jpg", 1.0)]),
    ],
)
def test_a_style_is_text(text: str, parts: list[Any]) -> None:
    assert looks.parse(text) == parts
    assert looks.parse(looks.phrase(looks.parse(text))) == parts


def test_what_is_enclosed_counts_as_named() -> None:
    assert looks.phrase(looks.with_extras("scream", ["picture"])) == "scream:1, picture:1"
    assert looks.phrase(looks.with_extras("picture:0.2, scream", ["picture"])) == "picture:0.2, scream:1"
    assert looks.phrase(looks.with_extras("", ["layer"])) == "layer"


def test_a_job_is_one_that_the_daemon_takes() -> None:
    package = looks.Package({"picture": ({"kind": "file", "name": "a.jpg"}, b"jpeg")})
    look = package.look({"style": "scream:2, picture:1", "strength": 0.5, "engine": "auto", "scale": 1.0})
    assert look == {
        "style": [{"ref": "scream", "weight": 2.0}, {"ref": "attachment:0", "weight": 1.0}],
        "strength": 0.5,
    }
    assert package.style("picture") == [{"ref": "attachment:0", "weight": 1.0}]
    assert len(package.enclosures) == 1
    assert len(Job.from_json(looks.job(look)).look.style) == 2
    assert looks.title("scream:2, picture:1", {"picture": "a.jpg"}) == "scream + a.jpg"


def test_a_region_goes_without_what_is_the_plug_ins_own() -> None:
    package = looks.Package({})
    told = package.region({"select": "sky", "style": "none", "feather": 3, "name": "Sky", "picks": [[1, 2]]})
    assert told == {"select": "sky", "style": "none", "feather": 3}
    assert looks.region_title({"select": "channel:a", "style": "scream"}, {}) == "channel: scream"
    assert looks.region_title({"select": "sky", "style": "none", "name": "Sky"}, {}) == "Sky: none"


def test_all_that_the_daemon_finds_has_a_title() -> None:
    assert set(subjects.titles(str)) == {*CLASSES, *WHOLES}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_become_rgba(channels: int) -> None:
    colours = {1: (10, 10, 10), 2: (10, 10, 10), 3: (10, 20, 30), 4: (10, 20, 30)}[channels]
    own = {1: (10,), 2: (10, 128), 3: (10, 20, 30), 4: (10, 20, 30, 128)}[channels]
    alpha = 128 if channels in (2, 4) else 255
    assert planes.rgba(bytes(own) * 3, channels) == bytes((*colours, alpha)) * 3
    masked = planes.rgba(bytes(own) * 3, channels, bytes((0, 255, 51)))
    assert masked[3::4] == bytes((0, alpha, round(alpha / 5)))


def test_copies_fit_and_clicks_fall_into_the_layer() -> None:
    assert planes.fitted(4000, 1000, 400, 400) == (400, 100, 0.1)
    assert planes.fitted(20, 10, 400, 400) == (20, 10, 1.0)
    assert planes.fitted(10000, 1, 100, 100)[:2] == (100, 1)
    small = planes.Small(400, 100, 3, b"", 0.1)
    assert small.to_layer(0, 0, 4000, 1000) == (0, 0)
    assert small.to_layer(399.95, 99.95, 4000, 1000) == (3999, 999)
    assert small.to_layer(-5, 500, 4000, 1000) == (0, 999)
    assert small.enclosed_mask(b"x")[0]["channels"] == 1
    assert small.meta() == {"kind": "pixels", "width": 400, "height": 100, "channels": 3, "dtype": "uint8"}


def test_masks_are_bytes() -> None:
    wide = array.array("H", [0, 255, 256, 65535]).tobytes()
    assert planes.as_bytes(wide, "uint16") == bytes((0, 0, 1, 255))
    assert planes.as_bytes(b"abc", "uint8") == b"abc"
    assert planes.stain(bytes((0, 255)), (1, 2, 3), 0.5) == bytes((1, 2, 3, 0, 1, 2, 3, 128))


def test_a_courier_drops_what_is_stale() -> None:
    told: list[str] = []
    with daemons.daemon() as running:
        courier = Courier(running.connect, lambda function: function())

        def work(name: str, seconds: float) -> Any:
            picture = daemons.picture("work", seconds)
            return lambda client, stale: bytes(client.run("{}", picture, name.encode(), None, stale)[1])

        courier.send("preview", work("old", 60), lambda data: told.append(data.decode()), told.append)
        daemons.until(lambda: "begins" in running.log)
        courier.send("preview", work("older", 60), lambda data: told.append(data.decode()), told.append)
        courier.send("preview", work("new", 0.1), lambda data: told.append(data.decode()), told.append)
        assert daemons.until(lambda: told) < 3
        assert told == ["new"]
        courier.send("", lambda client, stale: client.push(99, 0, b"x"), told.append, told.append)
        daemons.until(lambda: len(told) > 1)
        assert "no job 99" in told[1]
        courier.close()


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2])
def test_a_courier_outlives_a_daemon_that_is_killed(delay: float) -> None:
    """At whatever moment: another one is started, and the errand done all the same."""
    told: list[str] = []

    def work(client: Any, _stale: Any) -> str:
        return bytes(client.run("{}", daemons.picture("work", 0.1), b"done")[1]).decode()

    with daemons.daemon() as running:
        command = [sys.executable, daemons.__file__]
        courier = Courier(lambda: connect(command=command), lambda function: function())
        courier.send("", work, told.append, told.append)
        time.sleep(delay)
        running.process.kill()
        daemons.until(lambda: told, 40)
        courier.close()
        running.process.wait(10)
        with contextlib.suppress(NoDaemon), running.connect() as client:  # it was done before
            client.stop()
    assert told == ["done"]


def test_qualities_are_offered_with_what_is_not_installed_and_what_is_set() -> None:
    engines = [{"name": "gallery"}, {"name": "refine", "ready": False}, {"name": "new", "title": "New"}]
    assert qualities.choices(engines, "mine", str) == [
        ("auto", "Fast: at once"),
        ("refine", "Fine: up to a minute (not installed)"),
        ("new", "New"),
        ("mine", "mine"),
    ]
    assert [name for name, _text in qualities.choices([], "auto", str)] == ["auto"]
    assert set(qualities.titles(str)) <= set(ENGINES)


@pytest.mark.parametrize("name", ENGINES)
def test_a_preview_asks_an_engine_only_for_what_it_can(name: str) -> None:
    look = Look.from_dict(qualities.previewed({"engine": name, "style": "scream"}))
    own = {} if name == "auto" else technique(name).options
    for key, value in look.options:
        assert own[key].low <= float(value) < float(own[key].default)
    assert bool(look.options) == (name in qualities.SIZED) == ("size" in own)


def test_what_covers_a_small_copy_is_its_alpha_thinned_by_the_selection() -> None:
    gray = planes.Small(2, 1, 2, bytes((9, 100, 9, 255)), 1.0)
    assert gray.cover == bytes((100, 255))
    assert gray._replace(mask=bytes((255, 51))).cover == bytes((100, 51))
    plain = planes.Small(2, 1, 3, bytes(6), 1.0)
    assert plain.cover is None
    assert plain._replace(mask=b"ab").cover == b"ab"
