"""The trainer: it trains, resumes and exports, on pictures and a loss network made up here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.engines.painter import Shape
from impasto.models import gallery

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


def run(script: str, *arguments: object) -> None:
    command = [sys.executable, TRAIN / script, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def test_trains_resumes_and_exports(material: Path, tmp_path: Path) -> None:
    data = ("--data", material, "--vgg", material / "vgg.pth", "--run", tmp_path)
    run("encoder.py", *data, "--steps", 1, "--batch", 1, "--crop", 64)
    minutes, steps = 0.001, []
    for _ in range(2):
        sizes = ("--crop", 64, "--style-size", 64, "--style-crop", 64, "--style-crops", 1)
        run("gallery.py", *data, *sizes, "--batch", 2, "--minutes", minutes)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        steps.append(saved["step"])
        minutes = saved["spent"] / 60 + 0.001
    assert steps == [1, 2]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == (len(gallery.styles()) + 1) * 64
    run("export.py", tmp_path / "checkpoint.pt", "--output", tmp_path / "gallery.safetensors")
    loaded = gallery.load(tmp_path / "gallery.safetensors")
    assert "level3.1.weight" in loaded.encoder
    assert loaded.codes.shape == (len(gallery.styles()), Shape(**loaded.shape).code_length)
