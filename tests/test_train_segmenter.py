"""How the segmenter is trained from its teacher: of one made up here, and of the real one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from impasto.regions import segmenter
from impasto.runtime import executor
from impasto.runtime.quantised import restored
from mirror import MIRROR
from test_train import run

torch = pytest.importorskip("torch", reason="torch is not installed")


class MadeUp:
    """A teacher of random weights, written down operator by operator as the real one is."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.constants: dict[str, np.ndarray] = {}
        self.operators: list[dict[str, object]] = []
        self.last = 0

    def constant(self, value: np.ndarray) -> int:
        self.last += 1
        self.constants[str(self.last)] = value
        return self.last

    def does(self, kind: str, inputs: list[int], **settings: object) -> int:
        self.last += 1
        self.operators.append({"op": kind, "in": inputs, "out": [self.last], **settings})
        return self.last

    def convolves(self, x: int, name: str, out: int, act: int, stride: int = 1, dilation: int = 1) -> int:
        _, channels, kernel = (segmenter.convolutions() | {"both": (0, segmenter.CONTEXT * 2, 1)})[name]
        scale = 1.5 * (channels * kernel**2) ** -0.5
        weight = self.rng.normal(size=(out, channels, kernel, kernel), scale=scale)
        if name == "answer":  # to what differs from place to place, not to what is the same
            weight -= weight.mean(1, keepdims=True)
        by_channel = channels == 1
        weight = weight.transpose((1, 2, 3, 0) if by_channel else (0, 2, 3, 1)).astype(np.float32)
        inputs = [x, self.constant(weight), self.constant(self.vector(out, 0.2))]
        settings = {"s": stride, "dil": dilation, "pad": 0}
        kind = "DEPTHWISE_CONV_2D" if by_channel else "CONV_2D"
        if dilation == 1:
            return self.does(kind, inputs, act=act, **settings)
        y = self.does(kind, inputs, act=0, **settings)  # its norm is not folded into it
        y = self.does("MUL", [y, self.constant(1 + self.vector(out, 0.2))])
        return self.does("ADD", [y, self.constant(self.vector(out, 0.2))], act=act)

    def vector(self, count: int, spread: float) -> np.ndarray:
        return self.rng.normal(size=count, scale=spread).astype(np.float32)

    def looks(self) -> int:
        """All its layers: what it answers."""
        inside, before = segmenter.STEM, segmenter.STEM
        x, detail = self.convolves(0, "stem", before, 3, 2), 0
        for index, (channels, stride, dilation) in enumerate(segmenter.BLOCKS):
            y = x
            if index:
                inside = before * segmenter.EXPANSION
                y = self.convolves(x, f"block{index}.expand", inside, 3)
            y = self.convolves(y, f"block{index}.see", inside, 3, stride, dilation)
            detail = y if index == segmenter.DETAILED else detail
            y = self.convolves(y, f"block{index}.project", channels, 0)
            x = self.does("ADD", [x, y], act=0) if (channels, stride) == (before, 1) else y
            before = channels
        whole = self.does("AVERAGE_POOL_2D", [x])
        whole = self.convolves(whole, "whole", segmenter.CONTEXT, 1)
        whole = self.does("RESIZE_BILINEAR", [whole, self.constant(np.array([65, 65]))], ac=True)
        here = self.convolves(x, "here", segmenter.CONTEXT, 1)
        x = self.convolves(self.does("CONCATENATION", [whole, here]), "both", segmenter.CONTEXT, 1)
        x = self.does("RESIZE_BILINEAR", [x, self.constant(np.array([129, 129]))], ac=True)
        x = self.does("CONCATENATION", [x, self.convolves(detail, "detail", segmenter.DETAIL, 1)])
        for step in range(2):
            inside = segmenter.CONTEXT + (0 if step else segmenter.DETAIL)
            x = self.convolves(x, f"join{step}.see", inside, 1)
            x = self.convolves(x, f"join{step}.mix", segmenter.CONTEXT, 1)
        x = self.convolves(x, "answer", 151, 0)
        return self.does("RESIZE_BILINEAR", [x, self.constant(np.array([513, 513]))], ac=True)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs of spots, a teacher, and its labels."""
    from ade20k import GROUPS

    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for index in range(4):
        colours = rng.integers(0, 255, (3, 4, 3), np.uint8)
        spots = Image.fromarray(colours).resize((80, 60), Image.Resampling.NEAREST)
        kind = ("photos", "content")[index % 2]
        (folder / kind).mkdir(exist_ok=True)
        spots.save(folder / kind / f"{index}.jpg")
    known = [name for members in tomllib.loads(GROUPS.read_text("utf-8")).values() for name in members]
    labels = [*known, *("unheard of" for _ in range(150 - len(known)))]
    listing = "\n".join(f"{number}\t{name}" for number, name in enumerate(labels, 1))
    (folder / "ade20k_labels.txt").write_text(listing, "utf-8")
    teacher = MadeUp()
    answer = teacher.looks()
    constants = {name: np.asarray(value) for name, value in teacher.constants.items()}
    operators = json.dumps(teacher.operators)
    np.savez(folder / "teacher.npz", ops=operators, inp=0, outp=answer, **constants)  # pyright: ignore
    return folder


@pytest.mark.parametrize("real", [False, True], ids=["made up", "real"])
def test_the_segmenter_answers_as_its_teacher(real: bool, made_up: Path) -> None:
    """With weights that are not rounded, to a picture that is no photograph, up to the borders."""
    path = MIRROR / "ade20k_deeplab.npz" if real else made_up / "teacher.npz"
    if not path.is_file():
        pytest.skip(f"the segmenter's teacher is not in {MIRROR} (see IMPASTO_MIRROR)")
    from ade20k import Teacher, segmenters_weights

    spots = np.random.default_rng(0).integers(0, 255, (27, 27, 3), np.uint8)
    picture = np.kron(spots, np.ones((19, 19, 1), np.uint8))
    assert picture.shape == (segmenter.SIDE, segmenter.SIDE, 3)
    expected = Teacher(path)(Image.fromarray(picture))
    weights = segmenters_weights(path)
    shown = picture.astype(np.float32) / 127.5 - 1
    found = executor(segmenter.forward, weights, (3,), (), exact=True)([shown], [], lambda: None)[::2, ::2]
    assert found.shape == expected.shape
    assert expected.std(axis=(0, 1)).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_it_trains_resumes_is_exported_and_judged(made_up: Path, tmp_path: Path) -> None:
    file = tmp_path / "segmenter.safetensors"
    photographs = sorted((made_up / "photos").glob("*.jpg"))
    data = ("--teacher", made_up / "teacher.npz", "--data", made_up, "--run", tmp_path, "--batch", 1)
    run("segmenter.py", *data, "--minutes", 0.001)
    first = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    minutes = first["spent"] / 60 + 0.001
    said = run("segmenter.py", *data, "--minutes", minutes, "--export", file, "--judge", *photographs)
    last = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (first["step"], last["step"]) == (1, 2)
    shares = [float(line.split()[0]) for line in said.splitlines()]
    assert len(shares) == len(photographs) + 1
    assert shares[-1] == pytest.approx(np.mean(shares[:-1]), abs=1e-4)
    stored = load_file(file)
    assert stored["block3.expand.weight"].dtype == np.int8
    from ade20k import segmenters_weights

    found, expected = restored(stored), segmenters_weights(made_up / "teacher.npz")
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=np.abs(value).max() / 127 + 3e-4)
        if name != "groups":
            assert last["moved"][name].any(), name


def test_an_answer_agrees_with_itself_in_all_and_with_another_in_part() -> None:
    from segmenter import enlarged

    answer = np.random.default_rng(0).random((129, 129, 3), np.float32)
    large = enlarged(answer)
    assert large.shape == (segmenter.SIDE, segmenter.SIDE, 3)
    np.testing.assert_allclose(large[::4, ::4], answer, atol=1e-5)
    np.testing.assert_allclose(large[2, 0], (answer[0, 0] + answer[1, 0]) / 2, atol=1e-5)


def test_the_slope_of_a_convolution_by_channel_is_that_of_torch() -> None:
    from segmenter import ByChannel

    rng = np.random.default_rng(0)
    x, weight, slope = (
        torch.from_numpy(rng.normal(size=s)) for s in ((2, 5, 9, 11), (5, 1, 3, 3), (2, 5, 9, 11))
    )
    for dilation in (1, 2, 4):
        inputs = x.clone().requires_grad_(), weight.clone().requires_grad_()
        expected = torch.nn.functional.conv2d(*inputs, None, 1, dilation, dilation, 5)
        found = ByChannel.apply(*inputs, dilation)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(
            torch.autograd.grad(found, inputs, slope), torch.autograd.grad(expected, inputs, slope)
        )
