"""A day in the life of a hot folder: mixed files arrive in all the ways files do, some of them broken, and a
table says what came of each kind. Exit status 1 when anything came out otherwise than it should.

    .venv-test/bin/python scripts/day_in_the_life.py --files 500 --minutes 10
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
SIDE = 480
"""Pixels of the longer side: the day is about files, not about painting."""

RECIPE = '[look]\nstyle = "great-wave"\nscale = 4.0\n'
"""Large strokes are painted at a small working size, so fast."""


def photographs() -> list[Image.Image]:
    found = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("*.jpg"))]
    for photo in found:
        photo.thumbnail((SIDE, SIDE))
    return found


PHOTOS = photographs()


def photo(chance: random.Random) -> Image.Image:
    """Another picture each time: a part of a photograph, turned or not."""
    whole = chance.choice(PHOTOS)
    width, height = (int(side * chance.uniform(0.5, 1.0)) for side in whole.size)
    left, top = chance.randint(0, whole.width - width), chance.randint(0, whole.height - height)
    part = whole.crop((left, top, left + width, top + height))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance.random() < 0.5 else part


def saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_name, **options)
    return buffer.getvalue()


def vips(picture: Image.Image, suffix: str, dtype: str, **options: object) -> bytes:
    values = np.asarray(picture).astype(np.float32)
    values = (values * 257).astype("uint16") if dtype == "uint16" else values / 255
    return (
        pyvips.Image.new_from_array(values)
        .copy(interpretation="rgb16" if dtype == "uint16" else "scrgb")
        .write_to_buffer(suffix, **options)
    )


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def with_alpha(chance: random.Random) -> Image.Image:
    picture = photo(chance)
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


@dataclass(frozen=True)
class Kind:
    """Files of one sort: their ending, what is in them, and what is to come of them."""

    name: str
    suffix: str
    make: Callable[[random.Random], bytes]
    comes: str = "painted"
    often: int = 1


def cut(chance: random.Random) -> bytes:
    whole = saved(photo(chance), "png")
    return whole[: len(whole) // 2]


def oriented(chance: random.Random) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(photo(chance), "jpeg", exif=exif.tobytes(), dpi=(300, 300))


KINDS = [
    Kind("JPEG", ".jpg", lambda c: saved(photo(c), "jpeg", quality=90), often=6),
    Kind("JPEG, turned by EXIF", ".JPG", oriented),
    Kind(
        "JPEG, progressive, gray", ".jpeg", lambda c: saved(photo(c).convert("L"), "jpeg", progressive=True)
    ),
    Kind("JPEG, CMYK", ".jpg", lambda c: saved(photo(c).convert("CMYK"), "jpeg")),
    Kind("PNG", ".png", lambda c: saved(photo(c), "png"), often=2),
    Kind("PNG with alpha", ".png", lambda c: saved(with_alpha(c), "png")),
    Kind("PNG, palette", ".png", lambda c: saved(photo(c).quantize(64), "png")),
    Kind("PNG, 16 bits", ".png", lambda c: vips(photo(c), ".png", "uint16")),
    Kind("TIFF", ".tif", lambda c: saved(photo(c), "tiff", compression="tiff_lzw")),
    Kind("TIFF, 16 bits", ".tiff", lambda c: vips(photo(c), ".tif", "uint16")),
    Kind("TIFF, float", ".tif", lambda c: vips(photo(c), ".tif", "float")),
    Kind("WebP", ".webp", lambda c: saved(photo(c), "webp", quality=85)),
    Kind("WebP, lossless", ".webp", lambda c: saved(with_alpha(c), "webp", lossless=True)),
    Kind("AVIF", ".avif", lambda c: saved(photo(c), "avif", quality=70)),
    Kind("PNG called .jpg", ".jpg", lambda c: saved(photo(c), "png")),
    Kind("cut in half", ".png", cut, "failed"),
    Kind("empty", ".jpg", lambda c: b"", "failed"),
    Kind("text called .png", ".png", lambda c: f"no picture {c.random()}".encode(), "failed"),
    Kind("decompression bomb", ".png", lambda c: bomb(), "failed"),
    Kind("hidden file", "", lambda c: saved(photo(c), "jpeg"), "left alone"),
    Kind("sidecar", ".xmp", lambda c: b"<x/>", "left alone"),
    Kind("link", ".png", lambda c: b"", "left alone"),
]
ARRIVALS = ("written", "slowly", "renamed", "moved in", "linked", "saved twice", "in a sub-folder")


@dataclass
class Day:
    """Where things are, and what is expected: {path relative to the folder: (kind, what comes of it)}."""

    folder: Path
    aside: Path
    chance: random.Random
    pause: float
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)

    def name(self, number: int, kind: Kind) -> bytes:
        stem = self.chance.choice(
            ["IMG_{}", "photo {}", "Gänse 🦆 {}", "-{}", "{}.final", "{{x}} {}"]
        ).format(number)
        name = stem.encode()
        if self.chance.random() < 0.03 and sys.platform == "linux":
            name += b"\xff\xfe"
        return (b"." if kind.name == "hidden file" else b"") + name + kind.suffix.encode()

    def arrive(self, number: int, kind: Kind) -> None:
        data = kind.make(self.chance)
        name = os.fsdecode(self.name(number, kind))
        how = self.chance.choice(ARRIVALS)
        if how == "in a sub-folder":
            name = f"{self.chance.choice(['a', 'a/b', 'x.png'])}/{name}"
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind.name == "link":
            target = self.aside / f"target {number}.png"
            target.write_bytes(saved(photo(self.chance), "png"))
            path.symlink_to(target)
        elif how == "slowly":
            with path.open("wb", buffering=0) as file:
                step = max(1, len(data) // 5)
                for start in range(0, len(data), step):
                    file.write(data[start : start + step])
                    time.sleep(min(0.05, self.pause))
        elif how == "renamed":
            part = path.with_name(f"{path.name}.part")
            part.write_bytes(data)
            part.rename(path)
        elif how in ("moved in", "linked"):
            outside = self.aside / f"{number}"
            outside.write_bytes(data)
            if how == "moved in":
                outside.rename(path)
            else:
                path.hardlink_to(outside)
        elif how == "saved twice" and kind.comes == "painted":
            path.write_bytes(data[: len(data) // 3])
            time.sleep(min(0.2, self.pause))
            path.write_bytes(data)
        else:
            path.write_bytes(data)
        self.expected[name] = kind.name, kind.comes
        self.digests[name] = hashlib.sha256(data).digest()


@contextmanager
def watching(folder: Path, home: Path) -> Iterator[list[dict[str, str]]]:
    """`impasto watch` with a daemon of its own; what it told, when it has ended."""
    names = {"IMPASTO_RUNTIME_DIR": str(home / "run"), "IMPASTO_STATE_DIR": str(home / "state")}
    environment = {**os.environ, **names}
    told = home / "told.jsonl"
    with told.open("wb") as out:
        command = [sys.executable, "-m", "impasto", "watch", str(folder), "--json", "--settle", "1"]
        process = subprocess.Popen(command, stdout=out, env=environment)
        events: list[dict[str, str]] = []
        try:
            yield events
        finally:
            process.terminate()
            process.wait(30)
            stop = [sys.executable, "-m", "impasto", "stop"]
            subprocess.run(stop, env=environment, check=False, capture_output=True)
            events += map(json.loads, told.read_text().splitlines())


def settled(folder: Path, number: int, patience: float) -> None:
    """Wait until so many files have come to their end, or nothing has moved for a while."""
    from impasto.hotfolder import summary

    last, since = -1, time.monotonic()
    while time.monotonic() - since < patience:
        told = summary(folder, None)
        ended = told["painted"] + told["failed"]
        if ended >= number:
            return
        if ended != last:
            last, since = ended, time.monotonic()
        time.sleep(1.0)


def came_of(day: Day, name: str, events: list[dict[str, str]]) -> str:
    """What came of a file, in the words of `Kind.comes`, or what is wrong with it."""
    path = day.folder / name
    if not path.is_symlink() and hashlib.sha256(path.read_bytes()).digest() != day.digests[name]:
        return "ORIGINAL CHANGED"
    own = [event for event in events if os.fsencode(event.get("input", "")) == os.fsencode(path)]
    kinds = Counter(event["event"] for event in own)
    if kinds["painted"] > 1:
        return "PAINTED TWICE"
    if kinds["painted"]:
        output = Path(next(event["output"] for event in own if event["event"] == "painted"))
        painted = pyvips.Image.new_from_buffer(output.read_bytes(), "")
        before = pyvips.Image.new_from_buffer(path.read_bytes(), "").autorot()
        painted.avg()
        return "painted" if (painted.width, painted.height) == (before.width, before.height) else "WRONG SIZE"
    if kinds["failed"]:
        note = day.folder / "impasto/failed" / f"{name}.error.txt"
        return "failed" if note.is_file() else "NO REASON GIVEN"
    return "left alone"


def table(rows: dict[str, Counter[str]], seconds: dict[str, list[float]]) -> str:
    lines = [f"{'kind':<26}{'files':>6}{'painted':>9}{'failed':>8}{'left':>6}{'wrong':>7}{'mean s':>8}"]
    for kind, counts in rows.items():
        mean = f"{np.mean(seconds[kind]):.2f}" if seconds.get(kind) else ""
        known = [counts[word] for word in ("painted", "failed", "left alone")]
        wrong = sum(counts.values()) - sum(known)
        lines.append(
            f"{kind:<26}{sum(counts.values()):>6}{known[0]:>9}{known[1]:>8}{known[2]:>6}{wrong:>7}{mean:>8}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="day"))
    folder = home / "photos"
    folder.mkdir()
    (home / "aside").mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    chance = random.Random(args.seed)
    pause = 60 * args.minutes / args.files
    day = Day(folder, home / "aside", chance, pause)
    many = [kind for kind in KINDS for _ in range(kind.often)]
    began = time.monotonic()
    try:
        with watching(folder, home) as events:
            for number in range(args.files):
                # Each kind once, then by chance; in bursts, as people copy files.
                day.arrive(number, KINDS[number] if number < len(KINDS) else chance.choice(many))
                due = began + pause * (number + 1)
                if number % 10 == 9:
                    time.sleep(max(0.0, due - time.monotonic()))
            fed = time.monotonic() - began
            ends = sum(comes != "left alone" for _, comes in day.expected.values())
            settled(folder, ends, 120.0)
            time.sleep(2.0)
        rows: dict[str, Counter[str]] = {kind.name: Counter() for kind in KINDS}
        seconds: dict[str, list[float]] = {}
        wrong: list[str] = []
        for name, (kind, comes) in day.expected.items():
            found = came_of(day, name, events)
            rows[kind][found if found == comes else f"{found} instead"] += 1
            if found != comes:
                wrong.append(f"{os.fsencode(name).decode('utf-8', 'replace')}: {found}, not {comes}")
        for event in events:
            if event["event"] == "painted":
                relative = os.path.relpath(event["input"], folder)
                seconds.setdefault(day.expected[relative][0], []).append(float(event["seconds"]))
        left = [path.name for path in folder.rglob("*.part")]
        whole = time.monotonic() - began
        print(table(rows, seconds))
        print(
            f"\n{len(day.expected)} files in {fed:.0f} s, ended after {whole:.0f} s; drafts left: {len(left)}"
        )
        print("\n".join(wrong) if wrong else "All came out as they should.")
        return 1 if wrong or left else 0
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
