"""The trainer: it trains, resumes and exports, on pictures and a loss network made up here."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.engines.painter import INPUTS, Shape
from impasto.models import arbitrary, fitting, gallery

torch = pytest.importorskip("torch", reason="torch is not installed")

from impasto.engines.arbitrary import QUARTER, forward, matched, see, summary, unbiased  # noqa: E402
from impasto.engines.painter import forward as paint  # noqa: E402
from impasto.engines.vgg import LEVELS  # noqa: E402
from impasto.runtime.torch_executor import TorchOps  # noqa: E402

TRAIN = Path(__file__).parents[1] / "scripts/train"


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the trainer expects it, with noise for pictures and random weights for VGG."""
    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    names = [f"paintings/{style.painting}" for style in gallery.styles()]
    for name in [*names, *(f"{kind}/{index}.jpg" for kind in ("photos", "content") for index in range(3))]:
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (80, 90, 3), np.uint8)).save(folder / name)
    weights = {"0.weight": torch.randn(3, 3, 1, 1), "0.bias": torch.zeros(3)}
    channels = 3
    for level, out in zip(LEVELS, (64, 128, 256, 512), strict=False):
        for name in level:
            weights[f"{name}.weight"] = torch.randn(out, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            weights[f"{name}.bias"] = torch.zeros(out)
            channels = out
    torch.save(weights, folder / "vgg.pth")
    return folder


def run(script: str, *arguments: object) -> str:
    """What it printed."""
    command = [sys.executable, TRAIN / script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_trains_resumes_and_exports(material: Path, tmp_path: Path) -> None:
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path)
    minutes, steps = 0.001, []
    for _ in range(2):
        sizes = ("--crop", 64, "--style-size", 64)
        run("gallery.py", *data, *sizes, "--batch", 2, "--minutes", minutes)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        steps.append(saved["step"])
        minutes = saved["spent"] / 60 + 0.001
    assert steps == [1, 2]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == (len(gallery.styles()) + 1) * 64
    run("export.py", tmp_path / "checkpoint.pt", "--output", tmp_path / "gallery.safetensors")
    loaded = gallery.load(tmp_path / "gallery.safetensors")
    assert loaded.codes.shape == (len(gallery.styles()), Shape(**loaded.shape).code_length)


def test_the_code_of_one_style_is_trained_alone(material: Path, tmp_path: Path) -> None:
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path, "--minutes", 0.001)
    sizes = ("--crop", 64, "--style-size", 64, "--batch", 2)
    run("gallery.py", *data, *sizes, "--from-bundled", "--frozen", "--only", "sunrise")
    exported = tmp_path / "gallery.safetensors"
    run("export.py", tmp_path / "checkpoint.pt", "--codes-only", "--output", exported)
    before, after = gallery.load(), gallery.load(exported)
    assert after.fingerprint == before.fingerprint
    assert all((tensor == after.weights[name]).all() for name, tensor in before.weights.items())
    changed = (before.codes != after.codes).any(1)
    assert list(changed.nonzero()[0]) == [gallery.find("sunrise")]


def test_a_painter_grows_from_the_bundled_one(material: Path, tmp_path: Path) -> None:
    """With more blocks it paints nearly the same at first."""
    data = ("--data", material, "--run", tmp_path, "--minutes", 0.001)
    sizes = ("--crop", 64, "--style-size", 64, "--batch", 2)
    bundled = gallery.load()
    blocks = bundled.shape["blocks"] + 1, bundled.shape["fine_blocks"] + 2
    more = ("--blocks", blocks[0], "--fine-blocks", blocks[1])
    run("gallery.py", *data, *sizes, "--from-bundled", *more)
    run("export.py", tmp_path / "checkpoint.pt", "--output", tmp_path / "gallery.safetensors")
    grown = gallery.load(tmp_path / "gallery.safetensors")
    assert (grown.shape["blocks"], grown.shape["fine_blocks"]) == blocks
    photo = torch.rand(1, INPUTS, 64, 64)
    small, large = (
        paint(
            TorchOps({name: torch.from_numpy(x) for name, x in loaded.weights.items()}),
            Shape(**loaded.shape),
            photo,
            torch.from_numpy(loaded.codes[:1]),
        )
        for loaded in (bundled, grown)
    )
    assert 0 < (small - large).abs().mean() < 0.03


