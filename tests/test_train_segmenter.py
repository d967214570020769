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
from mirror import MIRROR
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


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the teacher's layers with random weights, as its file holds them."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    operators: list[dict[str, object]] = []

    def constant(value: np.ndarray) -> int:
        arrays[str(len(arrays))] = value.astype(np.float32)
        return len(arrays) - 1

    for name, (out, channels, kernel) in segmenter.convolutions().items():
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
    path = tmp_path_factory.mktemp("layers") / "layers.npz"
    np.savez(path, ops=json.dumps(operators), **arrays)  # pyright: ignore[reportArgumentType]
    return path


def test_the_teachers_layers_are_taken_over(layers: Path) -> None:
    from torch_segmenter import TorchSegmenter, first_layers

    found = first_layers(layers)
    rng = np.random.default_rng(0)
    stem = rng.normal(size=(32, 3, 3, 3), scale=0.1)
    np.testing.assert_allclose(found["stem.weight"], 2 * stem, rtol=1e-4)
    assert len(found) == 2 * (1 + 3 * len(segmenter.BLOCKS) - 1)
    plain = np.load(layers)
    bias = plain["3"], plain["4"], plain["5"]  # of the first block: after its kernel, gain and shift
    np.testing.assert_allclose(found["block0.see.bias"], bias[0] * bias[1] + bias[2], rtol=1e-5)
    assert len(TorchSegmenter().start_from(layers)) == len(found)


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
    for name, (out, channels, kernel) in segmenter.convolutions().items():
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
        segmenter.forward(ops, torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))
    found = next(value for value in ops.seen if value.shape == (32, 64, 64))
    middle = slice(20, 44)
    difference = np.abs(found[:, middle, middle] - expected[:, middle, middle])
    assert difference.mean() < 0.02 * np.abs(expected[:, middle, middle]).mean()


def test_trains_resumes_and_exports(views: Path, layers: Path, tmp_path: Path) -> None:
    file = tmp_path / "segmenter.safetensors"
    settings = ("--views", views, "--teacher", layers, "--run", tmp_path, "--batch", 8, "--crop", 64)
    settings += ("--side", 64, "--every", 999)
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
