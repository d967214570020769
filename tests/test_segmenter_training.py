"""The segmenter's trainer: it starts from the teacher's first layers, trains, goes on and exports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from impasto.regions.segmenter import BLOCKS, CELL, convolutions, forward
from impasto.runtime import executor
from impasto.selector import CLASSES
from mirror import MIRROR

torch = pytest.importorskip("torch", reason="torch is not installed")

TRAIN = Path(__file__).parents[1] / "scripts/train"
SIDE = 256


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the teacher's layers with random weights, as its file holds them."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    operators: list[dict[str, object]] = []

    def constant(value: np.ndarray) -> int:
        arrays[str(len(arrays))] = value.astype(np.float32)
        return len(arrays) - 1

    for name, (out, channels, kernel) in convolutions().items():
        if not name.startswith(("stem", "block")):
            break
        weight = rng.normal(size=(out, channels, kernel, kernel), scale=0.1)
        kind = "DEPTHWISE_CONV_2D" if channels == 1 else "CONV_2D"
        order = (1, 2, 3, 0) if channels == 1 else (0, 2, 3, 1)
        place = [-1, constant(weight.transpose(order)), constant(rng.normal(size=out))]
        operators.append({"op": kind, "in": place, "out": [-2]})
        if name.endswith("see"):  # a norm that was not folded into it
            operators.append({"op": "MUL", "in": [-2, constant(np.full(out, 2.0))], "out": [-3]})
            operators.append({"op": "ADD", "in": [-3, constant(np.full(out, 3.0))], "out": [-4]})
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, ops=json.dumps(operators), **arrays)  # pyright: ignore[reportArgumentType]
    return path


def test_the_teachers_layers_are_taken_over(teacher: Path) -> None:
    from torch_segmenter import TorchSegmenter, first_layers

    found = first_layers(teacher)
    rng = np.random.default_rng(0)
    stem = rng.normal(size=(32, 3, 3, 3), scale=0.1)
    np.testing.assert_allclose(found["stem.weight"], 2 * stem, rtol=1e-4)
    assert len(found) == 2 * (1 + 3 * len(BLOCKS) - 1)
    plain = np.load(teacher)
    bias = plain["3"], plain["4"], plain["5"]  # of the first block: after its kernel, gain and shift
    np.testing.assert_allclose(found["block0.see.bias"], bias[0] * bias[1] + bias[2], rtol=1e-5)
    assert len(TorchSegmenter().start_from(teacher)) == len(found)


def test_the_real_teachers_layers_see_what_it_sees() -> None:
    """In the middle of a picture, where no border is near."""
    path = MIRROR / "ade20k_deeplab.npz"
    if not path.is_file():
        pytest.skip(f"the segmenter's teacher is not in {MIRROR} (see IMPASTO_MIRROR)")
    import openvino

    from ade20k import graph
    from torch_segmenter import first_layers

    whole = graph(path)
    taken = first_layers(path)
    for name, (out, channels, kernel) in convolutions().items():
        taken.setdefault(f"{name}.weight", np.zeros((out, channels, kernel, kernel), np.float32))
        taken.setdefault(f"{name}.bias", np.zeros(out, np.float32))
    picture = np.random.default_rng(0).random((512, 512, 3), np.float32)
    picture = np.kron(picture[::32, ::32], np.ones((32, 32, 1), np.float32))
    adds = [node for node in whole.get_ordered_ops() if node.get_type_name() == "Add"]
    eighth = [node for node in adds if list(node.get_output_partial_shape(0))[1:] == [32, 65, 65]]
    # After the biases of two projections comes the first sum of a block and what it got.
    model = openvino.Model([eighth[2]], whole.get_parameters(), "part")  # pyright: ignore
    padded = np.pad(picture, ((0, 1), (0, 1), (0, 0)), "edge").transpose(2, 0, 1)[None] * 2 - 1
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    expected = openvino.Core().compile_model(model, "CPU", settings)(padded)[0][0]

    from impasto.runtime.torch_executor import TorchOps

    class Watching(TorchOps):
        seen: list[np.ndarray] = []  # noqa: RUF012

        def add(self, x, y):
            result = super().add(x, y)
            self.seen.append(result[0].detach().numpy())
            return result

    ops = Watching({name: torch.from_numpy(value) for name, value in taken.items()})
    with torch.inference_mode():
        forward(ops, torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))
    found = next(value for value in ops.seen if value.shape == (32, 64, 64))
    middle = slice(20, 44)
    difference = np.abs(found[:, middle, middle] - expected[:, middle, middle])
    assert difference.mean() < 0.02 * np.abs(expected[:, middle, middle]).mean()


def test_it_trains_goes_on_and_exports(teacher: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "pixels.npy", rng.integers(0, 255, (6, SIDE, SIDE, 3), np.uint8))
    answers = rng.integers(0, 255, (6, SIDE // CELL + 1, SIDE // CELL + 1, len(CLASSES)), np.uint8)
    np.save(tmp_path / "answers.npy", answers)
    views = [
        {"name": f"{folder}/{number}.jpg", "part": [0, 0, 1, 1], "held_out": number == 2, "seen": True}
        for folder in ("content", "photos")
        for number in range(3)
    ]
    (tmp_path / "views.json").write_text(json.dumps(views))
    out, minutes, steps = tmp_path / "out.safetensors", 0.001, []
    for _ in range(2):
        words = [
            *("--views", tmp_path, "--teacher", teacher, "--run", tmp_path / "run", "--minutes", minutes),
            *("--batch", 2, "--crop", 64, "--side", 64, "--float32", "--export", out),
        ]
        command = [sys.executable, str(TRAIN / "segmenter.py"), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        saved = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
        steps.append(saved["step"])
        minutes = saved["spent"] / 60 + 0.001
    assert steps == [1, 2]
    from safetensors.numpy import load_file

    weights = {name: value.astype(np.float32) for name, value in load_file(out).items()}
    result = executor(forward, weights, (3,), ())([np.zeros((64, 96, 3), np.float32)], [], lambda: None)
    assert result.shape == (16, 24, len(CLASSES))
