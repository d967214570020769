"""Services that watch folders from login on, and what `impasto status` tells of folders."""

from __future__ import annotations

import json
import plistlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from daemons import daemon, directories, until
from hotfolders import encoded, watching
from impasto.cli import main
from impasto.errors import UsageError
from impasto.hotfolder.register import watched
from impasto.installer import service

COMMAND = ["/usr/bin/python 3", "-m", "impasto", "watch", 'a "b" 100%', "$HOME", "--style", "kiss"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


class Recorder:
    """Runs nothing, and tells what it was to run."""

    def __init__(self, reason: str = "") -> None:
        self.called: list[tuple[str, ...]] = []
        self.reason = reason

    def __call__(self, words: Sequence[str]) -> str:
        self.called.append(tuple(words))
        return self.reason


def test_the_same_folders_are_the_same_service(tmp_path: Path) -> None:
    one, other = tmp_path / "a b", tmp_path / "ä"
    first = service.service([one], COMMAND, "linux")
    assert service.service([one], ["another"], "linux").path == first.path
    assert service.service([other], COMMAND, "linux").path != first.path
    assert service.service([one, other], COMMAND, "linux").path != first.path
    assert first.name.isascii()


def test_systemd_runs_the_command_word_for_word(tmp_path: Path) -> None:
    """systemd's own parser reads the unit, and takes no %, $ or quotation mark for its own."""
    marker = tmp_path / "marker"
    program = tmp_path / "my program"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nopen({str(marker)!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    made = service.service([tmp_path], [str(program), *COMMAND[1:]], "linux")
    text = made.text.decode()
    assert 'ExecStart="' in text
    assert "100%%" in text
    assert "$$HOME" in text
    assert "WantedBy=default.target" in text
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / made.path.name
    unit.write_bytes(made.text)
    done = subprocess.run(
        [analyze, "--user", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []


def test_a_line_break_in_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line break"):
        service.service([tmp_path], ["python", "a\nExecStart=evil"], "linux")


def test_launchd_and_the_task_scheduler_run_the_command_word_for_word(tmp_path: Path) -> None:
    agent = plistlib.loads(service.service([tmp_path], COMMAND, "darwin").text)
    assert agent["ProgramArguments"] == COMMAND
    assert agent["RunAtLoad"] is True
    task = ElementTree.fromstring(service.service([tmp_path], COMMAND, "win32").text.decode("utf-16"))
    names = {element.tag.rpartition("}")[2]: element.text for element in task.iter()}
    assert names["Command"] == COMMAND[0]
    assert names["Arguments"] == subprocess.list2cmdline(COMMAND[1:])
    assert names["ExecutionTimeLimit"] == "PT0S"


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_installed_started_replaced_and_removed(tmp_path: Path, system: str) -> None:
    made = service.service([tmp_path], COMMAND, system)
    recorder = Recorder()
    assert not service.remove(made, recorder)
    assert service.install(made, recorder) == ""
    assert recorder.called == list(made.begin)
    assert made.path.read_bytes() == made.text
    service.install(made, recorder)
    assert recorder.called[len(made.begin) :] == [*made.end, *made.begin]
    assert service.install(made, Recorder("no bus")) == "no bus"
    assert made.path.exists()
    assert service.remove(made, recorder)
    assert not made.path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="systemd's words")
def test_on_the_command_line(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody runs systemd for this user, the file is there and the sentence says what to do."""
    photos = tmp_path / "my photos"
    photos.mkdir()
    words = ["watch", str(photos), "--style", "kiss"]
    code = main([*words, "--install-service"])
    out, err = capsys.readouterr()
    (unit,) = (home / "systemd/user").iterdir()
    assert str(unit) in out
    assert code == 0 or "by hand: systemctl --user daemon-reload" in err
    text = unit.read_text()
    assert f'"watch" "{photos}" "--style" "kiss"' in text
    assert "install-service" not in text
    assert main([*words, "--install-service", "--once"]) == 2
    assert main(["watch", str(photos), "--style", "kis", "--install-service"]) == 2
    assert main(["watch", str(tmp_path / "nowhere"), "--install-service"]) == 2
    assert main(["watch", str(photos), "--remove-service"]) == 0
    assert not unit.exists()
    assert main(["watch", str(photos), "--remove-service"]) == 0


def test_status_tells_of_watched_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(encoded(1))
    with directories():
        assert watched() == []
        with watching(photos) as watch:
            until(lambda: watch.of("painted") and watched())
            (told,) = watched()
            assert (told["folder"], told["painted"]) == (str(photos), 1)
            assert main(["status"]) == 5  # no daemon, but somebody paints
            assert f"{photos}: 1 painted, 0 failed, 0 to do" in capsys.readouterr().out
        assert watched() == []
    with daemon(), watching(photos):
        until(watched)
        capsys.readouterr()
        assert main(["status"]) == 0
        assert f"folder     {photos}: 1 painted" in capsys.readouterr().out
        assert main(["status", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["folders"][0]["folder"] == str(photos)


def test_a_watcher_that_was_killed_is_not_told_of(tmp_path: Path) -> None:
    from impasto.hotfolder.register import note

    photos = tmp_path / "photos"
    photos.mkdir()
    with directories():
        left = note(photos, None)
        assert left and left.exists()
        assert watched() == []
        assert not left.exists()


def test_a_note_is_whole_whenever_it_is_read(tmp_path: Path) -> None:
    from impasto.hotfolder.register import note

    with directories():
        path = note(tmp_path, None)
        assert path
        writer = threading.Thread(target=lambda: [note(tmp_path, None) for _ in range(300)])
        writer.start()
        while writer.is_alive():
            assert json.loads(path.read_text())["root"] == str(tmp_path)
        writer.join()
