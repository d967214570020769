"""Teaching a style: it comes nearer to its picture, is kept, goes on, and says what it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from impasto.cli import main, teach
from impasto.models import arbitrary
from impasto.styles import saved
from mirror import import_models

pytest.importorskip("torch", reason="torch is not installed")

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "server/impasto/models/bundled/paintings/scream.jpg"


@pytest.fixture
def styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPASTO_STYLES", str(tmp_path / "styles"))
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("impasto.engines.teaching.CROPS", (96, 96))
    monkeypatch.setattr("impasto.engines.teaching.STYLE_SIDE", 160)
    # As many as make the first figure, so that both figures are of the same crops.
    monkeypatch.setattr("impasto.engines.teaching.SCENES", teach.KEPT_EVERY // 4)
    return tmp_path / "styles"


@pytest.fixture
def vgg(styles: Path) -> None:
    import_models("vgg19-normalised")


def test_it_learns_is_kept_and_goes_on(
    styles: Path, vgg: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = tmp_path / "sample.png"
    command = ["teach", "mine", str(PICTURE), "--steps", "30"]
    assert main([*command, "--sample", str(sample)]) == 0
    told = capsys.readouterr().out
    first, last = (float(told.split(word)[0].split()[-1]) for word in (" at first", " now"))
    assert last < first
    assert sample.stat().st_size > 1000
    style = saved.load("mine")
    assert style.painter == arbitrary.load().fingerprint
    assert style.picture is not None
    assert np.isfinite(style.code).all()
    assert main([*command[:-1], "1"]) == 0
    moved = np.abs(saved.load("mine").code - style.code).max() / np.abs(style.code).max()
    assert 0 < moved < 0.01  # from where it stopped, by a first, small step


def test_paintings_of_other_photographs_come_nearer_too(vgg: None) -> None:
    """Of whole pictures of another photograph, and by more than it costs in content. On one photograph of
    160 pixels that is more than in the mean over several larger ones, which `bench_teach.py` measures."""
    import torch

    from impasto.engines.losses import gram, relative
    from impasto.engines.painters import ArbitraryPainter
    from impasto.engines.pictures import tensor
    from impasto.engines.teaching import CONTENT, LAYERS, Lesson, content_distance, shorter_side
    from impasto.engines.vgg import Vgg
    from impasto.models.store import require

    network, painter = Vgg(require("vgg19-normalised"), "cpu"), ArbitraryPainter()
    names = ("lake-sherburne", "roman-colosseum", "singaporean-cityscape", "oakland-zoo-otters")
    *practice, otters = (
        shorter_side(teach.read(ROOT / f"examples/{name}.jpg"), 160)[:160, :160] for name in names
    )
    picture = shorter_side(teach.read(PICTURE), 160)
    predicted = painter.predict(picture, lambda: None)
    lesson = Lesson(network, painter.tensors, predicted, predicted, [picture], practice, 40, lambda: None)
    assert np.array_equal(lesson.code, predicted)

    def distances(code: np.ndarray) -> tuple[float, float]:
        painted = painter.paint(otters, np.empty(0), code, None, lambda: None)
        with torch.no_grad():
            seen, photo, wanted = (
                network(tensor(x, "cpu"), LAYERS[-1], lambda: None) for x in (painted, otters, picture)
            )
            style = [relative(gram(seen[name])[None], gram(wanted[name])[None])[0] for name in LAYERS]
            return float(torch.stack(style).mean()), float(content_distance(seen[CONTENT], photo[CONTENT]))

    style, content = distances(predicted)
    for _ in range(40):
        lesson.step()
    taught, kept = distances(lesson.code)
    assert taught < 0.85 * style
    assert taught * kept < 0.85 * style * content
    assert kept < 1.5 * content


def test_what_is_stopped_is_kept(
    styles: Path, vgg: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from impasto.engines.teaching import Lesson

    step, done = Lesson.step, []

    def interrupted(self: Lesson) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(step(self))
        return done[-1]

    monkeypatch.setattr(Lesson, "step", interrupted)
    assert main(["teach", "mine", str(PICTURE)]) == 130
    assert "mine" in saved.names()
    assert main(["teach", "mine", str(ROOT / "examples/lake-sherburne.jpg")]) == 2
    assert "choose another name" in capsys.readouterr().err


def test_several_pictures_stand_side_by_side() -> None:
    tall, wide = np.zeros((40, 20, 3), np.float32), np.ones((30, 60, 3), np.float32)
    assert teach.side_by_side([tall, wide]).shape == (30, 75, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mine", str(PICTURE)], 4, "impasto models pull vgg19-normalised"),
        (["scream", str(PICTURE)], 2, "style of the gallery"),
        (["a/b", str(PICTURE)], 2, "letters, digits"),
        (["mine", str(PICTURE), "--steps", "0"], 2, "between 1 and"),
        (["mine", str(PICTURE), "--sample", "a.xyz"], 2, "a.xyz"),
    ],
)
def test_what_it_needs_and_refuses(
    styles: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["teach", *arguments]) == code
    assert message in capsys.readouterr().err
    assert saved.names() == []
