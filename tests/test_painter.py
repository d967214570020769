"""The network: one forward pass in two runtimes, on the bundled weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto.engines import Check, arbitrary
from impasto.engines.gallery import GalleryEngine
from impasto.engines.painter import INPUTS, MULTIPLE, Shape, forward
from impasto.engines.painters import GalleryPainter, white_noise
from impasto.errors import Cancelled, ModelMissing, UnknownStyle, UsageError
from impasto.job import Look, StyleRef
from impasto.models import arbitrary as arbitrary_model
from impasto.models import gallery
from impasto.raster import load
from impasto.raster.sampling import resized
from impasto.runtime import executor
from impasto.runtime.operations import Ops, Tensor
from impasto.styles.sources import StyleSource, sources

EXAMPLE = Path(__file__).parents[1] / "examples/roman-colosseum.jpg"


def nothing() -> None:
    pass


def painted_by(
    engine: GalleryEngine, picture: np.ndarray, *styles: StyleRef, check: Check = nothing
) -> np.ndarray:
    return engine.paint(picture, sources(styles), Look(), check)


def photo(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """A smooth coloured picture with an edge, (H, W, 3) float32."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    rng = np.random.default_rng(seed)
    picture = np.stack([x, y, (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1], -1)
    return (picture * 0.8 + rng.random(picture.shape) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def engine() -> GalleryEngine:
    return GalleryEngine()


def test_gallery_has_a_code_and_a_credit_for_every_style() -> None:
    loaded = gallery.load()
    assert len(gallery.styles()) >= 8
    assert loaded.codes.shape == (len(gallery.styles()), Shape(**loaded.shape).code_length)
    assert len({style.name for style in gallery.styles()}) == len(gallery.styles())
    for name, (out, channels, kernel) in Shape(**loaded.shape).convolutions().items():
        assert loaded.weights[f"{name}.weight"].shape == (out, channels, kernel, kernel)


def test_openvino_and_torch_paint_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    loaded = gallery.load()
    shape = Shape(**loaded.shape)

    def run(device: str) -> np.ndarray:
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        ready = executor(
            lambda ops, x, code: forward(ops, shape, x, code),
            loaded.weights,
            (INPUTS,),
            (shape.code_length,),
        )
        noise = np.random.default_rng(0).random((120, 160, 1), np.float32) * 2 - 1
        return ready([np.dstack([photo(), noise])], [loaded.codes[0]], lambda: None)

    difference = np.abs(run("openvino") - run("cpu"))
    # Both may compute in bfloat16, where a step at 1.0 is 1/256.
    assert difference.mean() < 2 / 255


def test_openvino_and_torch_paint_the_same_in_any_style(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    weights = arbitrary_model.load().weights

    def run(device: str) -> np.ndarray:
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        encoder = executor(arbitrary.encode, weights, (3,), (), exact=True)
        code = encoder([photo(150, 130, 1)], [], nothing)[0, 0]
        assert code.shape == (arbitrary.CODE_LENGTH,)
        painter = executor(arbitrary.forward, weights, (3, 1), (arbitrary.CODE_LENGTH,))
        picture = photo()
        height, width = (side // arbitrary.DIVISOR for side in picture.shape[:2])
        return painter([picture, np.ones((height, width, 1), np.float32)], [code], nothing)

    assert np.abs(run("openvino") - run("cpu")).mean() < 1 / 255


def conv(ops: Ops, x: Tensor, _beside: Tensor) -> Tensor:
    return ops.conv(x, "layer")


def conv_enlarged(ops: Ops, x: Tensor, _beside: Tensor) -> Tensor:
    return ops.conv_enlarged(x, "layer")


def conv_doubled(ops: Ops, x: Tensor, _beside: Tensor) -> Tensor:
    return ops.conv_doubled(x, "layer")


def conv_joined(ops: Ops, x: Tensor, beside: Tensor) -> Tensor:
    return ops.conv_doubled(x, "layer", beside)


@pytest.mark.parametrize("channels", [3, 5])
@pytest.mark.parametrize(
    ("build", "length"),
    [(conv, 1), (conv, 3), (conv, 7), (conv_enlarged, 3), (conv_doubled, 3), (conv_joined, 3)],
)
def test_both_executors_convolve_the_same(
    build: Callable[[Ops, Tensor, Tensor], Tensor],
    length: int,
    channels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(0)
    seen = 6 if build is conv_joined else 4
    weights = {
        "layer.weight": rng.normal(size=(channels, seen, length, length)).astype(np.float32),
        "layer.bias": rng.normal(size=channels).astype(np.float32),
    }
    pictures = [rng.random((18, 24, 4), np.float32), rng.random((36, 48, 2), np.float32)]

    def run(device: str) -> np.ndarray:
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        return executor(build, weights, (4, 2), (), exact=True)(pictures, [], nothing)

    np.testing.assert_allclose(run("openvino"), run("cpu"), atol=1e-4)


def test_unknown_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_DEVICE", "openvinno")
    with pytest.raises(UsageError, match="openvino"):
        executor(lambda ops, x, code: x, {}, (3,), (1,))


def test_missing_package_is_named_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_DEVICE", "cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match=r"pip install 'impasto\[gpu\]'"):
        executor(lambda ops, x, code: x, {}, (3,), (1,))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 8), (40, 3000), (129, 65)])
def test_any_size_is_painted_at_its_own_size(engine: GalleryEngine, size: tuple[int, int]) -> None:
    painted = painted_by(engine, photo(*size), StyleRef("great-wave"))
    assert painted.shape == (*size, 3)
    assert np.isfinite(painted).all()
    assert 0 <= painted.min() <= painted.max() <= 1


KISS = sources((StyleRef("kiss"),))
PICTURE = (StyleSource("picture", "", 1.0, None, photo(200, 240, 3)),)


@pytest.mark.parametrize("style", [KISS, PICTURE], ids=["gallery", "arbitrary"])
@pytest.mark.parametrize("masked", [False, True])
def test_strips_paint_what_the_whole_picture_shows(
    engine: GalleryEngine, style: tuple[StyleSource, ...], masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = resized(load(EXAMPLE).to_srgb(), 300, 420).clip(0, 1).astype(np.float32)
    mask = np.zeros((420, 300), np.float32) if masked else None
    if mask is not None:
        mask[100:300, 50:] = 1
    # Where seams would be bent, they would not be found.
    monkeypatch.setattr(GalleryPainter, "bends", False)
    margin = (engine.gallery if style is KISS else engine.arbitrary).margin
    whole = engine.paint(picture, style, Look(), nothing, mask)
    monkeypatch.setattr("impasto.engines.painters.WHOLE_PIXELS", 0)
    monkeypatch.setattr("impasto.engines.strips.STRIP_PIXELS", 64 * (300 + 2 * (margin + -150 % MULTIPLE)))
    strips = engine.paint(picture, style, Look(), nothing, mask)
    assert np.abs(strips - whole).mean() * 255 < 0.5
    steps, plain = (np.abs(np.diff(picture, axis=0)).mean((1, 2)) for picture in (strips, whole))
    # The strips are of 64 rows, counted from above the margin; what the whole picture shows is divided out.
    seams = np.arange(64, 420, 64) - (margin + -(420 // 2) % MULTIPLE) - 1
    seams = seams[seams >= 0]
    beside = np.concatenate([seams - 2, seams + 2])
    ratio = steps[seams].mean() / steps[beside].mean() * plain[beside].mean() / plain[seams].mean()
    assert 0.95 < ratio < 1.05


def test_noise_stays_in_place_when_the_size_differs_by_a_pixel() -> None:
    large, small = white_noise(300, 401, 5), white_noise(299, 400, 5)
    assert (large[1:, :400] == small).all()
    assert large.std() == pytest.approx(3**-0.5, rel=0.02)
    assert (white_noise(300, 401, 6) != large).mean() > 0.99


def lattice(painting: np.ndarray) -> float:
    """How much more the places of a cell of 8 x 8 pixels differ, averaged over the cells, than chance lets
    them: of the texture, of its lights and of its darks; about 1 when it knows no cells."""
    luma = painting.mean(2)
    around = np.pad(luma, 4, "edge").cumsum(0).cumsum(1)
    around = np.pad(around, ((1, 0), (1, 0)))
    texture = luma - (around[9:, 9:] - around[:-9, 9:] - around[9:, :-9] + around[:-9, :-9]) / 81
    texture = texture / np.hypot(texture.std(), 2 / 255)
    lights, darks = (np.clip(x, 0, 3) ** 2 for x in (texture, -texture))
    height, width = (side // MULTIPLE for side in luma.shape)
    ratios: list[float] = []
    for seen in (texture, lights, darks):
        cells = seen[: height * MULTIPLE, : width * MULTIPLE].reshape(height, MULTIPLE, width, MULTIPLE)
        ratios.append(cells.mean((0, 2)).var() / seen.var() * height * width)
    return float(np.mean(ratios))


def test_flat_areas_are_not_stamped(engine: GalleryEngine) -> None:
    """A lattice of 8 pixels is what a painter that works at an eighth of the size falls into."""
    chance = np.random.default_rng(0)
    assert lattice(chance.random((320, 320, 3))) < 1.5
    assert lattice(chance.random((320, 320, 3)) + np.tile(chance.random((8, 8, 1)), (40, 40, 1))) > 100
    sky = photo(320, 320) * 0.1 + 0.5
    found = {style.name: lattice(painted_by(engine, sky, StyleRef(style.name))) for style in gallery.styles()}
    assert max(found.values()) < 8, found
    assert np.mean(list(found.values())) < 2, found
    for (style,) in (sources((StyleRef(name),)) for name in gallery.names()[::4]):
        found[style.ref] = lattice(engine.paint(sky, (replace(style, code=None),), Look(), nothing))
    assert max(found.values()) < 12, found


def test_same_job_same_bytes(engine: GalleryEngine) -> None:
    first, second = (painted_by(engine, photo(), StyleRef("scream")) for _ in range(2))
    assert (first == second).all()


def test_styles_differ_and_blends_lie_between(engine: GalleryEngine) -> None:
    a, b = StyleRef("great-wave"), StyleRef("scream")
    half, one, other = (
        engine.mix(sources(styles), nothing).values
        for styles in ((StyleRef("great-wave", 2), StyleRef("scream", 2)), (a,), (b,))
    )
    assert half == pytest.approx((one + other) / 2)
    one, other = (painted_by(engine, photo(), style) for style in (a, b))
    mixed = painted_by(engine, photo(), a, b)
    apart = np.abs(one - other).mean()
    assert apart > 0.03
    assert np.abs(mixed - one).mean() < apart
    assert np.abs(mixed - other).mean() < apart


def test_unknown_style_names_the_nearest() -> None:
    with pytest.raises(UnknownStyle, match="great-wave"):
        sources((StyleRef("great-wav"),))


def test_cancel_stops_the_network(engine: GalleryEngine) -> None:
    def stop() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        painted_by(engine, photo(1500, 1500), StyleRef("great-wave"), check=stop)
    painted_by(engine, photo(), StyleRef("great-wave"))


def test_folded_convolution_equals_resize_convolution() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from torch_painter import fold_doubling

    weight, x = torch.randn(3, 4, 5, 5), torch.randn(1, 4, 9, 9)
    doubled = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    expected = torch.nn.functional.conv2d(doubled, weight, padding=2)
    folded = torch.nn.functional.conv2d(x, fold_doubling(weight), padding=1)
    shuffled = torch.nn.functional.pixel_shuffle(folded, 2)
    inside = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(shuffled[inside], expected[inside], atol=1e-4)
