"""What a folder's recipe can ask for: regions, masks beside the pictures, several paintings of each."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemons import until
from hotfolders import Inverter, encoded, names, once, python, watching
from impasto.backends import Parcel, Progress
from impasto.backends.local import LocalBackend
from impasto.errors import JobError
from impasto.hotfolder import summary
from impasto.hotfolder.journal import Journal
from impasto.job import Job

THREE = """
[look]
style = "great-wave"

[[variant]]

[[variant]]
style = "kiss"

[[variant]]
style = "kiss"
size = 4
name = "{stem} small"
format = "jpeg"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos"
    path.mkdir()
    return path


def recipe(folder: Path, text: str) -> None:
    (folder / "recipe.toml").write_text(text)


def drop(path: Path, number: int = 0) -> bytes:
    data = encoded(number)
    path.write_bytes(data)
    return data


# Several paintings


def test_variants_are_painted_once_each(folder: Path) -> None:
    recipe(folder, THREE)
    drop(folder / "a.png", 1)
    drop(folder / "b.png", 2)
    watch = once(folder, options={})
    assert len(watch.of("painted")) == 6
    assert watch.watcher.pipeline.tally == {"painted": 2, "paintings": 6}
    expected = ["a small.jpg", "a-great-wave.png", "a-kiss.png"]
    assert names(folder / "impasto") == [*expected, *(name.replace("a", "b", 1) for name in expected)]
    assert once(folder, options={}).events == []
    inodes = {path.name: path.stat().st_ino for path in (folder / "impasto").iterdir()}
    drop(folder / "a.png", 3)
    assert len(once(folder, options={}).of("painted")) == 3
    changed = {
        path.name for path in (folder / "impasto").iterdir() if inodes[path.name] != path.stat().st_ino
    }
    assert changed == set(expected)
    (folder / "impasto/b-kiss.png").unlink()
    assert once(folder, options={}).events == []
    assert len(once(folder, options={}, repaint=True).of("painted")) == 3


def test_variants_share_a_failure(folder: Path) -> None:
    class OneFails(Inverter):
        def run(self, job: Job, parcel: Parcel, progress: Progress) -> Parcel:
            if job.output.size:
                raise JobError("This variant cannot be painted.")
            return super().run(job, parcel, progress)

    recipe(folder, THREE)
    drop(folder / "a.png")
    watch = once(folder, options={}, connect=OneFails)
    assert [event.kind for event in watch.events] == ["failed"]
    assert names(folder / "impasto") == ["failed/a.png.error.txt"]


@pytest.mark.parametrize("renamed", [0, 1, 2, 3])
def test_killed_between_two_paintings_of_a_picture(folder: Path, renamed: int) -> None:
    """Drafts that were complete appear, those that had appeared are not published again."""
    recipe(folder, THREE)
    drop(folder / "a.png", 1)
    code = f"""
import os
from pathlib import Path
from hotfolders import once
from impasto.hotfolder import publication
real, done = publication.put, 0
def deadly(*args):
    global done
    if done == {renamed}:
        os._exit(9)
    done += 1
    real(*args)
    if done == 3:
        os._exit(9)
publication.put = deadly
once(Path({str(folder)!r}), options={{}})
"""
    assert python(code) == 9
    before = {path.name: path.stat().st_ino for path in (folder / "impasto").glob("a*")}
    assert len(before) == renamed
    watch = once(folder, options={})
    after = {path.name: path.stat().st_ino for path in (folder / "impasto").glob("a*")}
    assert sorted(after) == ["a small.jpg", "a-great-wave.png", "a-kiss.png"]
    assert {name: after[name] for name in before} == before
    assert len(watch.of("painted")) == 3
    assert not list(folder.rglob("*.part"))
    journal = Journal(folder / ".impasto/journal.sqlite", folder)
    assert journal.counts() == {"painted": 1}
    journal.close()


def test_each_picture_in_one_of_the_styles(folder: Path) -> None:
    recipe(
        folder,
        '[output]\nvariants = "one"\n[[variant]]\nstyle = "kiss"\n[[variant]]\nstyle = "scream"\n',
    )
    for number in range(12):
        drop(folder / f"{number}.png", number)
    once(folder, options={})
    first = names(folder / "impasto")
    assert len(first) == 12
    assert {name.partition("-")[2] for name in first} == {"kiss.png", "scream.png"}
    # The same pictures get the same styles, whatever they are called and whenever they come.
    other = folder.with_name("other")
    other.mkdir()
    recipe(other, (folder / "recipe.toml").read_text())
    for number in reversed(range(12)):
        drop(other / f"{number}.png", number)
    once(other, options={})
    assert names(other / "impasto") == first


