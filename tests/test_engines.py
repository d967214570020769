"""The engines that look at pictures: their formulas, their limits, and what they do without weights."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.cli import main
from impasto.engines import Engine, engine, pictures, technique
from impasto.engines.adain import STYLE_AREA
from impasto.errors import Cancelled, JobError, ModelMissing, UsageError
from impasto.job import ENGINES, Job, Look, StyleRef
from impasto.models import gallery, store
from impasto.raster import load
from impasto.raster.sampling import resized
from impasto.styles.sources import Attachment, StyleSource, sources
from mirror import MIRROR, import_models

torch = pytest.importorskip("torch", reason="torch is not installed")
F = torch.nn.functional

PICTURES = ("refine", "optimise", "adain", "wct")
"""Engines that look at style pictures."""

QUICK = (("size", 960), ("steps", 4))
"""Options of a short optimisation at full working size, which for the small pictures here is their own."""


def picture(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def source(pixels: np.ndarray | None, weight: float = 1.0) -> StyleSource:
    return StyleSource("painting.jpg", "painting", weight, None, pixels)


WHOLE = {"refine": (("start", "content"),)}
"""What the gallery's network paints depends on all of a picture."""

STYLE = (source(picture(40, 50, 1)),)

PHOTO = Path(__file__).parents[1] / "examples/lake-sherburne.jpg"


def nothing() -> None:
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The published weights, imported into a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        import_models(*{name for each in PICTURES for name in technique(each).weights})
        engine.cache_clear()
        yield
    engine.cache_clear()


@pytest.fixture(params=PICTURES)
def painter(request: pytest.FixtureRequest, weights: object) -> Engine:
    return engine(request.param)


def look(painter: Engine, *options: tuple[str, Any]) -> Look:
    """A look that paints quickly."""
    return Look(options=(*(QUICK if "steps" in painter.options else ()), *options))


@pytest.mark.parametrize("name", ENGINES[1:])
def test_an_engine_states_what_it_is(name: str) -> None:
    kind = technique(name)
    assert kind.name == name
    assert kind.title and kind.paper and kind.speed
    assert all(option.fits(option.default) and option.meaning for option in kind.options.values())
    assert all(store.find(model) for model in kind.weights)


def test_adain_is_the_published_formula(weights: object) -> None:
    """Written again from the paper's reference implementation, step by step."""
    vgg, decoder = (
        torch.load(MIRROR / name, weights_only=True) for name in ("vgg_normalised.pth", "adain_decoder.pth")
    )

    def conv(x: Any, saved: dict[str, Any], name: str) -> Any:
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, saved[f"{name}.weight"], saved[f"{name}.bias"])

    def encode(pixels: np.ndarray) -> Any:
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        x = F.conv2d(x, vgg["0.weight"], vgg["0.bias"])
        for name in ("2", "5", "pool", "9", "12", "pool", "16", "19", "22", "25", "pool", "29"):
            x = F.max_pool2d(x, 2, 2, 0, ceil_mode=True) if name == "pool" else conv(x, vgg, name).relu()
        return x

    def moments(x: Any) -> tuple[Any, Any]:
        flat = x.view(1, 512, -1)
        return flat.mean(2).view(1, 512, 1, 1), (flat.var(2) + 1e-5).sqrt().view(1, 512, 1, 1)

    photo, style = picture(72, 88), picture(64, 80, 1)
    content = encode(photo)
    (mean, deviation), (to_mean, to_deviation) = moments(content), moments(encode(style))
    x = (content - mean) / deviation * to_deviation + to_mean
    for name in ("1", "up", "5", "8", "11", "14", "up", "18", "21", "up", "25"):
        x = (
            F.interpolate(x, scale_factor=2, mode="nearest")
            if name == "up"
            else conv(x, decoder, name).relu()
        )
    expected = conv(x, decoder, "28")[0].permute(1, 2, 0).numpy().clip(0, 1)
    painted = engine("adain").paint(photo, (source(style),), Look(), nothing)
    assert np.abs(painted - expected).max() < 1e-4


def reached(seen: list[float], fraction: float, what: str, picture: np.ndarray | None = None) -> None:
    seen.append(fraction)


def test_wct_begins_at_the_level_that_is_named(weights: object) -> None:
    results, levels = [], []
    for options in ((), (("deepest", 4),), (("deepest", 5),)):
        seen: list[float] = []
        given = Look(options=options)
        told = partial(reached, seen)
        results.append(engine("wct").paint(picture(), STYLE, given, nothing, None, told))
        levels.append(len(seen))
    assert levels == [4, 4, 5]
    assert results[0].tobytes() == results[1].tobytes() != results[2].tobytes()


