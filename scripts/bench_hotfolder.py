"""Figures of the hot folder with the real daemon and painter, in directories of its own.

    scripts/bench_hotfolder.py throughput --pictures 200   hot folder against painting back to back
    scripts/bench_hotfolder.py waiting --jobs 30           a job of an editor beside a batch, and alone
    scripts/bench_hotfolder.py memory --pictures 2000      of watcher, daemon and worker, as the night goes on
    scripts/bench_hotfolder.py cluster --pictures 100      a Ray cluster of two cores against the daemon
    scripts/bench_hotfolder.py losses --pictures 200       a cluster of which a painter and a machine are lost

What is compared takes turns, so that other work on the machine meets all alike. As a module this is the
entry of the cluster's painters: the real one, but a picture called “poison” kills it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from PIL import Image

from impasto.backends import Parcel, Progress
from impasto.job import Job

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # for the simulated cluster
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
    from impasto.cli.watch import LANES, connected

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


def perform(job: Job, parcel: Parcel, progress: Progress, sketch: object = None) -> Parcel:
    from impasto.backends import work

    if "poison" in parcel.meta["name"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return work.perform(job, parcel, progress)


def cluster(args: argparse.Namespace) -> None:
    from clusters import cluster as simulated  # pyright: ignore[reportMissingImports]
    from impasto.backends.cluster import Cluster
    from impasto.cli.watch import LANES, connected

    rows = {"one painter of one core": (1, 1), "two of one": (1, 2), "one of two": (2, 1)}
    totals = dict.fromkeys([*rows, "the daemon"], 0.0)
    chunk = 20
    with own_directories() as home, simulated(machines=1, cores=2) as machines:
        connected().close()
        for number in range(args.pictures // chunk):
            photos = photographs(chunk, (1600, 900), number)
            for name, (cores, painters) in rows.items():
                with contextlib.closing(Cluster(machines.address, cores=cores)) as joined:
                    while joined.warm < 2 // cores:
                        time.sleep(0.1)
                    totals[name] += by_hot_folder(home / f"{number} {name}", photos, joined.connect, painters)
            totals["the daemon"] += by_hot_folder(home / f"{number} daemon", photos, connected, LANES)
            print(", ".join(f"{name}: {seconds:.1f} s" for name, seconds in totals.items()), flush=True)


def losses(args: argparse.Namespace) -> None:
    from clusters import cluster as simulated  # pyright: ignore[reportMissingImports]
    from hotfolders import Publications  # pyright: ignore[reportMissingImports]
    from impasto.backends.cluster import Cluster
    from impasto.hotfolder import Settings, Watcher

    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    with own_directories() as home, simulated(machines=3, cores=1) as machines:
        folder = home / "photos"
        (folder / "impasto").mkdir(parents=True)
        photos = photographs(args.pictures, (1600, 900))
        for number, photo in enumerate(photos):
            (folder / f"{number:04}.jpg").write_bytes(photo)
        (folder / "0000 poison.jpg").write_bytes(photos[0])
        published = Publications(folder / "impasto")
        joined = Cluster(machines.address, "bench_hotfolder", cores=1)
        settings = Settings(options=LOOK, once=True, settle=0.0)
        watcher = Watcher([folder], settings, joined.connect, lanes=lambda: joined.size)
        thread = threading.Thread(target=watcher.run)
        began = time.monotonic()
        thread.start()

        def reached(share: float) -> None:
            while thread.is_alive() and len(list((folder / "impasto").glob("*.jpg"))) < share * len(photos):
                time.sleep(0.05)
            print(f"{share:.0%} after {time.monotonic() - began:.1f} s, {joined.warm} painters", flush=True)

        reached(0.25)
        os.kill(machines.painters()[0], signal.SIGKILL)
        reached(0.5)
        machines.machines.pop().kill()
        thread.join()
        took = time.monotonic() - began
        counted = published.counted()
        twice = sum(number > 1 for number in counted.values())
        print(f"{len(photos)} and a poison in {took:.1f} s: {dict(watcher.pipeline.tally)}; {twice} twice")
        print("".join(path.read_text() for path in (folder / "impasto/failed").iterdir()))
        same = all((folder / f"{n:04}.jpg").read_bytes() == photo for n, photo in enumerate(photos))
        print(f"all originals as they were: {same}; {joined.warm} painters at the end")
        joined.close()


COMMANDS = {
    "throughput": throughput,
    "waiting": waiting,
    "memory": memory,
    "cluster": cluster,
    "losses": losses,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=tuple(COMMANDS))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=30)
    args = parser.parse_args()
    COMMANDS[args.what](args)


if __name__ == "__main__":
    main()
