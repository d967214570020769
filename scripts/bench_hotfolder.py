"""Figures of the hot folder with the real daemon and painter, in directories of its own.

    scripts/bench_hotfolder.py throughput --pictures 200   hot folder against painting back to back
    scripts/bench_hotfolder.py waiting --jobs 30           a job of an editor beside a batch, and alone
    scripts/bench_hotfolder.py memory --pictures 2000      of watcher, daemon and worker, as the night goes on
    scripts/bench_hotfolder.py cluster --pictures 200      one painter of a Ray cluster against two

What is compared takes turns, so that other work on the machine meets all alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from PIL import Image

ROOT = Path(__file__).parents[1]
LOOK = {"look": {"style": ["great-wave"]}, "output": {}}
KIND = {"kind": "file", "name": "a.jpg"}


@contextlib.contextmanager
def own_directories() -> Iterator[Path]:
    """A place for folders, and a daemon's directories beside it; the daemon ends with the block."""
    from impasto.client import ClientError, connect

    with tempfile.TemporaryDirectory(prefix="bench") as name:
        home = Path(name)
        os.environ["IMPASTO_RUNTIME_DIR"] = str(home / "run")
        os.environ["IMPASTO_STATE_DIR"] = str(home / "state")
        try:
            yield home
        finally:
            with contextlib.suppress(ClientError), connect(start=False) as client:
                client.stop()