def test_the_mean_of_two_checkpoints_is_exported(tmp_path: Path) -> None:
    from torch_painter import TorchPainter

    shape, files = Shape(blocks=1, fine_blocks=1), []
    codes = torch.zeros(2, len(gallery.styles()), shape.code_length)
    codes[1, 3] = 2
    for index, code in enumerate(codes):
        painter = TorchPainter(shape, len(code))
        painter.codes.data = code
        files.append(tmp_path / f"{index}.pt")
        torch.save({"average": painter.state_dict(), "shape": asdict(shape), "step": index}, files[-1])
    run("export.py", *files, "--output", tmp_path / "gallery.safetensors")
    mean = gallery.load(tmp_path / "gallery.safetensors")
    assert (mean.codes[3] == 1).all()
    assert not mean.codes[:3].any()
    stems = [torch.load(file, weights_only=True)["average"]["weights.stem"] for file in files]
    assert np.allclose(mean.weights["stem.weight"], torch.stack(stems).mean(0), atol=1e-3)


def test_a_style_is_of_a_part_of_its_painting(tmp_path: Path) -> None:
    from pictures import learned_from

    painting = np.zeros((100, 200, 3), np.uint8)
    painting[50:, 40:] = 255
    Image.fromarray(painting).save(tmp_path / "light.png")
    style = gallery.Style("light", "", "", "", "", "light.png", (0.25, 0.6, 0.75, 1))
    part = np.asarray(learned_from(style, tmp_path, 50))
    assert part.shape == (20, 50, 3)
    assert part.min() > 250


@pytest.mark.parametrize("frozen", [(), ("--frozen", "style", "photo")], ids=["all", "but-the-eyes"])
def test_the_arbitrary_painter_trains_resumes_and_exports(
    material: Path, tmp_path: Path, frozen: tuple[str, ...]
) -> None:
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path, "--from-bundled")
    data = (*data, "--paintings", material / "photos", "--styles", 6, "--scenes", 6)
    bundled, minutes, steps = arbitrary.load(), 0.001, []
    for _ in range(2):
        sizes = ("--crop", 64, "--style-crop", 64, "--batch", 2)
        export = ("--export", tmp_path / "new.safetensors")
        run("arbitrary.py", *data, *sizes, *frozen, "--minutes", minutes, *export)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        steps.append(saved["step"])
        minutes = saved["spent"] / 60 + 0.001
    assert steps == [1, 2]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (4 * 64, 5 * 64)
    trained = arbitrary.load(tmp_path / "new.safetensors")
    assert trained.fingerprint != bundled.fingerprint
    assert {name: value.shape for name, value in trained.weights.items()} == {
        name: value.shape for name, value in bundled.weights.items()
    }
    changed = {name for name, value in trained.weights.items() if (value != bundled.weights[name]).any()}
    assert any(name.startswith(("style.", "photo.")) for name in changed) == (not frozen)
    assert {"correction.weight", "code.weight", "out.weight"} <= changed
    assert not any(name.startswith("usual.") for name in changed)


def test_the_loss_network_trains_resumes_and_exports(material: Path, tmp_path: Path) -> None:
    """It begins nearer to VGG-19 than to nothing, and goes on from there."""
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path)
    data = (*data, "--paintings", material / "photos", "--crop", 48, "--each", 1)
    minutes, steps = 0.001, []
    for _ in range(2):
        run("loss_network.py", *data, "--minutes", minutes, "--export", tmp_path / "new.safetensors")
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        steps.append(saved["step"])
        minutes = saved["spent"] / 60 + 0.001
    assert steps == [1, 2]
    trained, bundled = fitting.loss_network(tmp_path / "new.safetensors"), fitting.loss_network()
    assert {name: value.shape for name, value in trained.items()} == {
        name: value.shape for name, value in bundled.items()
    }


