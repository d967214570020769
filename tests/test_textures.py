"""Textures that repeat, sprites, and pictures made smaller."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.backends import Parcel
from impasto.backends.local import LocalBackend
from impasto.errors import JobError
from impasto.job import Job
from impasto.raster import Raster
from impasto.raster.sampling import shrunk


def texture(height: int, width: int) -> np.ndarray:
    """Stones whose pattern goes on at the opposite edge: (height, width, 3) uint8."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    distances = []
    for _ in range(40):
        down, across = np.abs(y - random.random() * height), np.abs(x - random.random() * width)
        distances.append(np.hypot(np.minimum(down, height - down), np.minimum(across, width - across)))
    nearest = np.argsort(distances, 0)[:2]
    first, second = np.take_along_axis(np.array(distances), nearest, 0)
    stones = random.integers(60, 220, (40, 3))[nearest[0]]
    light = np.clip((second - first) / 12, 0.15, 1)[..., None]
    return (stones * light + random.normal(0, 6, (height, width, 1))).clip(0, 255).astype(np.uint8)


def seams(picture: np.ndarray) -> tuple[float, float]:
    """Change from one edge to the opposite one, relative to that between neighbours: across, down."""
    values = picture.astype(float)
    across = np.abs(np.roll(values, -1, 1) - values).mean((0, 2))
    down = np.abs(np.roll(values, -1, 0) - values).mean((1, 2))
    return across[-1] / across[:-1].mean(), down[-1] / down[:-1].mean()


def painted(picture: np.ndarray, data: dict[str, Any]) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    parcel = Parcel(buffer.getvalue(), {"kind": "file", "name": "a.png"})
    result = LocalBackend().run(Job.from_dict(data), parcel, lambda fraction, text: None)
    return np.asarray(Image.open(io.BytesIO(result.data)))


@pytest.mark.parametrize(("height", "width"), [(256, 256), (150, 211), (40, 300)])
def test_a_texture_still_repeats(height: int, width: int) -> None:
    picture = texture(height, width)
    tile = painted(picture, {"look": {"style": "scream", "tile": True}})
    plain = painted(picture, {"look": {"style": "scream"}})
    assert tile.shape == picture.shape
    assert max(seams(tile)) < 1.35
    assert max(seams(plain)) > 1.5  # else the test says nothing
    # The same painting as of a photograph: what is seen twice counts once.
    assert np.abs(tile.mean((0, 1)) - plain.mean((0, 1))).max() < 4


def test_a_texture_with_a_look_that_asks_for_everything() -> None:
    picture = texture(160, 224)
    look = {"style": ["kiss", "scream"], "tile": True, "keep_color": 0.5, "strength": 0.9, "scale": 2.0}
    region = {"select": "luminance:0.5-1", "style": "great-wave"}
    result = painted(picture, {"look": look, "region": [region], "output": {"size": 112}})
    assert result.shape == (80, 112, 3)
    assert max(seams(result)) < 1.5


def sprite() -> np.ndarray:
    """A disc with a soft edge, and rubbish where it is transparent: (96, 128, 4) uint8."""
    y, x = np.mgrid[:96, :128]
    distance = np.hypot(y - 48, x - 64)
    colours = texture(96, 128)
    colours[distance > 33] = (0, 255, 0)
    alpha = (np.clip(32.5 - distance, 0, 1) * 255).astype(np.uint8)
    return np.dstack([colours, alpha])


def test_the_colours_of_a_sprite_go_on_where_it_is_transparent() -> None:
    before = sprite()
    look = {"style": "scream", "sprite": True}
    after = painted(before, {"look": look})
    hidden, edge = before[..., 3] == 0, (before[..., 3] > 0) & (before[..., 3] < 255)
    assert (after[..., 3] == before[..., 3]).all()
    green = after[..., 1].astype(int) - np.maximum(after[..., 0], after[..., 2])
    assert green[hidden | edge].max() < 60
    as_photo = painted(before, {"look": {"style": "scream"}})
    assert (as_photo[hidden] == before[hidden]).all()
    for extra in ({"strength": 0.5}, {"keep_color": 1.0}, {"tile": True}):
        result = painted(before, {"look": look | extra})
        green = result[..., 1].astype(int) - np.maximum(result[..., 0], result[..., 2])
        assert green[hidden].max() < 60, extra


def test_the_room_around_a_sprite_hardly_counts() -> None:
    """A network that sees much empty room paints what is in it with more contrast."""
    small = sprite()
    large = np.zeros((192, 256, 4), np.uint8)
    large[48:144, 64:192] = small

    def contrast(canvas: np.ndarray, **look: Any) -> np.ndarray:
        result = painted(canvas, {"look": {"style": "scream", **look}})
        return result[canvas[..., 3] == 255, :3].std(0)

    # Half the scale: strokes as large as on the small canvas.
    with_it = abs(contrast(small, sprite=True) - contrast(large, sprite=True, scale=0.5)).max()
    without = abs(contrast(small) - contrast(large, scale=0.5)).max()
    assert with_it < without / 2, (with_it, without)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_picture_made_smaller_keeps_depth_and_alpha(dtype: Any) -> None:
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    pixels = np.full((60, 90, 3), top, dtype)
    alpha = np.full((60, 90), top, dtype)
    pixels[:, 45:], alpha[:, 45:] = 0, 0
    small = shrunk(Raster(pixels, alpha), 30)
    assert (small.width, small.height) == (30, 20)
    assert small.pixels.dtype == small.alpha.dtype == dtype  # type: ignore[union-attr]
    assert small.pixels[:, :14].min() == top
    assert small.pixels[:, 15].min() > 0.9 * top  # no dark fringe
    assert shrunk(Raster(pixels, alpha), 90).pixels is pixels
    assert shrunk(Raster(pixels), 30).alpha is None


def test_a_job_with_variants_is_several() -> None:
    with pytest.raises(JobError, match="one job for each"):
        painted(texture(8, 8), {"variant": [{"style": "kiss"}]})


def test_variants_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from impasto.cli import main

    Image.fromarray(texture(60, 80)).save(tmp_path / "a.png")
    (tmp_path / "r.toml").write_text(
        '[[variant]]\nstyle = "kiss"\n[[variant]]\nstyle = "scream"\nsize = 40\n'
    )
    words = ["stylize", str(tmp_path / "a.png"), "--recipe", str(tmp_path / "r.toml"), "--no-daemon"]
    assert main(words) == 0
    assert Image.open(tmp_path / "a-kiss.png").size == (80, 60)
    assert Image.open(tmp_path / "a-scream.png").size == (40, 30)
    assert main([*words, "-o", str(tmp_path / "b.png")]) == 2
    assert "variants" in capsys.readouterr().err