def photographs(number: int, size: tuple[int, int], seed: int = 7) -> list[bytes]:
    """JPEG files, all different."""
    chance = random.Random(seed)
    sources = [Image.open(path).convert("RGB") for path in sorted((ROOT / "examples").glob("*.jpg"))]
    found: list[bytes] = []
    for _ in range(number):
        source = chance.choice(sources)
        left, top = (chance.randint(0, max(1, side // 8)) for side in source.size)
        buffer = io.BytesIO()
        source.crop((left, top, *source.size)).resize(size).save(buffer, "jpeg", quality=90)
        found.append(buffer.getvalue())
    return found


def by_hot_folder(folder: Path, photos: list[bytes], connect: Callable[[], object], lanes: int) -> float:
    """Seconds in which a new folder of these pictures is painted."""
    from impasto.hotfolder import Settings, Watcher

    folder.mkdir(parents=True)
    for number, photo in enumerate(photos):
        (folder / f"{number:04}.jpg").write_bytes(photo)
    watcher = Watcher([folder], Settings(options=LOOK, once=True, settle=0.0), connect, lanes=lambda: lanes)  # type: ignore[arg-type]
    began = time.monotonic()
    watcher.run()
    took = time.monotonic() - began
    assert watcher.pipeline.tally["painted"] == len(photos), watcher.pipeline.tally
    return took


def throughput(args: argparse.Namespace) -> None:
    from impasto.backends import Parcel
    from impasto.cli.watch import LANES, connected
    from impasto.job import Job

    with own_directories() as home:
        backend = connected()
        job, ratios, totals = Job.from_dict(LOOK), [], [0.0, 0.0, 0.0]
        chunk = 20
        backend.run(job, Parcel(photographs(1, (1600, 900))[0], KIND), lambda fraction, text: None)
        for number in range(args.pictures // chunk):
            photos = photographs(chunk, (1600, 900), number)
            began, painting = time.monotonic(), 0.0
            for photo in photos:
                result = backend.run(job, Parcel(photo, KIND), lambda fraction, text: None)
                painting += result.meta["report"]["paint_seconds"]
            alone = time.monotonic() - began
            watched = by_hot_folder(home / f"{number}", photos, connected, LANES)
            ratios.append(alone / watched)
            for index, seconds in enumerate((alone, painting, watched)):
                totals[index] += seconds
            print(
                f"{chunk}: back to back {alone:.2f} s ({painting:.2f} s painting), hot folder {watched:.2f} s"
            )
        alone, painting, watched = totals
        print(
            f"{args.pictures} photographs of 1600x900: back to back {alone:.1f} s, of which painting alone "
            f"{painting:.1f} s; hot folder {watched:.1f} s: {alone / watched:.1%} of back to back "
            f"(median of chunks {median(ratios):.1%}), {painting / watched:.1%} of painting alone"
        )
        backend.close()


def waiting(args: argparse.Namespace) -> None:
    from impasto.cli.watch import LANES, connected
    from impasto.client import connect
    from impasto.hotfolder import Settings, Watcher
    from impasto.job import Job

    job, (photo,) = Job.from_dict(LOOK).to_json(), photographs(1, (1600, 900))
    chance = random.Random(3)

    def asked(client) -> tuple[float, float]:  # type: ignore[no-untyped-def]
        """Seconds until a job's painting begins, and until it is done."""
        began, begun = time.monotonic(), []

        def progress(fraction: float, text: str) -> None:
            if text == "painting":
                begun.append(time.monotonic() - began)

        client.run(job, KIND, photo, progress, priority="interactive")
        return begun[0], time.monotonic() - began

    with own_directories() as home, connect() as client:
        asked(client)
        folder = home / "photos"
        folder.mkdir()
        settings = Settings(options=LOOK, settle=0.0)
        watcher = Watcher([folder], settings, connected, lanes=lambda: LANES)
        thread = threading.Thread(target=watcher.run)
        thread.start()
        beside: list[tuple[float, float]] = []
        alone: list[tuple[float, float]] = []
        fed = 0
        for _ in range(args.jobs):
            for photo_of_batch in photographs(12, (1600, 900), fed):
                (folder / f"{fed}.jpg").write_bytes(photo_of_batch)
                fed += 1
            while not client.status()["queue"]["running"]:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 1.0))
            beside.append(asked(client))
            assert client.status()["queue"]["running"], "the batch had ended"
            while watcher.pipeline.tally["painted"] < fed:
                time.sleep(0.05)
            alone.append(asked(client))
        watcher.stop()
        thread.join()
    for name, index in (("begins after", 0), ("is done after", 1)):
        both = [sorted(row[index] for row in rows) for rows in (beside, alone)]
        words = (f"median {median(rows):.2f} s, longest {rows[-1]:.2f} s" for rows in both)
        print(f"an editor's job {name}: beside a batch {next(words)}; alone {next(words)}")


def memory(args: argparse.Namespace) -> None:
    from impasto.cli.watch import LANES, connected
    from impasto.client import connect
    from impasto.daemon.lifecycle import memory_mb
    from impasto.hotfolder import Settings, Watcher

    # A small working size: the same road for each picture, in less time.
    options = {"look": {"style": ["great-wave"], "scale": 4.0}, "output": {}}
    with own_directories() as home, connect() as client:
        folder = home / "photos"
        folder.mkdir()
        for number, photo in enumerate(photographs(args.pictures, (320, 180))):
            (folder / f"{number:05}.jpg").write_bytes(photo)
        settings = Settings(options=options, once=True, settle=0.0)
        watcher = Watcher([folder], settings, connected, lanes=lambda: LANES)
        thread = threading.Thread(target=watcher.run)
        began = time.monotonic()
        thread.start()
        seen: dict[int, dict[str, float]] = {}
        while thread.is_alive():
            thread.join(0.2)
            pipeline = getattr(watcher, "pipeline", None)
            painted = pipeline.tally["painted"] if pipeline else 0
            step = painted // 200 * 200
            if step and step not in seen:
                used = client.status()["memory_mb"]
                own = memory_mb(os.getpid()) or 0.0
                seen[step] = {"watcher": own, "daemon": used["daemon"], "worker": used["worker"]}
                print(f"{step}: " + ", ".join(f"{name} {value:.0f} MB" for name, value in seen[step].items()))
        first, last = seen[min(seen)], seen[max(seen)]
        growth = {name: last[name] / first[name] - 1 for name in first}
        whole = sum(last.values()) / sum(first.values()) - 1
        words = ", ".join(f"{name} {value:+.1%}" for name, value in growth.items())
        took = time.monotonic() - began
        print(
            f"{args.pictures} in {took:.0f} s; from {min(seen)} to {max(seen)}: {words}; in all {whole:+.1%}"
        )


def cluster(args: argparse.Namespace) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from clusters import cluster as simulated  # pyright: ignore[reportMissingImports]
    from impasto.backends.cluster import Cluster

    with own_directories() as home, simulated(machines=1, cores=1) as machines:
        joined = Cluster(machines.address, cores=1)
        totals = {1: 0.0, 2: 0.0}
        chunk = 20
        photos = photographs(args.pictures, (1600, 900))
        while joined.warm < 1:
            time.sleep(0.1)
        machines.add(1)
        while joined.warm < 2:
            time.sleep(0.1)
        for number in range(args.pictures // chunk):
            own = photos[number * chunk : (number + 1) * chunk]
            for painters in (1, 2):
                took = by_hot_folder(home / f"{number}-{painters}", own, joined.connect, painters)
                totals[painters] += took
                print(f"{chunk} with {painters}: {took:.1f} s")
        print(f"{args.pictures} photographs: {totals[1]:.1f} s with one painter, {totals[2]:.1f} s with two")
        joined.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("throughput", "waiting", "memory", "cluster"))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=30)
    args = parser.parse_args()
    {"throughput": throughput, "waiting": waiting, "memory": memory, "cluster": cluster}[args.what](args)


if __name__ == "__main__":
    main()
