"""The trainer: it trains, resumes and exports, on pictures and a loss network made up here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.engines.painter import Shape
from impasto.models import arbitrary, gallery

torch = pytest.importorskip("torch", reason="torch is not installed")

from impasto.engines.vgg import LEVELS  # noqa: E402

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


@pytest.mark.parametrize("frozen", [(), ("--frozen", "style")], ids=["all", "but-the-eye"])
def test_the_arbitrary_painter_trains_resumes_and_exports(
    material: Path, tmp_path: Path, frozen: tuple[str, ...]
) -> None:
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path, "--from-bundled")
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
    assert any(name.startswith("style.") for name in changed) == (not frozen)
    assert {"code.weight", "out.weight"} <= changed


def test_whole_convolutions_do_what_split_ones_did() -> None:
    from torch_arbitrary import ungrouped

    x, weight = torch.randn(1, 6, 9, 9), torch.randn(9, 2, 3, 3)
    split = torch.nn.functional.conv2d(x, weight, groups=3)
    assert torch.allclose(torch.nn.functional.conv2d(x, ungrouped(weight, 6)), split, atol=1e-5)