def test_progress_rises_and_the_same_job_gives_the_same_bytes(painter: Engine) -> None:
    fractions: list[float] = []
    shown: list[np.ndarray] = []

    def progress(fraction: float, what: str, picture: np.ndarray | None = None) -> None:
        fractions.append(fraction)
        if picture is not None:
            shown.append(picture)

    results = [painter.paint(picture(), STYLE, look(painter), nothing, None, progress) for _ in range(2)]
    if "steps" in painter.options:
        assert len(shown) == 2 * 4
        assert np.abs(resized(shown[3], 64, 48) - results[0]).mean() < 0.05
    half = fractions[: len(fractions) // 2]
    assert half == sorted(half)
    assert half[-1] == pytest.approx(1)
    assert results[0].tobytes() == results[1].tobytes()
    assert results[0].shape == (48, 64, 3)
    assert results[0].dtype == np.float32
    assert np.abs(results[0] - picture()).mean() > 0.001


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 3)])
def test_tiny_and_flat_pictures_are_finite(height: int, width: int, painter: Engine) -> None:
    flat = (source(np.full((5, 4, 3), 0.5, np.float32)),)
    result = painter.paint(np.zeros((height, width, 3), np.float32), flat, look(painter), nothing)
    assert result.shape == (height, width, 3)
    assert np.isfinite(result).all()


def test_it_can_be_stopped(painter: Engine) -> None:
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls > 15:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        painter.paint(picture(), STYLE, look(painter), stop)
    assert calls == 16


def test_it_can_be_stopped_within_a_second(painter: Engine) -> None:
    """Between two looks whether to stop, at a size as it is painted at."""
    times: list[float] = []

    def stop() -> None:
        times.append(time.thread_time())
        if len(times) > 60:
            raise Cancelled("stopped")

    large = picture(96, 128)
    given = Look(options=(("size", 960), ("steps", 2)) if "steps" in painter.options else ())
    with contextlib.suppress(Cancelled):
        painter.paint(large, (source(large),), given, stop)
    assert max(np.diff(times)) < 1


def test_a_picture_gray_and_huge_in_value_stays_finite(painter: Engine) -> None:
    gray = np.repeat(picture()[..., :1], 3, 2) * 1e4
    result = painter.paint(gray, STYLE, look(painter), nothing)
    assert np.isfinite(result).all()
    assert 0 <= result.min() <= result.max() <= 1


def test_only_what_is_in_the_mask_has_a_say(painter: Engine) -> None:
    """A picture that differs outside the mask, far from it, is painted alike in the mask."""
    photo, mask = picture(64, 320), np.zeros((64, 320), np.float32)
    mask[:, :60] = 1
    changed = photo.copy()
    changed[:, 260:] = 0.9
    given = look(painter, *WHOLE.get(painter.name, ()))
    wanted = painter.paint(photo, STYLE, given, nothing, mask)[:, :60]
    masked, whole = (painter.paint(changed, STYLE, given, nothing, each)[:, :60] for each in (mask, None))
    # Not the greatest: where a gradient is next to nothing, rounding may turn a pixel's step around.
    assert np.abs(masked - wanted).mean() < 0.001
    assert np.abs(whole - wanted).mean() > 5 * np.abs(masked - wanted).mean()


def test_an_optimised_painting_is_no_more_colourful_at_its_border(weights: object) -> None:
    photo = resized(load(PHOTO).to_srgb()[:256, 900:1156], 64, 64).clip(0, 1)
    (style,) = sources((StyleRef("cypresses"),))
    assert style.picture is not None
    painting = source(style.picture[100:260, 150:310])
    options = (("size", 960), ("steps", 40), ("start", "content"))
    painted = engine("refine").paint(photo, (painting,), Look(options=options), nothing)
    colourful = np.ptp(painted, 2)
    border, inside = (
        np.mean([colourful[place], colourful[-1 - place], colourful[:, place], colourful[:, -1 - place]])
        for place in (0, 8)
    )
    assert border < 1.2 * inside


def test_a_blend_lies_between_its_styles(painter: Engine) -> None:
    dark, light = (source(picture(40, 50, 1) * part, 0.5) for part in (0.2, 1.0))
    longer = (("steps", 100),) if "steps" in painter.options else ()
    means = [
        painter.paint(picture(), styles, Look(options=longer), nothing).mean()
        for styles in ((replace(dark, weight=1.0),), (dark, light), (replace(light, weight=1.0),))
    ]
    assert means == sorted(means)


