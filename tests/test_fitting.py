"""Gradients of networks, and codes that are fitted to their picture by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.cli.teach import read
from impasto.engines import fitting
from impasto.engines.fitting import Fitting
from impasto.engines.painters import ArbitraryPainter, encodable
from impasto.models import arbitrary
from impasto.models import fitting as fitting_model
from impasto.runtime import network, nothing
from impasto.runtime.operations import Ops, Tensor

ROOT = Path(__file__).parents[1]
PAINTINGS = ROOT / "server/impasto/models/bundled/paintings"

rng = np.random.default_rng(0)
WEIGHTS = {
    "wide.weight": rng.standard_normal((6, 4, 3, 3), np.float32) / 6,
    "wide.bias": rng.standard_normal(6, np.float32),
    "few.weight": rng.standard_normal((3, 4, 7, 7), np.float32) / 14,
}


def total(ops: Ops, x: Tensor) -> Tensor:
    """A number that no two places of `x` have the same part in."""
    rows = ops.reshape(x, (1, 1, 1, -1))
    return ops.reshape(ops.mean(ops.multiply(rows, ops.multiply(rows, rows))), (1,))


def positive(ops: Ops, x: Tensor) -> Tensor:
    return ops.add(ops.multiply(x, x), np.float32(0.1))


FUNCTIONS: dict[str, Callable[[Ops, Tensor], Tensor]] = {
    "conv": lambda ops, x: ops.conv(x, "wide"),
    "strided": lambda ops, x: ops.conv(x, "wide", 2),
    "few channels": lambda ops, x: ops.conv(x, "few"),
    "enlarged": lambda ops, x: ops.conv_enlarged(x, "wide"),
    "norm": lambda ops, x: ops.norm(x),
    "relu": lambda ops, x: ops.relu(x),
    "clamp": lambda ops, x: ops.clamp(x, -0.5, 0.8),
    "add": lambda ops, x: ops.add(x, ops.multiply(x, x)),
    "repeated": lambda ops, x: ops.subtract(ops.multiply(x, ops.mean(x)), ops.cut(x, 0, 1, 2)),
    "maximum": lambda ops, x: ops.maximum(ops.negative(x), ops.multiply(x, np.float32(0.5))),
    "log": lambda ops, x: ops.log(positive(ops, x)),
    "halved": lambda ops, x: ops.halved(x),
    "matmul": lambda ops, x: ops.matmul(ops.reshape(x, (0, 0, -1)), ops.reshape(x, (0, 0, -1))),
    "unshuffle": lambda ops, x: ops.conv(ops.reshape(ops.unshuffle(x, 2), (2, 4, 8, 10)), "few"),
    "cut": lambda ops, x: ops.cut(x, 3, 2, 7),
    "columns": lambda ops, x: ops.columns(ops.reshape(x, (2, -1)), 10, 90),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_those_of_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    x = np.random.default_rng(1).standard_normal((2, 4, 8, 10), np.float32)

    def build(ops: Ops, x: Tensor) -> list[Tensor]:
        return list(ops.slope(lambda ops, x: total(ops, FUNCTIONS[name](ops, x)), x))

    found: dict[str, list[np.ndarray]] = {}
    for device in ("openvino", "cpu"):
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        found[device] = network(build, WEIGHTS, [x.shape], exact=True)([x], nothing)
    for own, wanted in zip(*found.values(), strict=True):
        assert own.shape == wanted.shape
        assert np.abs(own - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_a_gradient_says_how_a_value_changes() -> None:
    """Of the whole loss, by the numbers of a code."""
    painter = ArbitraryPainter()
    fit = Fitting(painter.tensors)
    picture = encodable(read(PAINTINGS / "scream.jpg"))
    code = painter.encoder([picture], [], nothing)[0, 0]
    grams, shares = fit.target(picture, nothing)

    _, slope = fit.tried(code, grams, shares, nothing)
    scale = painter.tensors["usual.scale"].ravel()
    direction = scale * np.random.default_rng(2).standard_normal(len(code), np.float32) * 0.003
    after, before = (fit.tried(code + sign * direction, grams, shares, nothing)[0] for sign in (1, -1))
    assert after - before == pytest.approx(2 * float(slope @ direction), rel=0.05)


def test_a_code_is_fitted_to_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearer in style at no more content, on every device the same, and never worse than predicted."""
    pytest.importorskip("torch", reason="torch is not installed")
    painter = ArbitraryPainter()
    picture = encodable(read(PAINTINGS / "great-wave.jpg"))
    code = painter.encoder([picture], [], nothing)[0, 0]
    found: dict[str, np.ndarray] = {}
    for device in ("openvino", "cpu"):
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        fit = Fitting(painter.tensors)
        found[device] = fit.fit(code, picture, nothing)
        grams, shares = fit.target(picture, nothing)
        first, last = (fit.tried(each, grams, shares, nothing)[0] for each in (code, found[device]))
        assert last < first - 0.1
    scale = painter.tensors["usual.scale"].ravel()
    moved = np.abs(found["openvino"] - code) / scale
    assert np.abs(found["openvino"] - found["cpu"]).max() < 0.05 * (moved * scale).max()
    monkeypatch.setattr(fitting, "RATE", 50.0)  # far beyond every valley
    assert (fit.fit(code, picture, nothing) == code).all()


def test_paintings_of_other_photographs_come_nearer() -> None:
    """As VGG-19 sees it, from which the loss network learned."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from impasto.engines.losses import gram, relative
    from impasto.engines.pictures import tensor
    from impasto.engines.teaching import CONTENT, LAYERS, content_distance, shorter_side
    from impasto.engines.vgg import Vgg
    from impasto.models.store import require
    from mirror import import_models

    import_models("vgg19-normalised")
    vgg, painter = Vgg(require("vgg19-normalised"), "cpu"), ArbitraryPainter()
    photo = shorter_side(read(ROOT / "examples/roman-colosseum.jpg"), 256)[:256, :256]

    def seen(picture: np.ndarray) -> dict[str, Any]:
        with torch.no_grad():
            return vgg(tensor(picture, "cpu"), LAYERS[-1], nothing)

    styles, contents, known = [], [], seen(photo)
    for name in ("scream", "great-wave", "kiss"):
        picture = encodable(read(PAINTINGS / f"{name}.jpg"))
        wanted = seen(picture)
        predicted = painter.encoder([picture], [], nothing)[0, 0]
        ratios = []
        for code in (predicted, painter.predict(picture, nothing)):
            found = seen(painter.paint(photo, np.empty(0), code, None, nothing))
            style = [relative(gram(found[layer])[None], gram(wanted[layer])[None])[0] for layer in LAYERS]
            ratios.append((torch.stack(style).mean(), content_distance(found[CONTENT], known[CONTENT])))
        styles.append(float(ratios[1][0] / ratios[0][0]))
        contents.append(float(ratios[1][1] / ratios[0][1]))
    # A per cent of the content is worth three of the style.
    assert np.mean(styles) * np.mean(contents) ** 3 < 0.93
    assert np.mean(contents) < 1


def test_the_curvature_is_that_of_the_bundled_painter() -> None:
    assert fitting_model.curvature().fingerprint == arbitrary.load().fingerprint
