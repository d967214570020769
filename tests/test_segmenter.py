"""Classes and the subject, on the example photographs; one network on both executors; the teacher's word."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from impasto.raster import Raster, load
from impasto.raster.sampling import image, pixels, scaled
from impasto.regions import classes, segmenter
from impasto.runtime import Weights, executor
from impasto.selector import CLASSES
from mirror import MIRROR

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def photographs() -> dict[str, Raster]:
    return {path.stem: load(path) for path in EXAMPLES.glob("*.jpg")}


def share(mask: np.ndarray, left: float, top: float, right: float, bottom: float) -> float:
    """Mean of a mask over a part of the picture, given in 0..1."""
    height, width = mask.shape
    rows = slice(int(top * height), max(int(top * height) + 1, int(bottom * height)))
    return float(mask[rows, int(left * width) : max(int(left * width) + 1, int(right * width))].mean())


@pytest.mark.parametrize(
    ("name", "wanted", "place"),
    [
        ("roman-colosseum", "sky", (0.75, 0.1, 1, 0.9)),
        ("roman-colosseum", "building", (0.1, 0.6, 0.6, 1)),
        ("lake-sherburne", "sky", (0, 0, 1, 0.15)),
        ("lake-sherburne", "mountain", (0.2, 0.4, 0.8, 0.6)),
        ("lake-sherburne", "water", (0.1, 0.85, 0.8, 0.95)),
        ("singaporean-cityscape", "building", (0.35, 0.4, 0.8, 0.5)),
        ("singaporean-cityscape", "water", (0, 0.65, 1, 0.8)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_examples_show_what_they_show(
    photographs: dict[str, Raster], name: str, wanted: str, place: tuple[float, float, float, float]
) -> None:
    found = {label: share(classes.mask(photographs[name], label), *place) for label in CLASSES}
    assert max(found, key=found.__getitem__) == wanted
    assert found[wanted] > 0.7


def test_chances_are_chances(photographs: dict[str, Raster]) -> None:
    shares = classes.chances(photographs["oakland-zoo-otters"])
    assert shares.dtype == np.float32
    assert shares.shape[2] == len(CLASSES)
    np.testing.assert_allclose(shares.sum(2), 1, atol=1e-5)


def test_a_picture_is_looked_at_once(photographs: dict[str, Raster], monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photographs["lake-sherburne"]
    first = classes.mask(picture, "sky")
    monkeypatch.setattr(classes, "_network", lambda: pytest.fail("looked again"))
    copy = picture.replace(pixels=picture.pixels.copy())
    np.testing.assert_array_equal(classes.mask(copy, "sky"), first)


def test_few_pictures_are_remembered() -> None:
    for shade in range(classes.SCENES_KEPT + 3):
        classes.chances(Raster(np.full((40, 60, 3), shade * 9, np.uint8)))
    assert len(classes._scenes) == classes.SCENES_KEPT


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (3000, 2)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32], ids=lambda dtype: dtype.__name__)
def test_pictures_of_any_size_are_answered(size: tuple[int, int], dtype: type) -> None:
    mask = classes.subject(Raster(np.ones((*size, 1), dtype)))
    assert np.isfinite(mask).all()
    assert 0 <= mask.min() <= mask.max() <= 1


def test_the_subject_of_the_colosseum_is_the_building(photographs: dict[str, Raster]) -> None:
    subject = classes.subject(photographs["roman-colosseum"])
    assert share(subject, 0.05, 0.55, 0.5, 0.95) > 0.8
    assert share(subject, 0.75, 0.1, 1, 0.9) < 0.1


def test_of_several_parts_the_ones_that_weigh_most_are_kept() -> None:
    inside = np.zeros((20, 30), bool)
    inside[8:14, 10:18] = inside[0:2, 28:30] = True
    kept = classes.main_parts(inside, np.ones((20, 30), np.float32))
    assert kept[8:14, 10:18].all()
    assert not kept[0:2, 28:30].any()


def random_weights() -> Weights:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(CLASSES), segmenter.LABELS)
    weights: dict[str, np.ndarray] = {"groups": np.eye(len(CLASSES), dtype=np.float32)[:, labels]}
    for name, (out, channels, kernel) in segmenter.convolutions().items():
        scale = (2 / (channels * kernel**2)) ** 0.5
        weights[f"{name}.weight"] = rng.normal(0, scale, (out, channels, kernel, kernel)).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, out).astype(np.float32)
    return weights


def test_both_executors_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    picture = np.random.default_rng(1).random((65, 97, 3), np.float32)
    results = []
    for device in ("openvino", "cpu"):
        monkeypatch.setenv("IMPASTO_DEVICE", device)
        network = executor(segmenter.forward, random_weights(), (3,), (), exact=True)
        results.append(network([picture], [], lambda: None))
    spread = results[1].std()
    assert results[0].shape == (33, 49, len(CLASSES))
    assert np.abs(results[0] - results[1]).max() < 1e-3 * spread


def test_the_weights_are_small() -> None:
    assert classes.WEIGHTS.stat().st_size < 3_000_000


def test_a_picture_is_looked_at_in_no_time(photographs: dict[str, Raster]) -> None:
    """In 0.3 s on two cores: by the time that the cores spend, for they may be busy with something else."""
    whole = photographs["roman-colosseum"]
    picture = whole.replace(pixels=pixels(scaled(image(whole.pixels), 1600, 900, "linear")), alpha=None)
    classes.chances(picture)  # makes the network ready
    spent: list[float] = []
    for _ in range(3):
        classes._scenes.clear()
        before = time.process_time()
        classes.chances(picture)
        spent.append(time.process_time() - before)
    assert min(spent) < 2 * 0.3


@pytest.mark.parametrize("kind", ["large", "small"])
def test_says_what_its_teacher_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 85 of 100 pixels of whole photographs, on average: some are riddles."""
    weights = MIRROR / "ade20k_deeplab.npz"
    if not weights.is_file():
        pytest.skip(f"the segmenter's teacher is not in {MIRROR} (see IMPASTO_MIRROR)")
    monkeypatch.setattr(sys, "path", [str(EXAMPLES.parent / "scripts/train"), *sys.path])
    from ade20k import Teacher
    from segmenter import agreement

    if kind == "large":
        files = sorted(EXAMPLES.glob("*.jpg"))
    else:
        files = sorted((MIRROR.parent / "train/content").glob("*.jpg"))[6::192]
    if not files:
        pytest.skip(f"no small photographs are in {MIRROR.parent}/train/content")
    teacher = Teacher(weights)
    assert np.mean([agreement(teacher, path) for path in files]) > 0.85
