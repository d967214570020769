"""The segmenter's trainer: a teacher made up here answers, a network learns from it, and is exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from impasto.regions import segmenter
from impasto.runtime import executor
from test_train import run

torch = pytest.importorskip("torch", reason="torch is not installed")

LABELS = [f"{number}\tclass{number}" for number in range(1, 151)]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of noise, and a teacher that is one convolution: what is bluish is its sky."""
    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for name in [f"content/{index:02}.jpg" for index in range(12)] + ["photos/a.jpg", "photos/b.jpg"]:
        (folder / name).parent.mkdir(exist_ok=True)
        colours = rng.integers(0, 255, (3, 4, 3), np.uint8)
        Image.fromarray(colours).resize((80, 60), Image.Resampling.NEAREST).save(folder / name)
    import tomllib

    from ade20k import GROUPS

    known = [name for members in tomllib.loads(GROUPS.read_text("utf-8")).values() for name in members]
    names = [*known, *("unheard of" for _ in range(150 - len(known)))]
    listing = "\n".join(f"{number}\t{name}" for number, name in enumerate(names, 1))
    (folder / "ade20k_labels.txt").write_text(listing, "utf-8")
    kernel = np.zeros((151, 1, 1, 3), np.float32)
    kernel[1 + names.index("sky"), 0, 0] = (-4, -4, 8)
    operators = [
        {"op": "CONV_2D", "in": [0, 1, 2], "out": [3], "s": 4, "dil": 1, "pad": 0, "act": 0},
        {"op": "RESIZE_BILINEAR", "in": [3, 4], "out": [5], "ac": True},
    ]
    np.savez(
        folder / "teacher.npz",
        **{"1": kernel, "2": np.zeros(151, np.float32), "4": np.array([513, 513])},
        ops=json.dumps(operators),
        inp=0,
        outp=5,
    )
    return folder


@pytest.fixture(scope="module")
def views(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("views")
    data = ("--data", material, "--teacher", material / "teacher.npz", "--out", out)
    run("segmenter_views.py", *data, "--photo-parts", 1)
    return out


def test_the_teacher_is_written_down(views: Path) -> None:
    listing = json.loads((views / "views.json").read_text("utf-8"))
    assert len(listing) == 28
    assert {view["name"] for view in listing if view["held_out"]} == {"content/05.jpg"}
    pixels, answers = (np.load(views / f"{name}.npy") for name in ("pixels", "answers"))
    sky = answers[..., segmenter.CLASSES.index("sky")]
    assert np.abs(answers.sum(3, np.int64) - 255).max() <= len(segmenter.CLASSES)
    centres = ((np.arange(65) + 0.5) * 256 / 65).astype(int)
    seen = pixels[:, centres][:, :, centres] / 255
    bluish = seen[..., 2] > seen[..., :2].max(3) + 0.5
    assert sky[bluish].mean() > 200
    assert sky[seen[..., 2] < seen[..., :2].min(3) - 0.5].mean() < 50


def test_trains_resumes_and_exports(views: Path, tmp_path: Path) -> None:
    file = tmp_path / "segmenter.safetensors"
    settings = ("--views", views, "--run", tmp_path, "--batch", 8, "--crop", 64, "--side", 64, "--every", 999)
    minutes, losses = 0.15, []
    for _ in range(2):
        run("segmenter.py", *settings, "--minutes", minutes, "--export", file)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        losses.append((saved["step"], float((tmp_path / "log.csv").read_text().split()[-1].split(",")[2])))
        minutes = saved["spent"] / 60 + 0.1
    (early, before), (late, after) = losses
    assert late > early
    assert after < before
    weights = load_file(file)
    assert {name: value.shape for name, value in weights.items() if "weight" in name} == {
        f"{name}.weight": (out, channels, kernel, kernel)
        for name, (out, channels, kernel) in segmenter.convolutions().items()
    }
    network = executor(segmenter.forward, weights, (3,), ())
    logits = network([np.zeros((64, 96, 3), np.float32)], [], lambda: None)
    assert logits.shape == (16, 24, len(segmenter.CLASSES))
    assert np.isfinite(logits).all()
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 6 * 160
