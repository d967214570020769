"""Segment Anything: our network against the reference, what a click, a box and everything give, the cache."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.backends.delivery import deliver_segments
from impasto.errors import Cancelled, JobError, ModelMissing, UsageError
from impasto.models import store
from impasto.raster import Raster, load
from impasto.raster.sampling import working_copy
from impasto.regions import mask_decoder, objects, segments, tiny_vit
from impasto.regions.sam import SIDE, Sam, enlarged, normalised, sam
from impasto.runtime import network
from mirror import import_models

EXAMPLES = Path(__file__).parents[1] / "examples"

PROMPTS: dict[str, list[Any]] = {
    "roman-colosseum": [
        [(800, 450, True)],
        [(1300, 300, True)],
        [(640, 580, True)],
        [(700, 450, True), (1300, 300, False)],
        (60, 250, 150, 500),
    ],
    "lake-sherburne": [
        [(800, 700, True)],
        [(800, 100, True)],
        [(500, 330, True)],
        [(100, 300, True), (600, 330, True)],
        (330, 200, 1550, 670),
    ],
    "oakland-zoo-otters": [
        [(800, 450, True)],
        [(350, 120, True)],
        [(250, 480, True)],
        [(500, 600, True), (800, 450, False)],
        (480, 240, 1520, 700),
    ],
    "singaporean-cityscape": [
        [(370, 350, True)],
        [(800, 800, True)],
        [(1200, 430, True)],
        [(200, 100, True), (1500, 100, True)],
        (530, 250, 640, 540),
    ],
}
"""Points or a box for each example, in its pixels: 20 in all."""


def nothing() -> None:
    pass


def prompt(given: Any) -> dict[str, Any]:
    return {"points": given} if isinstance(given, list) else {"points": (), "box": given}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """MobileSAM, imported into a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_MODELS", str(tmp_path_factory.mktemp("models")))
        patch.delenv("IMPASTO_SAM", raising=False)
        import_models("mobile-sam")
        sam.cache_clear()
        objects.forget()
        yield store.tensors("mobile-sam")
    sam.cache_clear()
    objects.forget()


