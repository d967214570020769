"""Losses, transforms and descent: gradients, exact statistics, tiles, and what happens to no numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.engines.pictures import loss_network
from impasto.errors import ImpastoError, UsageError

torch = pytest.importorskip("torch", reason="torch is not installed")

from impasto.engines import losses  # noqa: E402
from impasto.engines.descent import descend  # noqa: E402
from impasto.engines.objective import GRID, HALO, TILE, Objective, region, tiles  # noqa: E402
from impasto.engines.optimise import mirroring  # noqa: E402
from impasto.engines.vgg import LEVELS, Vgg, statistics  # noqa: E402
from impasto.engines.wct_network import coloured, whitened  # noqa: E402

F = torch.nn.functional
CHANNELS = (4, 6, 8, 8, 8)


def nothing() -> None:
    pass


def rand(*shape: int, seed: int = 0) -> Any:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Vgg:
    """A narrow one with random weights, in float64."""
    path = tmp_path_factory.mktemp("vgg") / "vgg.pth"
    random = torch.Generator().manual_seed(0)
    saved, before = (
        {"0.weight": torch.eye(3)[:, :, None, None].double(), "0.bias": torch.zeros(3).double()},
        3,
    )
    for level, channels in zip(LEVELS, CHANNELS, strict=True):
        for name in level:
            weight = torch.randn(channels, before, 3, 3, generator=random, dtype=torch.float64)
            saved[f"{name}.weight"] = weight * (2 / (9 * before)) ** 0.5
            saved[f"{name}.bias"] = torch.zeros(channels).double()
            before = channels
    torch.save(saved, path)
    return Vgg(path, "cpu", torch.float64)


def objective(vgg: Vgg, kind: str, photo: Any, **more: Any) -> Objective:
    paintings = [rand(1, 3, 40, 36, seed=1), rand(1, 3, 30, 44, seed=2) * 0.5]
    return Objective(vgg, photo, paintings, [0.7, 0.3], kind, (1.0, 0.5, 2.0), nothing, **more)


@pytest.mark.parametrize("kind", losses.STYLES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_that_of_finite_differences(vgg: Vgg, kind: str, masked: bool) -> None:
    photo, image = rand(1, 3, 24, 20), rand(1, 3, 24, 20, seed=3)
    mask = torch.zeros(1, 1, 24, 20)
    mask[..., :14] = 1
    found = objective(vgg, kind, photo, mask=mask if masked else None)
    for style in found.styles.values():
        style.draw()
        style.draw = nothing  # type: ignore[method-assign] - the same sample each time
    _, gradient = found.slope(image)
    step = 1e-6
    for place in ((0, 0, 0, 0), (0, 1, 11, 7), (0, 2, 23, 13)):
        values = []
        for sign in (1, -1):
            moved = image.clone()
            moved[place] += sign * step
            values.append(found.slope(moved)[0])
        assert float(gradient[place]) == pytest.approx(float(values[0] - values[1]) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("measure", [losses.products, losses.variation])
def test_each_piece_has_the_right_gradient(measure: Any) -> None:
    assert torch.autograd.gradcheck(measure, (rand(1, 3, 6, 5).requires_grad_(),))


@pytest.mark.parametrize(
    ("size", "asked"),
    [((1, 1), (1, 2, 3)), ((2, 3), (1, 3)), ((5, 1), (2, 3)), ((6, 5), (1, 2)), ((5, 7), (3,))],
)
def test_the_network_has_the_right_gradient(vgg: Vgg, size: tuple[int, int], asked: tuple[int, ...]) -> None:
    """Whichever of its activations somebody asks for."""

    def activations(x: Any) -> tuple[Any, ...]:
        found = vgg(x, "relu3_1", nothing)
        return tuple(found[f"relu{level}_1"] for level in asked)

    assert torch.autograd.gradcheck(activations, (rand(1, 3, *size).requires_grad_(),))


def test_torchvision_names_the_same_network_and_takes_other_colours(tmp_path: Path) -> None:
    """In its true shapes, with random weights; where it pads with zeros, we reflect."""
    vision = pytest.importorskip("torchvision").models.vgg
    torch.manual_seed(0)
    layers = vision.make_layers(vision.cfgs["E"])
    saved = {f"features.{name}": value for name, value in layers.state_dict().items()}
    torch.save(saved | {"classifier.0.weight": torch.zeros(4, 4)}, tmp_path / "vgg.pth")
    image = rand(1, 3, 32, 48).float()
    network = Vgg(tmp_path / "vgg.pth", "cpu")
    with torch.no_grad():
        found = network(image, "relu5_1", nothing)
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
        x, wanted = (image - mean) / deviation, []
        for number, layer in enumerate(layers):
            if isinstance(layer, torch.nn.Conv2d):
                layer.padding_mode = "reflect"
            x = layer(x)
            if number in (1, 6, 11, 20, 29):
                wanted.append(x)
    for ours, theirs in zip(found.values(), wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.max()))
    painting = rand(1, 3, 40, 36, seed=1).float() ** 3
    objective = Objective(network, image, [painting], [1.0], "gram", (1.0, 0.3, 10.0), nothing)
    changed = descend(image, objective.slope, 20, nothing, lambda step, point: None)
    assert objective.slope(changed)[0] < objective.slope(image)[0] / 2


def test_the_network_that_compares_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_VGG", raising=False)
    assert loss_network() == "vgg19-normalised"
    monkeypatch.setenv("IMPASTO_VGG", "vgg19-torchvision")
    assert loss_network() == "vgg19-torchvision"
    monkeypatch.setenv("IMPASTO_VGG", "vgg19")
    with pytest.raises(UsageError, match="vgg19-normalised"):
        loss_network()


@pytest.mark.parametrize("masked", [False, True])
def test_tiles_give_the_loss_and_gradient_of_the_whole(vgg: Vgg, masked: bool) -> None:
    photo, image = rand(1, 3, 230, 320), rand(1, 3, 230, 320, seed=3)
    mask = torch.zeros(1, 1, 230, 320)
    mask[..., 40:200, 50:] = 1
    whole, tiled = (
        objective(vgg, "gram", photo, mask=mask if masked else None, side=side) for side in (512, 64)
    )
    assert len(whole.tiles) == 1
    assert len(tiled.tiles) > 8
    (loss, gradient), (tiled_loss, tiled_gradient) = whole.slope(image), tiled.slope(image)
    assert float(tiled_loss) == pytest.approx(float(loss), rel=1e-6)
    assert (tiled_gradient - gradient).abs().max() < 1e-6 * gradient.abs().max()


def test_tiles_know_of_a_style_picture_what_the_whole_does(vgg: Vgg) -> None:
    painting, photo = rand(1, 3, 230, 320, seed=1), rand(1, 3, 24, 20)
    given = (vgg, photo, [painting], [1.0], "gram", (1.0, 0.5, 2.0), nothing)
    whole, tiled = (Objective(*given, side=side) for side in (512, 64))
    for name, style in whole.styles.items():
        target, same = style.target, tiled.styles[name].target  # type: ignore[attr-defined]
        assert torch.allclose(same, target, rtol=1e-6)
    pools = [losses.WassersteinStyle.known(rand(1, 4, 3, 5)), losses.WassersteinStyle.known(rand(1, 4, 2, 5))]
    assert losses.WassersteinStyle.joined(pools, 25).shape == (4, 25)


@pytest.mark.parametrize("margin", [0, 8])
@pytest.mark.parametrize(("height", "width"), [(33, 700), (577, 576), (1000, 1777), (2000, 3000)])
def test_tiles_cover_each_pixel_once_and_stay_small_and_few(height: int, width: int, margin: int) -> None:
    count = np.zeros((height, width), int)
    found = tiles(height, width, margin=margin)
    assert len(found) in (1, -(-height // TILE) * -(-width // TILE))
    for tile in found:
        count[tile.rows, tile.columns] += 1
        seen = (tile.seen_rows.stop - tile.seen_rows.start) * (
            tile.seen_columns.stop - tile.seen_columns.start
        )
        assert seen <= (TILE + 2 * HALO + GRID) ** 2
    inner = slice(margin, height - margin), slice(margin, width - margin)
    assert count.sum() == count[inner].size
    assert (count[inner] == 1).all()


def test_what_lies_in_the_margin_is_seen_and_not_counted(vgg: Vgg) -> None:
    photo, margin = rand(1, 3, 64, 64), 16
    found = Objective(
        vgg, photo, [rand(1, 3, 40, 40, seed=1)], [1.0], "gram", (1.0, 1.0, 1.0), nothing, None, margin
    )
    features = vgg(photo, "relu1_1", nothing)["relu1_1"][..., margin:-margin, margin:-margin]
    assert torch.allclose(found.summaries(photo, 0)[0], losses.gram(features))
    _, gradient = found.slope(rand(1, 3, 64, 64, seed=2))
    assert bool((gradient[..., margin - 1, :] != 0).any())


@pytest.mark.parametrize(("height", "width"), [(1, 5), (20, 33)])
def test_the_margin_mirrors_the_picture_and_nothing_pulls_at_it(height: int, width: int) -> None:
    margin, seen = 8, []

    def slope(image: Any) -> tuple[Any, Any]:
        seen.append(image.clone())
        return image.sum(), torch.ones_like(image)

    given = rand(1, 3, height + 2 * margin, width + 2 * margin)
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    wanted = np.pad(given[inner], ((0, 0), (0, 0), (margin, margin), (margin, margin)), "symmetric")
    _, gradient = mirroring(slope, margin, height, width)(given)
    assert np.array_equal(seen[0], wanted)
    assert gradient.sum() == gradient[inner].sum() == 3 * height * width


def test_a_style_that_is_met_costs_nothing_and_another_does(vgg: Vgg) -> None:
    painting = rand(1, 3, 48, 48, seed=1)
    for kind in losses.STYLES:
        found = Objective(vgg, painting, [painting], [1.0], kind, (1.0, 0.0, 0.0), nothing)
        same, other = found.slope(painting)[0], found.slope(painting * 0.3)[0]
        assert float(same) < 0.05 * float(other)


def test_a_mask_is_eroded_and_what_vanishes_is_not() -> None:
    photo = rand(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    assert region(mask, photo, 1).sum() == 30 * 30
    assert region(mask, photo, 8).sum() == 2 * 2
    assert region(mask, photo, 16).sum() == 2 * 2  # eroded, nothing would be left
    assert region(mask * 0, photo, 16).sum() == 4 * 4


@pytest.mark.parametrize(("method", "rate"), [("adam", 0.06), ("lbfgs", 1.0)])
def test_a_loss_that_is_no_number_is_survived(method: str, rate: float) -> None:
    calls = 0

    def slope(x: Any) -> tuple[Any, Any]:
        nonlocal calls
        calls += 1
        bad = float("nan") if calls in (1, 5) else 1e9 if calls == 7 else 1
        return (x - 0.25).square().sum() * bad, 2 * (x - 0.25) * bad

    done: list[int] = []

    def stepped(step: int, image: Any) -> None:
        done.append(step)
        assert torch.isfinite(image).all()

    result = descend(torch.full((1, 3, 4, 4), 0.75), slope, 150, nothing, stepped, method, rate)
    assert (result - 0.25).abs().max() < 0.1
    assert done == list(range(1, 151))
    with pytest.raises(ImpastoError, match="finite"):
        descend(result, lambda x: (x.sum() * float("nan"), x), 50, nothing, stepped, method)


def test_adain_gives_mean_and_deviation_of_the_mask_alone() -> None:
    features, mask = rand(1, 8, 6, 10), torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 0.1
    changed = features.clone()
    changed[..., 5:] = 100
    assert torch.equal(torch.cat(statistics(features, mask)), torch.cat(statistics(changed, mask)))
    mean, deviation = statistics(features, mask)
    inside = features[..., :5].flatten(2)
    assert torch.allclose(mean.flatten(), inside.mean(2)[0])
    assert torch.allclose(deviation.flatten(), (inside.var(2)[0] + 1e-5).sqrt())


@pytest.mark.parametrize("masked", [False, True])
def test_wct_gives_mean_and_covariance_exactly(masked: bool) -> None:
    content = torch.einsum("ij,njhw->nihw", rand(8, 8, seed=4), rand(1, 8, 12, 15))
    style = torch.einsum("ij,njhw->nihw", rand(8, 8, seed=5), rand(1, 8, 9, 11, seed=6))
    weight = torch.ones(1, 1, 12, 15)
    if masked:
        weight[..., 7:] = 0
    result = coloured(whitened(content, weight), style)[:, weight.flatten() > 0]
    wanted = style[0].flatten(1)
    assert torch.allclose(result.mean(1), wanted.mean(1))
    assert torch.allclose(torch.cov(result, correction=0), torch.cov(wanted, correction=0))


def test_wct_of_features_without_any_variance_is_finite() -> None:
    flat, weight = torch.full((1, 8, 3, 3), 0.5), torch.ones(1, 1, 3, 3)
    assert torch.isfinite(coloured(whitened(flat, weight), flat)).all()
    one = rand(1, 8, 1, 1)
    assert torch.isfinite(coloured(whitened(one, torch.ones(1, 1, 1, 1)), rand(1, 8, 5, 5))).all()


HOLDER = """
import pathlib
import sys
import numpy as np
from impasto.runtime import memory

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

with getattr(memory, sys.argv[1])():
    blocks = [np.ones(int(sys.argv[2])) for _ in range(int(sys.argv[3]))]
    before = resident()
    del blocks[::2]
    print(before - resident())
del blocks
print(before - resident())
"""


def given_back(loop: str, numbers: int, blocks: int) -> tuple[int, int]:
    """Bytes after half of the blocks is freed within the loop, and after all is and the loop left.

    In a process of its own: this one may have room left from other tests.
    """
    command = [sys.executable, "-c", HOLDER, loop, str(numbers), str(blocks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    within, after = map(int, done.stdout.split())
    return within, after


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_memory_of_tiles_goes_back_at_once() -> None:
    within, _ = given_back("large_blocks_returned", 2**19, 64)
    assert within > 24 * 2**22


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_memory_of_steps_is_kept_until_the_descent_ends() -> None:
    within, after = given_back("large_blocks_kept", 2**23, 8)
    assert within < 2**22
    assert after > 7 * 2**26