def test_the_loss_network_begins_with_the_channels_that_tell_most() -> None:
    from loss_network import telling, told

    chance = torch.Generator().manual_seed(0)
    sources = torch.randn(3, 4000, generator=chance, dtype=torch.double)
    mixing = torch.randn(20, 3, generator=chance, dtype=torch.double)
    wanted = mixing @ sources + 0.5
    noise = torch.randn(5, 4000, generator=chance, dtype=torch.double)
    known = torch.cat([noise, sources])
    chosen = telling(wanted, known, 3)
    assert sorted(chosen.tolist()) == [5, 6, 7]
    onto, rest = told(wanted, known[chosen])
    assert torch.allclose(onto.double() @ known[chosen] + rest[:, None], wanted, atol=1e-2)


def test_the_curvature_is_measured(material: Path, tmp_path: Path) -> None:
    exported = tmp_path / "curvature.safetensors"
    sizes = ("--styles", 4, "--each", 2, "--style-crop", 64, "--photographs", 3)
    run("curvature.py", "--data", material, *sizes, "--export", exported)
    measured = fitting.curvature(exported)
    assert measured.fingerprint == arbitrary.load().fingerprint
    assert measured.photographs.shape == (3, 128, 128, 3)
    assert (np.linalg.eigvalsh(measured.inverse) > 0).all()


def test_a_code_does_what_matching_the_styles_statistics_does() -> None:
    from torch_arbitrary import TorchArbitrary

    painter = TorchArbitrary().requires_grad_(False)
    weights = {name: tensor.clone() for name, tensor in painter.exported().items()}
    for name in unbiased():
        weights[f"code.{name}.weight"] = weights[f"{name}.weight"].sum((2, 3), keepdim=True)
        weights[f"code.{name}.bias"] = torch.randn(len(weights[f"{name}.weight"]))
    ops = TorchOps(weights)
    photo, style = torch.rand(1, 3, 64, 48), torch.rand(1, 3, 80, 64)
    statistics = summary(ops, style)
    painted = forward(ops, photo, None, matched(ops, statistics)[:, :, 0, 0])

    plain = TorchOps(weights | {f"{name}.bias": weights[f"code.{name}.bias"] for name in unbiased()})
    wanted = plain.conv(statistics[:, -4 * QUARTER :], "code").split(QUARTER, 1)
    x = see(plain, photo)
    for level, (deviation, mean, gain, shift) in (("far", wanted[4:]), ("near", wanted[:4])):
        x = plain.norm(x) * deviation + mean
        inner = (plain.conv(x, f"{level}.0") * gain + x * shift).relu()
        x = x + plain.conv(inner, f"{level}.1") * gain + inner * shift
    for part in ("half", "full"):
        x = plain.conv_enlarged(x, part).relu()
        x = plain.conv(x, f"{part}.mix").relu()
    reference = plain.conv(x, "out") + 0.5
    assert reference.std() > 1e-3
    assert (painted - reference).abs().max() < 1e-3 * reference.std()


def test_features_without_means_paint_the_same() -> None:
    from torch_arbitrary import centred

    weights = {name: torch.from_numpy(tensor) for name, tensor in arbitrary.load().weights.items()}
    weights = weights | {
        f"photo.{name}.bias": torch.randn(64) for name in ("near.0", "near.1", "far.0", "far.1")
    }
    photo = torch.rand(1, 3, 64, 48)
    shifted = centred(weights, torch.rand(2, 3, 64, 64))
    before, after = (see(TorchOps(each), photo) for each in (weights, shifted))
    assert after.mean((0, 2, 3)).abs().max() < 0.1 * before.mean((0, 2, 3)).abs().max()
    norm = TorchOps(weights).norm
    assert torch.allclose(norm(before), norm(after), atol=1e-3)