def test_a_painting_in_the_colours_of_the_photograph_has_its_histogram_or_its_covariance() -> None:
    painting, photo = picture(40, 50, 1) ** 2, picture(60, 70, 2) * np.array([0.2, 0.9, 0.5], np.float32)
    mask = np.zeros((60, 70), np.float32)
    mask[:, :35] = 1
    inside = photo[:, :35].reshape(-1, 3)
    histogram, covariance = (
        pictures.coloured(painting, how, photo, mask).reshape(-1, 3) for how in ("histogram", "content")
    )
    for share in (0.05, 0.5, 0.95):
        assert np.quantile(histogram, share, 0) == pytest.approx(np.quantile(inside, share, 0), abs=0.01)
    assert (histogram.argsort(0) == painting.reshape(-1, 3).argsort(0)).mean() > 0.99
    assert covariance.mean(0) == pytest.approx(inside.mean(0), abs=0.02)
    assert np.cov(covariance.T) == pytest.approx(np.cov(inside.T), abs=0.01)
    assert pictures.coloured(painting, "style", photo, mask) is painting


@pytest.mark.parametrize(
    ("options", "message"),
    [({"step": 5}, "did you mean “steps”"), ({"steps": 0}, "1 to 10000"), ({"loss": "l2"}, "gram")],
)
def test_an_option_that_an_engine_cannot_take_is_named(
    weights: object, options: dict[str, Any], message: str
) -> None:
    given = Job.from_dict({"look": {"style": "kiss", "options": options}}).look
    with pytest.raises(JobError, match=message):
        engine("optimise").check(STYLE, given)
    with pytest.raises(JobError, match="has no option"):
        engine("gallery").check(STYLE, given)


@pytest.mark.parametrize("name", PICTURES)
def test_without_weights_the_command_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
    engine.cache_clear()
    first = technique(name).weights[0]
    with pytest.raises(ModelMissing, match=f"impasto models pull {first}"):
        engine(name)
    assert main(["engines", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["gallery"]["ready"] is True
    assert rows[name]["ready"] is False
    assert f"impasto models pull {first}" in rows[name]["command"]
    photo = Path(__file__).parents[1] / "examples/roman-colosseum.jpg"
    command = ["stylize", str(photo), "--style", str(photo), "--engine", name, "-o", str(tmp_path / "a.png")]
    assert main([*command, "--no-daemon"]) == 4
    assert f"impasto models pull {first}" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_a_style_of_the_gallery_will_do_alone_and_in_a_blend(painter: Engine) -> None:
    lighter = Attachment("a.png", None, lambda: np.sqrt(picture(40, 50, 1)))
    given = look(painter, *((("style_scale", 0.25),) if "style_scale" in painter.options else ()))
    results = []
    for refs in ((("scream", 1.0),), (("attachment:0", 1.0),), (("scream", 0.5), ("attachment:0", 0.5))):
        styles = sources(tuple(StyleRef(*ref) for ref in refs), [lighter])
        painter.check(styles, given)
        results.append(painter.paint(picture(), styles, given, nothing))
    for one, other in itertools.combinations(results, 2):
        assert np.abs(one - other).mean() > 1e-4


@pytest.mark.parametrize("name", gallery.names())
def test_each_style_of_the_gallery_has_a_reproduction_of_the_size_that_is_looked_at(name: str) -> None:
    (style,) = sources((StyleRef(name),))
    assert style.picture is not None
    assert style.picture.shape[0] * style.picture.shape[1] == pytest.approx(STYLE_AREA, rel=0.01)
    assert style.picture.std() > 0.05


def test_the_command_line_shows_a_painting_while_it_comes_about(
    weights: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("impasto.paint.studio.SKETCHED", 0.0)
    photo = str(Path(__file__).parents[1] / "examples/roman-colosseum.jpg")
    command = ["stylize", photo, "--style", "scream", "--engine", "optimise", "--no-daemon"]
    command += ["--option", "size=64", "--option", "steps=3", "--option", "style_scale=0.25"]
    command += ["-o", str(tmp_path / "a.png"), "--sketch"]
    assert main([*command, str(tmp_path / "sketch.jpg")]) == 0
    sketch = load(tmp_path / "sketch.jpg")
    assert sketch.width * sketch.height == pytest.approx(512 * 512, rel=0.01)
    assert main([*command, str(tmp_path / "sketch.png")]) == 2
    assert "sketch.png" in capsys.readouterr().err


def test_a_style_without_a_picture_is_refused(painter: Engine) -> None:
    with pytest.raises(UsageError, match="picture"):
        painter.check((source(None),), Look())
