"""The guide to writing an engine: the engine that it shows is put in and paints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from impasto import engines
from impasto.cli import main
from impasto.daemon.catalogue import catalogue
from impasto.engines import readiness
from impasto.job import look
from impasto.raster import load

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs/adding-an-engine.md"
PHOTO = ROOT / "examples/roman-colosseum.jpg"


@pytest.fixture
def posterise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file and one word, as the guide says."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert code
    (tmp_path / "posterise.py").write_text(code[1], encoding="utf-8")
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    names = (*look.ENGINES, "posterise")
    for module in (look, readiness):
        monkeypatch.setattr(module, "ENGINES", names)
    engines.engine.cache_clear()


def stylize(output: Path, *options: str) -> int:
    style = str(ROOT / "examples/lake-sherburne.jpg")
    given = ["--style", style, "--engine", "posterise", "--no-daemon", "-o", str(output)]
    return main(["stylize", str(PHOTO), *given, *options])


def test_it_paints_under_each_control(
    posterise: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = load(PHOTO).pixels.astype(float)
    shown = ("--detail", "0")
    assert stylize(tmp_path / "full.png", *shown) == 0
    assert stylize(tmp_path / "half.png", *shown, "--strength", "0.5") == 0
    assert stylize(tmp_path / "two.png", *shown, "--option", "levels=2") == 0
    assert stylize(tmp_path / "part.png", *shown, "--region", "luminance:0-1=none") == 0
    full, half, two, part = (
        load(tmp_path / f"{name}.png").pixels.astype(float) for name in ("full", "half", "two", "part")
    )
    assert np.abs(half - (photo + full) / 2).mean() < 2
    assert np.abs(two - full).mean() > 5
    assert (part == photo).all()
    assert stylize(tmp_path / "bad.png", "--option", "level=2") == 2
    assert "did you mean “levels”" in capsys.readouterr().err


def test_it_is_listed_wherever_engines_are(posterise: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "posterise"]) == 0
    assert "tones of each channel" in capsys.readouterr().out
    assert main(["engines", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == catalogue()["engines"]
    assert rows[-1]["title"] == "Posterise"
    assert rows[-1]["ready"] is True


def test_it_keeps_the_rules_that_the_guide_names(posterise: None) -> None:
    from impasto.job import Look
    from impasto.styles.sources import StyleSource

    source = StyleSource("a.jpg", "a", 1.0, None, np.full((4, 4, 3), 0.5, np.float32))
    engine = engines.engine("posterise")
    result = engine.paint(np.zeros((3, 5, 3), np.float32), (source,), Look(), lambda: None)
    assert result.shape == (3, 5, 3)
    assert result.dtype == np.float32
