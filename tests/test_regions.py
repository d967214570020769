"""Masks by shape and tone, and pictures painted in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto import raster
from impasto.backends import Parcel
from impasto.backends.work import perform
from impasto.errors import JobError, UsageError
from impasto.job import Job, Look, Region
from impasto.paint import paint
from impasto.raster import Raster
from impasto.regions import Selection
from impasto.regions.shapes import FULL, Values, cropped, feathered, grown, joined
from impasto.styles.sources import Attachment

EXAMPLE = Path(__file__).parents[1] / "examples" / "roman-colosseum.jpg"
WAVE = Look.from_dict({"style": "great-wave"})


def silent(fraction: float, what: str) -> None:
    pass


def photo(height: int = 120, width: int = 160, dtype: str = "uint8", alpha: bool = False) -> Raster:
    random = np.random.default_rng(1)
    coarse = random.random((height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    values = (0.8 * coarse + 0.2 * random.random(coarse.shape)).astype(np.float32)
    pixels = raster.quantise(values, dtype)
    own = raster.quantise(random.random(pixels.shape[:2]), dtype) if alpha else None
    return Raster(pixels, own)


def painted_mask(values: np.ndarray) -> Attachment:
    own = Raster(np.ascontiguousarray(values)[..., None])
    return Attachment("mask.png", None, lambda: np.zeros((1, 1, 3), np.float32), lambda: own)


def block(height: int, width: int, rows: slice, columns: slice, dtype: str = "uint8") -> np.ndarray:
    mask = np.zeros((height, width), dtype)
    mask[rows, columns] = np.iinfo(dtype).max
    return mask


masks = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1)).map(
    lambda made: (np.random.default_rng(made[2]).random(made[:2]) > 0.8).astype(np.uint16) * np.uint16(FULL)
)


@given(masks, st.floats(0, 8))
def test_a_mask_grows_by_a_disc(values: Values, distance: float) -> None:
    rows, columns = np.indices(values.shape)
    expected = values.copy()
    for row, column in np.argwhere(values):
        expected[(rows - row) ** 2 + (columns - column) ** 2 <= distance**2] = FULL
    assert (grown(values, distance) == expected).all()
    assert (grown(FULL - values, -distance) == FULL - expected).all()


def test_a_mask_that_grows_far_grows_about_as_far() -> None:
    values = block(400, 400, slice(200, 201), slice(200, 201), "uint16")
    rows, columns = np.nonzero(grown(values, 60) > FULL // 2)
    assert np.hypot(rows - 200, columns - 200).max() == pytest.approx(60, abs=9)
    assert (grown(values, 60) > FULL // 2).sum() == pytest.approx(np.pi * 60**2, rel=0.2)


@settings(deadline=None)
@given(masks, st.integers(0, 30))
def test_a_feather_reaches_so_far_and_no_farther(values: Values, distance: int) -> None:
    soft = feathered(values, distance)
    near = np.zeros(values.shape, bool)
    for row, column in np.argwhere(values):
        near[
            max(0, row - distance) : row + distance + 1, max(0, column - distance) : column + distance + 1
        ] = True
    assert not soft[~near].any()
    assert (feathered(np.full_like(values, FULL), distance) == FULL).all()


def test_a_feather_falls_evenly() -> None:
    soft = feathered(block(9, 200, slice(None), slice(100, None), "uint16"), 20)
    assert (soft[0] == soft[8]).all()
    steps = np.diff(soft[4].astype(int))
    assert (steps >= 0).all()
    assert soft[4, 79] == 0
    assert soft[4, 120] == FULL
    assert steps.max() < FULL / 15


def test_masks_are_joined() -> None:
    left, right = np.array([[0, FULL, FULL, 100]], np.uint16), np.array([[0, 0, FULL, 300]], np.uint16)
    assert joined("|", left, right).tolist() == [[0, FULL, FULL, 300]]
    assert joined("&", left, right).tolist() == [[0, 0, FULL, 100]]
    assert joined("-", left, right).tolist() == [[0, FULL, 0, 100]]


def test_an_empty_mask_has_no_part() -> None:
    assert cropped(np.zeros((3, 4), np.uint16)) is None
    mask = cropped(np.array([[0, 0, 0], [0, 7, 0], [0, 0, 9]], np.uint16))
    assert mask is not None
    assert (mask.left, mask.top, mask.values.tolist()) == (1, 1, [[7, 0], [0, 9]])


def test_tones_are_selected() -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = (64, 128, 192)
    pixels[:, 20:] = 255
    selection = Selection(Raster(pixels))

    def selected(text: str) -> list[int]:
        values = selection.region(Region(text))
        assert (values == values[:1]).all()
        return [int(n) for n in values[0, ::10]]

    assert selected("luminance:0.9-1") == [0, 0, FULL]
    assert selected("luminance:0-0.1") == [FULL, 0, 0]
    assert selected("color:#4080c0") == [0, FULL, 0]
    assert selected("!color:#4080c0 & luminance:0.5-1") == [0, 0, FULL]
    assert selected("(luminance:0-1 - color:#000000) | color:#000000") == [FULL, FULL, FULL]


def test_what_a_painted_mask_counts_by() -> None:
    light = np.array([[0, 128, 255]], np.uint8)
    empty = np.zeros((1, 3), np.uint8)
    gray, colour = light[..., None], light[..., None].repeat(3, 2)
    cases = [
        (Raster(gray), light),
        (Raster(colour), light),
        (Raster(colour, light[:, ::-1].copy()), light[:, ::-1]),
        (Raster(gray, np.full_like(light, 255)), light),
        (Raster(gray, empty), empty),
        (Raster(gray.astype(np.uint16) * 257), light),
    ]
    for mask, expected in cases:
        attached = Attachment("m", None, lambda: np.zeros((1, 1, 3), np.float32), lambda own=mask: own)
        values = Selection(Raster(np.zeros((1, 3, 3), np.uint8)), [attached]).region(Region("attachment:0"))
        assert values.tolist() == (expected.astype(int) * 257).tolist()


def test_a_mask_of_another_size_is_refused() -> None:
    selection = Selection(photo(), [painted_mask(np.zeros((10, 20), np.uint8))])
    with pytest.raises(JobError, match=r"mask\.png” has 20 x 10 pixels and the picture 160 x 120"):
        selection.region(Region("attachment:0"))
    with pytest.raises(JobError, match="did not come along"):
        selection.region(Region("attachment:1"))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_outside_the_feather_nothing_changes(dtype: str, alpha: bool) -> None:
    source = photo(dtype=dtype, alpha=alpha)
    if dtype.startswith("float"):
        source.pixels.setflags(write=True)
        source.pixels[0, 0] = np.inf
        source.pixels[1, 1] = np.nan
    mask = block(120, 160, slice(40, 90), slice(60, 120))
    region = Region("attachment:0", WAVE, feather=10)
    result = paint(source, Look(), silent, [painted_mask(mask)], [region]).raster
    inside = feathered(mask.astype(np.uint16) * 257, 10) > 0
    changed = (result.pixels != source.pixels).any(-1) & ~np.isnan(source.pixels.astype(np.float32)).any(-1)
    assert not changed[~inside].any()
    assert changed[50:80, 70:110].mean() > 0.9
    assert inside.sum() < inside.size / 2
    if source.alpha is not None:
        assert result.alpha is not None
        assert (result.alpha == source.alpha).all()


def test_inside_a_region_it_is_painted_as_much_as_without() -> None:
    source = raster.load(EXAMPLE)
    mask = block(source.height, source.width, slice(300, 900), slice(200, 1100))
    whole = paint(source, WAVE, silent).raster
    part = paint(source, Look(), silent, [painted_mask(mask)], [Region("attachment:0", WAVE)]).raster
    inside = slice(320, 880), slice(220, 1080)

    def change(result: Raster) -> float:
        return float(np.abs(result.pixels[inside].astype(float) - source.pixels[inside]).mean())

    assert change(part) >= 0.95 * change(whole)


def test_later_regions_lie_over_earlier_ones() -> None:
    source = photo()
    left = block(120, 160, slice(None), slice(0, 100))
    right = block(120, 160, slice(None), slice(60, None))
    attachments = [painted_mask(left), painted_mask(right)]
    plain = Region("attachment:1", Look())
    wave = Region("attachment:0", WAVE)
    under = paint(source, Look(), silent, attachments, [wave, plain]).raster
    over = paint(source, Look(), silent, attachments, [plain, wave]).raster
    assert (under.pixels[:, 60:] == source.pixels[:, 60:]).all()
    assert (over.pixels[:, 100:] == source.pixels[:, 100:]).all()
    assert (under.pixels[:, :60] != source.pixels[:, :60]).any(-1).mean() > 0.9
    assert (over.pixels[:, 60:100] != source.pixels[:, 60:100]).any(-1).mean() > 0.9


def test_a_region_that_stays_as_it_is_in_a_painted_picture() -> None:
    source = photo()
    mask = block(120, 160, slice(30, 60), slice(30, 60))
    result = paint(source, WAVE, silent, [painted_mask(mask)], [Region("attachment:0", Look())]).raster
    changed = (result.pixels != source.pixels).any(-1)
    assert not changed[30:60, 30:60].any()
    assert changed[70:, 70:].mean() > 0.9


@pytest.mark.parametrize(
    ("base", "regions"),
    [
        (Look(), [Region("attachment:0", WAVE), Region("attachment:0", WAVE, feather=5)]),
        (WAVE, [Region("!attachment:0", Look())]),
        (Look.from_dict(WAVE.to_dict() | {"strength": 0}), [Region("!attachment:0", Look())]),
        (Look(), [Region("!attachment:0", WAVE), Region("!attachment:0", Look())]),
    ],
)
def test_a_job_that_paints_nothing_returns_its_input(base: Look, regions: list[Region]) -> None:
    source = photo()
    empty = painted_mask(np.zeros((120, 160), np.uint8))
    assert (paint(source, base, silent, [empty], regions).raster.pixels == source.pixels).all()


def test_a_full_mask_is_the_whole_picture() -> None:
    source = photo()
    full = painted_mask(np.full((120, 160), 255, np.uint8))
    whole = paint(source, WAVE, silent).raster.pixels.astype(int)
    part = paint(source, Look(), silent, [full], [Region("attachment:0", WAVE)]).raster.pixels
    assert np.abs(whole - part).mean() < 0.5


def test_one_pixel_is_painted_alone() -> None:
    source = photo()
    one = painted_mask(block(120, 160, slice(50, 51), slice(70, 71)))
    look = Look.from_dict({"style": "scream"})
    result = paint(source, Look(), silent, [one], [Region("attachment:0", look)]).raster.pixels
    assert np.argwhere((result != source.pixels).any(-1)).tolist() == [[50, 70]]


def test_forty_regions_in_one_job() -> None:
    source = photo(240, 320)
    styles = ["great-wave", "scream", "kiss", "udnie"]
    attachments, regions = [], []
    for number in range(40):
        row, column = divmod(number, 8)
        cell = slice(row * 48, row * 48 + 40), slice(column * 40, column * 40 + 32)
        attachments.append(painted_mask(block(240, 320, *cell)))
        look = Look.from_dict({"style": styles[number % 4], "strength": 1 - number / 80})
        regions.append(Region(f"attachment:{number}", look))
    seen: list[float] = []
    result = paint(source, Look(), lambda done, what: seen.append(done), attachments, regions).raster.pixels
    changed = (result != source.pixels).any(-1)
    inside = np.zeros((240, 320), bool)
    for number in range(40):
        row, column = divmod(number, 8)
        inside[row * 48 : row * 48 + 40, column * 40 : column * 40 + 32] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9
    assert seen == sorted(seen)
    assert max(seen) <= 1


def test_regions_without_any_style_are_refused() -> None:
    with pytest.raises(UsageError, match="No style is chosen"):
        paint(photo(), Look(), silent, [], [Region("luminance:0-1", Look())])


@pytest.mark.parametrize(("dtype", "alpha"), [("uint8", False), ("uint8", True), ("uint16", True)])
def test_layers_make_the_picture_again(dtype: str, alpha: bool) -> None:
    source = photo(dtype=dtype, alpha=alpha)
    data, meta = raster.to_pixels(source)
    mask = block(120, 160, slice(20, 70), slice(30, 90), dtype)
    mask[44, 44] = 90
    enclosed = Parcel(
        mask.tobytes(), {"kind": "pixels", "width": 160, "height": 120, "channels": 1, "dtype": dtype}
    )
    job = {
        "look": {"style": "kiss"},
        "region": [
            {"select": "attachment:0", "style": "scream", "feather": 4},
            {"select": "attachment:0 & luminance:0-0.5", "style": "none"},
            {"select": "attachment:0 & !luminance:0-1", "style": "great-wave"},
        ],
    }
    whole = perform(Job.from_dict(job), Parcel(data, meta, (enclosed,)), silent)
    parts = perform(
        Job.from_dict(job | {"output": {"deliver": "layers"}}), Parcel(data, meta, (enclosed,)), silent
    )
    entries = parts.meta["layers"]
    assert [entry["region"] for entry in entries] == [-1, 0, 1]
    canvas = np.zeros(source.pixels.shape, np.float64)
    channels = 4 if alpha else 3
    for entry in entries:
        x, y, width, height = (entry[key] for key in ("x", "y", "width", "height"))
        flat = np.frombuffer(parts.data, np.uint8)[entry["offset"] : entry["offset"] + entry["size"]]
        own = flat.view(dtype).reshape(height, width, channels)[..., :3]
        weight = np.ones((height, width, 1))
        if "mask" in entry:
            place = entry["mask"]
            assert place["dtype"] == dtype
            flat = np.frombuffer(parts.data, np.uint8)[place["offset"] : place["offset"] + place["size"]]
            weight = flat.view(dtype).reshape(height, width, 1) / np.iinfo(dtype).max
        under = canvas[y : y + height, x : x + width]
        canvas[y : y + height, x : x + width] = under + (own - under) * weight
    expected = np.frombuffer(whole.data, dtype).reshape(120, 160, channels)[..., :3]
    visible = np.ones((120, 160), bool) if source.alpha is None else source.alpha > 0
    # Layers are rounded one by one.
    assert np.abs(canvas - expected)[visible].max() <= 2


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_masks_come_back_exactly(dtype: str) -> None:
    source = photo(dtype=dtype)
    data, meta = raster.to_pixels(source)
    mask = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (120, 160), dtype, endpoint=True)
    enclosed = Parcel(
        mask.tobytes(), {"kind": "pixels", "width": 160, "height": 120, "channels": 1, "dtype": dtype}
    )
    job = {
        "region": [{"select": "attachment:0"}, {"select": "!attachment:0"}],
        "output": {"deliver": "masks"},
    }
    result = perform(Job.from_dict(job), Parcel(data, meta, (enclosed,)), silent)
    same, other = (
        np.frombuffer(result.data, np.uint8)[entry["offset"] : entry["offset"] + entry["size"]].view(dtype)
        for entry in result.meta["layers"]
    )
    assert (same == mask.ravel()).all()
    assert (other == np.iinfo(dtype).max - mask.ravel()).all()


def test_stopping_while_regions_are_painted() -> None:
    regions = [
        Region("luminance:0-0.5", WAVE),
        Region("luminance:0.5-1", Look.from_dict({"style": "scream"})),
    ]
    stop: Callable[[float], bool]
    for stop in (lambda done: done > 0.03, lambda done: done > 0.3, lambda done: done > 0.85):

        def progress(done: float, what: str, stop: Callable[[float], bool] = stop) -> None:
            if stop(done):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            paint(photo(), Look(), progress, [], regions)
    assert paint(photo(), Look(), silent, [], regions).raster.pixels.any()
