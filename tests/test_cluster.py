"""The hot folder on a Ray cluster of three simulated machines, of which painters and one machine are lost."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clusters import Busy, Simulated, cluster, free_port
from daemons import until
from hotfolders import Publications, encoded, is_painting_of, many, names, watching
from impasto.backends import Parcel
from impasto.backends.cluster import Cluster
from impasto.errors import Cancelled, UnreadablePicture
from impasto.hotfolder.journal import Journal
from impasto.job import Job

pytestmark = [
    # Not by importing it: that reads the token, which is not known yet.
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
    pytest.mark.timeout(900),
]

EXAMPLE = Path(__file__).parents[1] / "examples" / "roman-colosseum.jpg"


def ignore(fraction: float, text: str) -> None:
    pass


@pytest.fixture(scope="module")
def machines() -> Iterator[Simulated]:
    try:
        with cluster(machines=2) as simulated:
            yield simulated
    except Busy:
        pytest.skip("Ray's helpers do not start within its 15 s on this busy machine")


@pytest.fixture
def painters(machines: Simulated) -> Iterator[Cluster]:
    """Joined, with a warm painter on each machine."""
    joined = Cluster(machines.address, "hotfolders", cores=1)
    try:
        until(lambda: joined.warm == len(machines.machines), 120)
        yield joined
    finally:
        joined.close()
    until(lambda: not machines.painters(), 30)


def test_painters_paint_fail_and_stop(machines: Simulated, painters: Cluster) -> None:
    backend = painters.connect()
    heard: list[str] = []
    parcel = Parcel(encoded(1), {"kind": "file", "name": "a.png"})
    painted = backend.run(Job(), parcel, lambda fraction, text: heard.append(text))
    assert painted.meta["format"] == "png"
    assert heard[0] == "waiting"
    assert any(text.startswith("painting on") for text in heard)
    with pytest.raises(UnreadablePicture, match=r"a\.png"):
        backend.run(Job(), Parcel(b"no picture", {"kind": "file", "name": "a.png"}), ignore)

    def stop(fraction: float, text: str) -> None:
        if not text.startswith(("waiting", "painting on")):
            raise Cancelled("stop")

    before = machines.painters()
    slow = Parcel(encoded(1), {"kind": "file", "name": "slow.png"})
    began = time.monotonic()
    with pytest.raises(Cancelled):
        backend.run(Job(), slow, stop)
    assert time.monotonic() - began < 5
    assert machines.painters() == before
    assert bytes(backend.run(Job(), parcel, ignore).data) == bytes(painted.data)


def test_lost_painters_and_a_lost_machine_cost_no_picture(
    machines: Simulated, painters: Cluster, tmp_path: Path
) -> None:
    """A machine more joins, a painter is killed, a machine dies, and one picture kills whoever paints it."""
    folder = tmp_path / "photos"
    (folder / "impasto").mkdir(parents=True)
    number = many(40)
    photos = {f"{n:04}.png": encoded(n) for n in range(number)}
    for name, data in photos.items():
        (folder / name).write_bytes(data)
    (folder / "poison.png").write_bytes(encoded(0))
    publications = Publications(folder / "impasto")
    third = machines.add()
    with watching(folder, connect=painters.connect, lanes=lambda: painters.size) as watch:

        def reached(share: float) -> None:
            until(lambda: len(watch.of("painted")) >= share * number, 300)

        reached(0.2)
        os.kill(machines.painters()[0], signal.SIGKILL)
        reached(0.4)
        until(lambda: painters.size == 3 and painters.warm >= 2, 240)
        third.kill()
        machines.machines.remove(third)
        reached(1)
        until(lambda: len(watch.of("failed")) == 1, 120)
        time.sleep(0.5)
    counted = publications.counted()
    assert counted == {name.replace(".", "-kiss."): 1 for name in photos}
    assert names(folder / "impasto") == sorted([*counted, "failed/poison.png.error.txt"])
    for name, data in photos.items():
        assert is_painting_of(folder / "impasto" / name.replace(".", "-kiss."), data)
        assert (folder / name).read_bytes() == data
    (failed,) = watch.of("failed")
    assert failed.input == folder / "poison.png"
    assert "attempt 3 of 3" in failed.text
    journal = Journal(folder / ".impasto/journal.sqlite", folder)
    assert journal.counts() == {"painted": number, "failed": 1}
    journal.close()


def test_pictures_are_painted_at_the_same_time(painters: Cluster) -> None:
    threads: list[threading.Thread] = []
    under_way: list[int] = []
    barrier = threading.Barrier(2, timeout=60)

    def paint() -> None:
        met = False

        def progress(fraction: float, text: str) -> None:
            nonlocal met
            if text.startswith("painting on") and not met:
                met = True
                under_way.append(barrier.wait())

        parcel = Parcel(encoded(1), {"kind": "file", "name": "a.png"})
        painters.connect().run(Job(), parcel, progress)

    for _ in range(2):
        threads.append(threading.Thread(target=paint))
        threads[-1].start()
    for thread in threads:
        thread.join(90)
    assert sorted(under_way) == [0, 1]


def test_the_real_painter_paints_as_in_this_process(machines: Simulated) -> None:
    from impasto.backends.local import LocalBackend

    job = Job.from_dict({"look": {"style": "great-wave"}})
    parcel = Parcel(EXAMPLE.read_bytes(), {"kind": "file", "name": EXAMPLE.name})
    joined = Cluster(machines.address, cores=1)
    try:
        painted = joined.connect().run(job, parcel, ignore)
    finally:
        joined.close()
    here = LocalBackend().run(job, parcel, ignore)
    # Another number of threads adds in another order, which in bfloat16 is seen in the last bits.
    before, after = (np.asarray(Image.open(io.BytesIO(one.data)), int) for one in (here, painted))
    assert before.shape == after.shape
    assert abs(before - after).mean() < 2.5


def watch_with(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "impasto", "watch", str(folder), "--once", "--style", "kiss", *words]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_command_with_a_wrong_and_with_the_right_token(machines: Simulated, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(1))
    words = ["--backend", "ray", "--cluster", machines.address]
    done = watch_with(tmp_path, *words, RAY_AUTH_TOKEN="wrong")
    assert done.returncode == 5, done.stderr
    assert "cannot be joined (it does not take our token)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    nobody = watch_with(tmp_path, "--backend", "ray", "--cluster", f"127.0.0.1:{free_port()}")
    assert nobody.returncode == 5, nobody.stderr
    assert "cannot be joined (Connection refused)" in nobody.stderr
    assert watch_with(tmp_path, "--backend", "ray", "--cluster", "local").returncode == 2
    assert names(tmp_path) == ["a.png"]
    done = watch_with(tmp_path, *words, "--cores", "1", "--settle", "0")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == ["a.png", "impasto/a-kiss.png"]


def test_without_ray_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from impasto.cli import main\n"
        f"sys.exit(main(['watch', {str(tmp_path)!r}, '--once', '--style', 'kiss', '--backend', 'ray']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "impasto[cluster]" in done.stderr


def test_a_lost_head_costs_no_picture(machines: Simulated, tmp_path: Path) -> None:
    """All of the cluster fails, and comes back; then it fails for good: this is the last that uses it."""
    (tmp_path / "impasto").mkdir()
    publications = Publications(tmp_path / "impasto")
    soon = {"RAY_gcs_rpc_server_reconnect_timeout_s": "3", "RAY_gcs_rpc_server_connect_timeout_s": "3"}

    def drop(first: int, number: int) -> None:
        for n in range(first, first + number):
            (tmp_path / f"{n:02}.png").write_bytes(encoded(n))

    def painted() -> int:
        return len(list((tmp_path / "impasto").glob("*.png")))

    def watching(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "impasto", "watch", str(tmp_path), "--style", "kiss"]
        command += ["--backend", "ray", "--cluster", machines.address, "--cores", "1", "--settle", "0.1"]
        return subprocess.Popen([*command, *words], env=os.environ | soon, stderr=subprocess.PIPE, text=True)

    drop(0, 12)
    watcher = watching()
    until(lambda: painted() >= 2, 120)
    machines.fail()
    assert watcher.stderr
    told = [watcher.stderr.readline() for _ in range(2)]  # the first says what is watched
    assert told[1].startswith("impasto: The ")
    assert "Ray cluster" in told[1]
    assert told[1].endswith("Painting goes on when that is over.\n")
    machines.restart(1)
    until(lambda: painted() == 12, 120)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert err == "impasto: stopped.\n"
    drop(12, 24)
    watcher = watching("--once")
    until(lambda: painted() >= 14, 120)
    machines.fail()
    _, err = watcher.communicate(timeout=120)
    assert watcher.returncode == 5, err
    assert err.count("impasto: The ") == len(err.splitlines()) == 2
    assert "cannot be joined" in err
    counted = publications.counted()
    assert 14 <= len(counted) < 36
    assert set(counted.values()) == {1}
    assert names(tmp_path / "impasto") == sorted(counted)
    journal = Journal(tmp_path / ".impasto/journal.sqlite", tmp_path)
    assert journal.counts()["painted"] == len(counted)
    assert "failed" not in journal.counts()
    journal.close()