@pytest.fixture(scope="module")
def otters(weights: Any) -> Raster:
    return load(EXAMPLES / "oakland-zoo-otters.jpg")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def reference_decoder(saved: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """The published prompt encoder and mask decoder, in torch, with these weights."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    package = pytest.importorskip("segment_anything.modeling", reason="segment-anything is not installed")
    prompts = package.PromptEncoder(256, (64, 64), (1024, 1024), 16)
    transformer = package.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = package.MaskDecoder(transformer_dim=256, transformer=transformer)
    for name, module in (("prompt_encoder.", prompts), ("mask_decoder.", decoder)):
        state = {
            key.removeprefix(name): torch.from_numpy(value) for key, value in saved.items() if name in key
        }
        module.load_state_dict(state)
        module.eval()
    return prompts, decoder


def test_masks_are_those_of_the_reference(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image encoder in torch and float32, then the published decoder, against what a user gets."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    prompts, decoder = reference_decoder(weights)
    own = {
        key.removeprefix("image_encoder."): value for key, value in weights.items() if "image_encoder" in key
    }
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    encoder = network(tiny_vit.forward, tiny_vit.prepare(own), [(1, SIDE, SIDE, 3)], exact=True)
    monkeypatch.delenv("IMPASTO_DEVICE")
    overlaps: dict[str, float] = {}
    for name, several in PROMPTS.items():
        raster = load(EXAMPLES / f"{name}.jpg")
        scene = objects.scene(raster)
        picture = working_copy(raster, scene.width, scene.height, objects.KERNEL)
        encoded = torch.from_numpy(encoder([normalised(picture)], nothing)[0]).permute(0, 3, 1, 2)
        scale = scene.width / raster.width
        for given in several:
            points = given if isinstance(given, list) else []
            where = torch.tensor([[[x * scale, y * scale] for x, y, _ in points]])
            kinds = torch.tensor([[int(inside) for *_, inside in points]])
            box = None if isinstance(given, list) else torch.tensor([given]) * scale
            with torch.no_grad():
                sparse, dense = prompts((where, kinds) if points else None, box, None)
                answers, quality = decoder.predict_masks(encoded, prompts.get_dense_pe(), sparse, dense)
                single = len(points) == 1
                best = 1 + int(quality[0, 1:].argmax()) if single else None
                large = torch.nn.functional.interpolate(answers, (SIDE, SIDE), mode="bilinear")
            masks = large[0, :, : scene.height, : scene.width].numpy() > 0
            mine = scene.pick(**prompt(given)) > 0.5
            if best is None:
                best = max(range(4), key=lambda answer: overlap(masks[answer], mine))
            overlaps[f"{name} {given}"] = overlap(masks[best], mine)
    assert len(overlaps) == 20
    assert {key: value for key, value in overlaps.items() if value < 0.99} == {}


def test_the_official_models_answer_as_their_own_predictor() -> None:
    """The base model with random weights, through the package's predictor and through ours."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    package = pytest.importorskip("segment_anything", reason="segment-anything is not installed")
    from impasto.regions import vit_encoder

    torch.manual_seed(1)
    model = package.sam_model_registry["vit_b"]().eval()
    raster = load(EXAMPLES / "oakland-zoo-otters.jpg")
    small = (working_copy(raster, 1024, 576) * 255).round().astype(np.uint8)
    predictor = package.SamPredictor(model)
    predictor.set_image(small)
    scene = objects.Scene(vit_encoder.wrapped(model), Raster(small))
    expected = predictor.features.permute(0, 2, 3, 1).numpy()
    assert np.abs(scene.encoded - expected).max() < 1e-3 * np.abs(expected).max()
    for points, kinds, box in (
        ([[500, 300]], [1], None),
        ([[500, 300], [100, 100]], [1, 0], None),
        ([], [], [300, 150, 950, 450]),
        ([[500, 300]], [1], [300, 150, 950, 450]),
    ):
        for multimask in (True, False):
            *_, expected = predictor.predict(
                np.array(points) if points else None,
                np.array(kinds) if points else None,
                np.array(box) if box else None,
                multimask_output=multimask,
            )
            where = [*points, *([box[:2], box[2:]] if box else [[0, 0]])]
            labels = [*kinds, *([2, 3] if box else [-1])]
            answers, _ = scene.model.decode(
                scene.encoded, np.array([where], np.float32), np.array([labels]), nothing
            )
            mine = answers[0, 1:] if multimask else answers[0, :1]
            assert np.abs(mine - expected).max() < 1e-2 * np.abs(expected).max()
            assert overlap(mine > 0, expected > 0) > 0.99


def test_many_prompts_at_once_are_each_answered_alone(weights: Any, otters: Raster) -> None:
    scene = objects.scene(otters)
    points = np.array([[[500, 300], [0, 0]], [[150, 300], [0, 0]], [[900, 500], [0, 0]]], np.float32)
    labels = np.tile([1, -1], (3, 1))
    together, quality = scene.model.decode(scene.encoded, points, labels, nothing)
    for index in range(3):
        alone, own = scene.model.decode(scene.encoded, points[index : index + 1], labels[:1], nothing)
        assert np.abs(alone[0] - together[index]).max() < 1e-2
        assert np.abs(own[0] - quality[index]).max() < 1e-3


def test_torch_answers_as_openvino_does(
    weights: Any, otters: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    scene = objects.scene(otters)
    point = np.array([[[500, 300], [0, 0]]], np.float32), np.array([[1, -1]])
    masks, quality = scene.model.decode(scene.encoded, *point, nothing)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    other = Sam(lambda square, check: square, weights)
    assert "torch" in other.device
    theirs, their_quality = other.decode(scene.encoded, *point, nothing)
    assert np.abs(masks - theirs).max() < 1e-2
    assert np.abs(quality - their_quality).max() < 1e-3


def test_a_click_is_answered_without_torch(weights: Any) -> None:
    """In a fresh process in which torch cannot be imported, as in the base installation."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'torchvision', 'segment_anything']))\n"
        "from impasto.raster import load; from impasto.regions import objects\n"
        f"mask = objects.pick(load({str(EXAMPLES / 'oakland-zoo-otters.jpg')!r}), [(800, 450, True)])\n"
        "print(round(float(mask.mean()), 2), mask.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.15 (576, 1024)\n"


def test_masks_are_enlarged_as_torch_does() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    logits = np.random.default_rng(0).normal(0, 8, (256, 256)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], (SIDE, SIDE), mode="bilinear"
    )
    assert np.abs(enlarged(logits, 576, 1024) - expected[0, 0, :576].numpy()).max() < 1e-3


def test_a_click_selects_the_animal_and_another_takes_from_it(otters: Raster) -> None:
    animal = objects.pick(otters, [(800, 450, True)])
    assert animal.shape == (576, 1024)
    assert animal.dtype == np.float32
    assert 0.1 < animal.mean() < 0.2
    assert animal[288, 512] > 0.99
    assert animal[100, 100] < 0.01
    assert overlap(animal > 0.5, objects.pick(otters, (), (480, 240, 1520, 700)) > 0.5) > 0.95
    assert overlap(animal > 0.5, objects.subject(otters) > 0.5) > 0.95
    water = objects.pick(otters, [(300, 200, True), (800, 450, False)])
    assert water[288, 512] < 0.5 < water[128, 192]


def test_everything_has_stable_numbers_from_large_to_small(otters: Raster) -> None:
    found = objects.everything(otters)
    assert found.labels.shape == (576, 1024)
    assert found.labels.dtype == np.uint16
    count = len(found.logits)
    assert 5 <= count <= 60
    assert set(np.unique(found.labels)) - {0} == set(range(1, count + 1))
    areas = [np.count_nonzero(enlarged(mask.astype(np.float32), 576, 1024) > 0) for mask in found.logits]
    assert areas == sorted(areas, reverse=True)
    animal = found.labels[288, 512]
    assert overlap(objects.segment(otters, animal) > 0.5, found.labels == animal) > 0.9
    shares = sum(objects.segment(otters, number) for number in range(1, count + 1))
    assert np.mean(shares > 1.2) < 0.02
    objects.forget()
    assert np.array_equal(objects.everything(otters).labels, found.labels)
    with pytest.raises(JobError, match=f"no segment {count + 1}; this picture's go from 1 to {count}"):
        objects.segment(otters, count + 1)


def test_a_map_of_the_segments_says_where_each_lies(otters: Raster) -> None:
    parcel = deliver_segments(otters, lambda fraction, text: None)
    labels = np.frombuffer(parcel.data, np.uint16).reshape(otters.height, otters.width)
    listed = parcel.meta["segments"]
    assert {0, *(segment["id"] for segment in listed)} == set(np.unique(labels))
    for segment in listed:
        rows, columns = np.nonzero(labels == segment["id"])
        assert segment["area"] == len(rows)
        assert segment["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_a_plain_picture_has_nothing_in_it(weights: Any) -> None:
    plain = Raster(np.full((90, 160, 3), 128, np.uint8))
    assert objects.subject(plain).shape == (576, 1024)
    found = objects.everything(plain)
    assert found.labels.shape == (576, 1024)
    assert len(found.logits) < 4


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (2000, 3), (33, 20)])
def test_odd_sizes_are_answered(height: int, width: int, weights: Any) -> None:
    raster = Raster(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))
    mask = objects.pick(raster, [(width - 1, height - 1, True)])
    assert max(mask.shape) == SIDE
    assert np.isfinite(mask).all()
    assert objects.subject(raster).shape == mask.shape


def test_the_kind_of_pixels_does_not_matter(otters: Raster) -> None:
    deep = otters.replace(pixels=otters.pixels.astype(np.uint16) * 257)
    point = [(800, 450, True)]
    assert overlap(objects.pick(deep, point) > 0.5, objects.pick(otters, point) > 0.5) > 0.999
    gray = Raster(otters.pixels[..., :1].copy())
    assert overlap(objects.pick(gray, point) > 0.5, objects.pick(otters, point) > 0.5) > 0.95


@pytest.mark.parametrize(
    ("points", "box", "words"),
    [
        ([], None, "point inside"),
        ([(5, 5, False)], None, "point inside"),
        ([(1600, 5, True)], None, "1600,5 lies outside the picture of 1600 x 900"),
        ([(5, -1, True)], None, "lies outside"),
        ([], (10, 10, 10, 20), "no box"),
        ([], (10, 10, 1700, 20), "1600 x 900"),
    ],
)
def test_prompts_that_say_nothing_are_refused(points: Any, box: Any, words: str, otters: Raster) -> None:
    with pytest.raises(JobError, match=words):
        objects.pick(otters, points, box)


def test_a_picture_is_encoded_once(otters: Raster, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = 0
    encode = Sam.encode

    def counted(self: Sam, picture: np.ndarray, check: Any) -> np.ndarray:
        nonlocal encoded
        encoded += 1
        return encode(self, picture, check)

    monkeypatch.setattr(Sam, "encode", counted)
    objects.forget()
    same = otters.replace(pixels=otters.pixels.copy())
    for raster in (otters, same, otters):
        objects.pick(raster, [(800, 450, True)])
    assert encoded == 1
    others = [Raster(np.full((9, 16, 3), value, np.uint8)) for value in range(objects.SCENES_KEPT)]
    for raster in others:
        objects.pick(raster, [(3, 3, True)])
    assert encoded == 1 + objects.SCENES_KEPT
    objects.pick(others[0], [(3, 3, True)])
    assert encoded == 1 + objects.SCENES_KEPT
    objects.pick(otters, [(800, 450, True)])
    assert encoded == 2 + objects.SCENES_KEPT


def test_a_stop_is_heard_and_the_next_picture_is_right(otters: Raster) -> None:
    point = [(800, 450, True)]
    before = objects.pick(otters, point)
    objects.forget()
    began = time.perf_counter()

    def stop() -> None:
        if time.perf_counter() > began:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        objects.everything(otters, stop)
    assert np.array_equal(objects.pick(otters, point), before)


def test_a_missing_model_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raster = Raster(np.zeros((4, 4, 3), np.uint8))
    sam.cache_clear()
    with monkeypatch.context() as patch:
        patch.setenv("IMPASTO_MODELS", str(tmp_path))
        for name in ("mobile-sam", "sam-vit-b"):
            patch.setenv("IMPASTO_SAM", name)
            with pytest.raises(ModelMissing, match=f"impasto models pull {name}"):
                objects.pick(raster, [(1, 1, True)])
        patch.setenv("IMPASTO_SAM", "sam-vit-x")
        with pytest.raises(UsageError, match="sam-vit-b"):
            objects.pick(raster, [(1, 1, True)])
    sam.cache_clear()


def test_what_overlaps_is_kept_once() -> None:
    boxes = [(0, 0, 10, 10), (0, 0, 10, 9), (0, 0, 5, 5), (20, 20, 30, 30)]
    assert segments.distinct(boxes, [0.9, 0.95, 0.92, 0.91]) == [1, 2, 3]
    assert segments.distinct([], []) == []


def test_of_a_mask_that_others_cover_no_rim_is_left() -> None:
    def square(size: int) -> np.ndarray:
        logits = np.full((256, 256), -9, np.float16)
        logits[:size, :size] = 9
        return logits

    found = segments.ordered([square(100), square(40), square(101)], SIDE, SIDE)
    assert [np.count_nonzero(mask > 0) for mask in found.logits] == [100**2, 40**2]
    assert found.labels[200, 200] == 1
    assert found.labels[80, 80] == 2
    assert found.labels[600, 600] == 0
    assert segments.ordered([], 576, SIDE).labels.max() == 0


def test_the_surest_answer_has_each_click_on_its_side() -> None:
    answers = np.full((4, 256, 256), -1.0, np.float32)
    answers[0, :, :128] = answers[1] = answers[2, :10] = answers[3, :, 64:128] = 1
    quality = np.array([0.5, 0.99, 0.98, 0.6])
    clicks = np.array([[400, 800], [800, 800]], np.float32)
    kinds = (mask_decoder.INSIDE, mask_decoder.OUTSIDE)
    assert objects.choose(answers, quality, clicks, kinds, False) == 3
    assert objects.choose(answers, quality, clicks[:1], kinds[:1], False) == 1
    assert objects.choose(answers, quality, clicks[:0], (), True) == 1
