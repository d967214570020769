"""The engines that look at pictures: their formulas, their limits, and what they do without weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.cli import main
from impasto.engines import ENGINES, Engine, engine
from impasto.errors import Cancelled, ImpastoError, ModelMissing, UsageError
from impasto.job import ENGINES as NAMES
from impasto.job import Look
from impasto.styles.sources import StyleSource
from mirror import MIRROR, import_models

torch = pytest.importorskip("torch", reason="torch is not installed")
F = torch.nn.functional

PICTURES = ("adain", "optimise")


def picture(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def source(pixels: np.ndarray | None, weight: float = 1.0) -> StyleSource:
    return StyleSource("painting.jpg", "painting", weight, None, pixels)


STYLE = (source(picture(40, 50, 1)),)


def nothing() -> None:
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The published weights, imported into a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        import_models("vgg19-normalised", "adain-decoder")
        engine.cache_clear()
        yield
    engine.cache_clear()


@pytest.fixture(params=PICTURES)
def painter(request: pytest.FixtureRequest, weights: object, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr("impasto.engines.optimise.STAGES", ((1 / 4, 2), (1.0, 1)))
    return engine(request.param)


def test_a_job_knows_every_engine() -> None:
    assert ("auto", *ENGINES) == NAMES


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


def test_progress_rises_and_the_same_job_gives_the_same_bytes(painter: Engine) -> None:
    fractions: list[float] = []
    results = [
        painter.paint(picture(), STYLE, Look(), nothing, None, lambda f, what: fractions.append(f))
        for _ in range(2)
    ]
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
    result = painter.paint(np.zeros((height, width, 3), np.float32), flat, Look(), nothing)
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
        painter.paint(picture(), STYLE, Look(), stop)
    assert calls == 16


def test_statistics_come_from_the_mask_alone() -> None:
    from impasto.engines.vgg import gram, statistics

    features = torch.rand(1, 8, 6, 10, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 0.1
    changed = features.clone()
    changed[..., 5:] = 100
    for measure in (lambda x: torch.cat(statistics(x, mask)), lambda x: gram(x, mask)):
        assert torch.equal(measure(features), measure(changed))
    mean, deviation = statistics(features, mask)
    inside = features[..., :5].flatten(2)
    assert torch.allclose(mean.flatten(), inside.mean(2)[0], atol=1e-6)
    assert torch.allclose(deviation.flatten(), (inside.var(2)[0] + 1e-5).sqrt(), atol=1e-6)


def test_the_frozen_convolution_and_the_gram_loss_have_the_right_gradients() -> None:
    from impasto.engines.vgg import FrozenConvolution, gram

    random = torch.Generator().manual_seed(0)
    weight, bias = (torch.randn(*s, dtype=torch.float64, generator=random) for s in ((4, 3, 3, 3), (4,)))
    x = torch.randn(1, 3, 6, 5, dtype=torch.float64, generator=random).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: FrozenConvolution.apply(x, weight, bias, nothing), (x,))
    assert torch.autograd.gradcheck(lambda x: gram(x).square().sum(), (x,))


def test_a_loss_that_is_no_number_is_survived() -> None:
    from impasto.engines.descent import descend

    calls = 0

    def loss(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return (x - 0.25).square().sum() * (float("nan") if calls in (1, 5) else 1)

    result = descend(torch.full((1, 3, 4, 4), 0.75), loss, 150, nothing, lambda step: None)
    assert (result - 0.25).abs().max() < 0.1
    with pytest.raises(ImpastoError, match="finite"):
        descend(result, lambda x: x.sum() * float("nan"), 50, nothing, lambda step: None)


@pytest.mark.parametrize("name", PICTURES)
def test_without_weights_the_command_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
    engine.cache_clear()
    with pytest.raises(ModelMissing, match="impasto models pull vgg19-normalised"):
        engine(name)
    assert main(["engines", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["gallery"]["ready"] is True
    assert rows[name]["ready"] is False
    assert "impasto models pull vgg19-normalised" in rows[name]["command"]


def test_a_style_without_a_picture_is_refused(painter: Engine) -> None:
    with pytest.raises(UsageError, match="picture"):
        painter.check((source(None),))