# Masks beside the pictures


def half(light: str) -> bytes:
    """A mask of 6 x 8 pixels (height x width), light on its “left” or “right” side."""
    pixels = np.zeros((6, 8), np.uint8)
    pixels[:, :4] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels if light == "left" else 255 - pixels).save(buffer, "png")
    return buffer.getvalue()


def changes(before: Path, after: Path) -> tuple[bool, bool]:
    """Whether the left and the right side of a picture were painted."""
    with Image.open(before) as one, Image.open(after) as two:
        differs = (np.asarray(one) != np.asarray(two)).any(2)
    return bool(differs[:, :4].any()), bool(differs[:, 4:].any())


def test_a_mask_beside_the_picture_limits_the_look(folder: Path) -> None:
    drop(folder / "a.png", 1)
    drop(folder / "b.png", 2)
    (folder / "a.mask.png").write_bytes(half("left"))
    options = {"connect": LocalBackend}
    watch = once(folder, **options)
    assert len(watch.of("painted")) == 2
    assert names(folder / "impasto") == ["a-kiss.png", "b-kiss.png"]
    assert changes(folder / "a.png", folder / "impasto/a-kiss.png") == (True, False)
    assert changes(folder / "b.png", folder / "impasto/b-kiss.png") == (True, True)
    assert once(folder, **options).events == []
    # Another mask is another painting; the mask that goes, too.
    (folder / "a.mask.png").write_bytes(half("right"))
    assert [event.input for event in once(folder, **options).of("painted")] == [folder / "a.png"]
    assert changes(folder / "a.png", folder / "impasto/a-kiss.png") == (False, True)
    (folder / "a.mask.png").unlink()
    assert len(once(folder, **options).of("painted")) == 1
    assert changes(folder / "a.png", folder / "impasto/a-kiss.png") == (True, True)
    (folder / "b.mask.png").write_bytes(encoded(0, size=(3, 3)))
    (failed,) = once(folder, **options).of("failed")
    assert "b.mask.png" in failed.text
    assert "size" in failed.text


def test_a_mask_that_comes_after_its_picture_is_noticed(folder: Path) -> None:
    with watching(folder, connect=LocalBackend) as watch:
        drop(folder / "a.png", 1)
        until(lambda: len(watch.of("painted")) == 1, 60)
        (folder / "a.mask.png").write_bytes(half("left"))
        until(lambda: len(watch.of("painted")) == 2, 60)
        time.sleep(0.4)
    assert len(watch.of("painted")) == 2
    assert changes(folder / "a.png", folder / "impasto/a-kiss.png") == (True, False)


def test_a_mask_moves_with_the_last_of_its_pictures(folder: Path) -> None:
    drop(folder / "a.png", 1)
    (folder / "a.tif").write_bytes(encoded(2, "tiff"))
    (folder / "a.mask.png").write_bytes(half("left"))
    once(folder, connect=LocalBackend, move=True)
    assert names(folder) == [
        "impasto/a-kiss.png",
        "impasto/a-kiss.tif",
        "processed/a.mask.png",
        "processed/a.png",
        "processed/a.tif",
    ]
    for name in ("a-kiss.png", "a-kiss.tif"):
        original = folder / "processed" / name.replace("-kiss", "")
        assert changes(original, folder / "impasto" / name) == (True, False)


# Regions