def test_a_style_takes_on_the_colours_of_another() -> None:
    from style_crops import in_colours_of

    chance = torch.Generator().manual_seed(0)
    image, other = (0.4 + 0.2 * torch.rand(3, 64, 64, generator=chance) for _ in range(2))
    other[1] = 0.5 * (other[0] + other[1]) - 0.05
    moved = in_colours_of(image, other)
    assert torch.allclose(moved.mean((1, 2)), other.mean((1, 2)), atol=1e-3)
    found, wanted = (torch.cov(picture.flatten(1)) for picture in (moved, other))
    assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()
    gray = torch.full((3, 64, 64), 0.5) + 0.2 * torch.rand(1, 64, 64, generator=chance)
    assert torch.isfinite(in_colours_of(gray, other)).all()
    assert torch.isfinite(in_colours_of(torch.zeros(3, 8, 8), other)).all()


def test_puzzles_are_put_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 255, (40, 60, 3), np.uint8)
    files = {"board/one.qml": board("Someone, Sea - 1900"), "board/two.qml": board("Nobody, Land - 1901")}
    for name, part in (("left", whole[:, :20]), ("right", whole[:, 20:])):
        data = io.BytesIO()
        Image.fromarray(part).save(data, "webp", lossless=True)
        files[f"image/{name}.webp"] = data.getvalue()
    (tmp_path / "paintings.rcc").write_bytes(resources(files))
    run("puzzles.py", tmp_path / "paintings.rcc", tmp_path / "out", "--except", "Land")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["someone-sea.png"]
    with Image.open(tmp_path / "out/someone-sea.png") as picture:
        assert (np.asarray(picture) == whole).all()


def board(title: str) -> bytes:
    """Two pieces, of 20 x 40 and 40 x 40 pixels, side by side on 100 x 50."""
    pieces = "".join(
        f'{{"pixmapfile" : "image/{name}.webp", "x" : "{x}", "y" : "0.5"}}'
        for name, x in (("left", 0.3), ("right", 0.6))
    )
    return f'qsTr("{title}") {{"width": 100, "height": 50}}, {pieces}'.encode()


def resources(files: dict[str, bytes]) -> bytes:
    """A Qt resource file of version 1 with these files in their folders, every second one compressed."""
    folders = sorted({path.split("/")[0] for path in files})
    names, contents, nodes, leaves = b"", b"", [(0, 2, len(folders), 1)], []

    def name(text: str) -> int:
        nonlocal names
        start = len(names)
        names += struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")
        return start

    for folder in folders:
        paths = [path for path in files if path.startswith(folder)]
        nodes.append((name(folder), 2, len(paths), 1 + len(folders) + len(leaves)))
        for path in paths:
            data, squeezed = files[path], len(leaves) % 2
            data = struct.pack(">I", len(data)) + zlib.compress(data) if squeezed else data
            leaves.append((name(path.split("/")[1]), squeezed, 0, len(contents)))
            contents += struct.pack(">I", len(data)) + data
    tree = b"".join(struct.pack(">IHII", *node) for node in (*nodes, *leaves))
    starts = 20, 20 + len(tree), 20 + len(tree) + len(contents)
    return struct.pack(">4s4I", b"qres", 1, *starts) + tree + contents + names


def test_whole_convolutions_do_what_split_ones_did() -> None:
    from torch_arbitrary import ungrouped

    x, weight = torch.randn(1, 6, 9, 9), torch.randn(9, 2, 3, 3)
    split = torch.nn.functional.conv2d(x, weight, groups=3)
    assert torch.allclose(torch.nn.functional.conv2d(x, ungrouped(weight, 6)), split, atol=1e-5)