def test_regions_in_a_recipe(folder: Path) -> None:
    (folder / "masks").mkdir()
    (folder / "masks" / "side.png").write_bytes(half("right"))
    recipe(folder, '[[region]]\nselect = "mask:masks/side.png"\nstyle = "kiss"\n')
    drop(folder / "a.png", 1)
    watch = once(folder, options={}, connect=LocalBackend)
    assert [event.input for event in watch.of("painted")] == [folder / "a.png"]  # and not the mask itself
    assert changes(folder / "a.png", folder / "impasto/a-kiss.png") == (False, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[region]]\nselect = "sky"\n[[region]]\nselect = "sea"\n', ["line 4", "[[region]] select", "sea"]),
        ('[[region]]\nselect = "sky"\nstyle = "kis"\n', ["line 3", "[[region]] style", "kiss"]),
        ('[[region]]\nstyle = "kiss"\n', ["line 1", "[[region]]", "select"]),
        ('[[variant]]\nstyle = "kiss"\n\n[[variant]]\nsice = 3\n', ["line 5", "[[variant]] sice", "size"]),
        ('[[variant]]\nstyle = "kiss"\n[[variant]]\nsize = 0\n', ["line 4", "[[variant]] size"]),
        ('variant = "kiss"\n', ["line 1", "variant", "list"]),
        ('[[variant]]\nstyle = "kiss"\n[[variant]]\nstyle = "kiss"\n', ["Variants 1 and 2", "name"]),
        ('[look]\nstyle = "kiss"\ntile = 1\n', ["line 3", "[look] tile", "true or false"]),
    ],
)
def test_a_broken_recipe_names_line_and_key(folder: Path, text: str, words: list[str]) -> None:
    recipe(folder, text)
    with pytest.raises(JobError) as caught:
        once(folder, options={})
    for word in ["recipe.toml", *words]:
        assert word in str(caught.value)


def test_a_variant_alone_is_a_style(folder: Path) -> None:
    recipe(folder, '[[variant]]\nstyle = "kiss"\n')
    drop(folder / "a.png")
    assert len(once(folder, options={}).of("painted")) == 1


def test_styles_of_variants_are_found_from_the_recipe(folder: Path, monkeypatch: Any) -> None:
    (folder / "styles.part").mkdir()
    (folder / "styles.part" / "mine.jpg").write_bytes(encoded(5, "jpeg", (40, 40)))
    recipe(folder, '[[variant]]\nstyle = "styles.part/mine.jpg"\n')
    drop(folder / "a.png")
    os.utime(folder / "styles.part" / "mine.jpg", (1e9, 1e9))
    monkeypatch.chdir("/")
    once(folder, options={}, connect=LocalBackend)
    assert "a-mine.png" in names(folder / "impasto")


def test_a_style_in_the_folder_is_no_picture_to_paint(folder: Path) -> None:
    recipe(folder, '[look]\nstyle = "./mine.png"\n')
    drop(folder / "mine.png", 1)
    drop(folder / "a.png", 2)
    once(folder, options={})
    assert names(folder / "impasto") == ["a-mine.png"]
    assert summary(folder, None)["waiting"] == 0


def test_a_style_of_the_command_line_is_no_picture_that_waits(folder: Path) -> None:
    drop(folder / "mine.png", 1)
    drop(folder / "a.png", 2)
    once(folder, options={"look": {"style": str(folder / "mine.png")}})
    assert names(folder / "impasto") == ["a-mine.png"]
    assert summary(folder, None)["waiting"] == 0
    drop(folder / "b.png", 3)
    assert summary(folder, None)["waiting"] == 1
    once(folder, options={"look": {"style": "scream"}})
    assert names(folder / "impasto") == ["a-mine.png", "b-scream.png", "mine-scream.png"]
    assert summary(folder, None)["waiting"] == 0


def test_a_style_that_goes_stops_the_folder_until_it_is_back(folder: Path, tmp_path: Path) -> None:
    style, away = tmp_path / "mine.png", tmp_path / "away.png"
    drop(style, 1)
    recipe(folder, f'[look]\nstyle = "{style}"\n')
    with watching(folder, options={}) as watch:
        drop(folder / "a.png", 2)
        until(lambda: len(watch.of("painted")) == 1)
        style.rename(away)
        drop(folder / "b.png", 3)
        until(lambda: "mine.png" in watch.texts())
        time.sleep(0.5)
        away.rename(style)
        until(lambda: len(watch.of("painted")) == 2)
    assert watch.of("failed") == []


def test_a_damaged_style_stops_the_folder_and_not_its_pictures(folder: Path, tmp_path: Path) -> None:
    style = tmp_path / "mine.png"
    style.write_bytes(encoded(1)[:90])
    recipe(folder, f'[look]\nstyle = "{style}"\n')
    drop(folder / "a.png", 2)
    with watching(folder, options={}) as watch:
        until(lambda: "mine.png" in watch.texts())
        assert "complete" in watch.texts()
        style.unlink()
        until(lambda: "There is no file" in watch.texts())
        drop(style, 1)
        until(lambda: len(watch.of("painted")) == 1)
    assert watch.of("failed") == []
