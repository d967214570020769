"""The client alone: what it trusts, what it imports, how it says who it is."""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import rpyc

from daemons import daemon, directories
from impasto import errors
from impasto.backends.daemon import our_errors, running_daemon
from impasto.client import Cancelled, ClientError, ConnectionLost, JobFailed, NoDaemon, Refused, connect
from impasto.client.handshake import GO, PROTOCOL, Unwelcome, admit, greet
from impasto.client.launch import daemon_command
from impasto.client.place import Address, read_address, runtime_directory, write_address

CLIENT = Path(connect.__code__.co_filename).parent
TOKEN = bytes(range(32))

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX owners and modes")
root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give a directory to another user"
)


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory that does not exist yet."""
    with directories() as (runtime, _):
        yield runtime


def test_no_daemon_is_told_in_a_sentence(runtime: Path) -> None:
    with pytest.raises(NoDaemon, match="No Impasto daemon is running; “impasto serve” starts one"):
        connect(start=False)
    assert running_daemon() is None


def test_a_daemon_that_cannot_start_is_told_with_its_last_words(runtime: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('impasto: no paint left')"]
    with pytest.raises(NoDaemon, match="did not start: impasto: no paint left"):
        connect(command=command)
    with pytest.raises(NoDaemon, match=r"cannot be started: .*No such file"):
        connect(command=["/no/such/program"])


@posix
def test_the_directory_is_made_private(runtime: Path) -> None:
    assert runtime_directory(create=True) == runtime
    assert runtime.stat().st_mode & 0o777 == 0o700


@posix
def test_an_open_directory_is_refused(runtime: Path) -> None:
    runtime.mkdir(mode=0o755)
    with pytest.raises(Refused, match="open to other users"):
        connect(start=False)


@posix
def test_a_link_is_refused(runtime: Path, tmp_path: Path) -> None:
    runtime.symlink_to(tmp_path)
    with pytest.raises(Refused, match="is not a directory"):
        connect(start=True)


@root
def test_a_directory_of_another_user_is_refused(runtime: Path) -> None:
    runtime.mkdir(mode=0o700)
    os.chown(runtime, 65534, 65534)
    with pytest.raises(Refused, match="belongs to another user"):
        connect(start=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"token": "xyz"}', '{"token": 1}'])
def test_a_broken_address_is_no_daemon(runtime: Path, text: str) -> None:
    (runtime_directory(create=True) / "daemon.json").write_text(text)
    with pytest.raises(NoDaemon, match="cannot be read"):
        connect(start=False)


def test_the_address_is_for_one_pair_of_eyes(runtime: Path) -> None:
    address = Address(PROTOCOL, 1, TOKEN, "", 80)
    write_address(runtime_directory(create=True), address)
    assert read_address(runtime) == address
    if os.name == "posix":
        assert (runtime / "daemon.json").stat().st_mode & 0o777 == 0o600


def shake(client_token: bytes, daemon_token: bytes, protocol: int = PROTOCOL) -> str:
    """Let two sides greet; returns why the daemon refused, or "". Raises what the client does."""
    ours, theirs = socket.socketpair()
    reasons: list[str] = []

    def daemon() -> None:
        try:
            admit(theirs, daemon_token)
        except (Unwelcome, OSError) as error:
            reasons.append(str(error))

    thread = threading.Thread(target=daemon)
    thread.start()
    with ours, theirs:
        try:
            greet(ours, client_token, protocol)
        finally:
            thread.join()
    return "".join(reasons)


def test_both_sides_know_the_token() -> None:
    assert shake(TOKEN, TOKEN) == ""


def test_a_wrong_token_is_refused() -> None:
    with pytest.raises(Refused, match="token refused"):
        shake(TOKEN, bytes(32))


def test_an_older_client_is_told_to_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.client.handshake.PROTOCOL", 2)
    with pytest.raises(
        Refused, match="This daemon speaks protocol 2, the plug-in speaks 1: update the plug-"
    ):
        shake(TOKEN, TOKEN, protocol=1)


def test_a_newer_client_asks_for_a_newer_daemon() -> None:
    with pytest.raises(Refused, match="speaks protocol 1, the plug-in speaks 9: update Impasto"):
        shake(TOKEN, TOKEN, protocol=9)


def test_a_daemon_without_the_token_is_refused() -> None:
    """Someone who took the daemon's address lets anybody in, and is seen through."""
    ours, theirs = socket.socketpair()

    def impostor() -> None:
        theirs.recv(42)
        theirs.sendall(b"IMPASTO\n" + PROTOCOL.to_bytes(2, "big") + bytes([GO]) + bytes(32))
        theirs.recv(32)
        theirs.sendall(b"IMPASTO\n" + PROTOCOL.to_bytes(2, "big") + bytes([GO]) + bytes(32))

    thread = threading.Thread(target=impostor)
    thread.start()
    with ours, theirs:
        with pytest.raises(Refused, match="not this user's daemon"):
            greet(ours, TOKEN)
        thread.join()


def test_something_else_at_the_address_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(Refused, match="not the Impasto daemon"):
            greet(ours, TOKEN)


def test_errors_become_those_of_the_tree() -> None:
    pairs = [
        (NoDaemon("a"), errors.DaemonError),
        (Refused("a"), errors.Refused),
        (ConnectionLost("a"), errors.ConnectionLost),
        (Cancelled("a"), errors.Cancelled),
        (JobFailed("UnknownStyle", "a", 2, False), errors.UnknownStyle),
        (JobFailed("FromTheFuture", "a", 9, False), errors.ImpastoError),
    ]
    for theirs, ours in pairs:
        with pytest.raises(ours, match="a") as caught, our_errors():
            raise theirs
        assert type(caught.value) is ours
        if ours is not errors.ImpastoError:
            assert (theirs.code, theirs.retry, theirs.name) == (ours.code, ours.retry, ours.__name__)


def test_the_client_stands_alone() -> None:
    """It imports the standard library, rpyc and itself, in the syntax of Python 3.10."""
    for path in CLIENT.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not isinstance(node, ast.ImportFrom) or node.level < 2, path
            for name in names:
                assert name.partition(".")[0] in {*sys.stdlib_module_names, "rpyc"}, (path, name)


def test_importing_the_client_is_cheap() -> None:
    program = "import json, sys, impasto.client; print(json.dumps(sorted(sys.modules)))"
    with directories():
        output = subprocess.check_output([sys.executable, "-c", program])
    heavy = {"rpyc", "plumbum", "ssl", "asyncio", "logging", "numpy", "multiprocessing", "impasto.errors"}
    assert not heavy & set(json.loads(output))


def interpreters() -> list[str]:
    """This Python, and the 3.10 that some editors bring, if it is here and runs."""
    found = [sys.executable]
    old = shutil.which("python3.10")
    if old and subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode == 0:
        found.append(old)
    return found


@posix
@pytest.mark.parametrize("python", interpreters())
def test_a_copy_in_a_plug_in_works(python: str, tmp_path: Path, runtime: Path) -> None:
    """As the installer vendors it: a sub-package of something else, with rpyc beside."""
    plugin = tmp_path / "plugin"
    shutil.copytree(CLIENT, plugin / "brush" / "talk", ignore=shutil.ignore_patterns("__pycache__"))
    (plugin / "brush" / "__init__.py").touch()
    shutil.copytree(Path(rpyc.__file__).parent, plugin / "rpyc")
    command = [sys.executable, str(Path(__file__).with_name("daemons.py")), "--idle", "0.2"]
    own_path = ["/usr/bin/env", f"PYTHONPATH={os.environ['PYTHONPATH']}"]
    (plugin / "brush" / "talk" / "command.json").write_text(json.dumps([*own_path, *command]))
    program = (
        "from brush.talk import connect\n"
        "import sys\n"
        "with connect() as client:\n"
        "    meta, data = client.run('{}', {'kind': 'file', 'name': 'a'}, b'pixels')\n"
        "    assert bytes(data) == b'pixels', meta\n"
        "    client.stop()\n"
        "assert not any(name.split('.')[0] == 'impasto' for name in sys.modules)\n"
        "assert not {'numpy', 'plumbum'} & set(sys.modules)\n"
    )
    needed = {"PYTHONPATH": str(plugin), "PATH": os.environ["PATH"]}
    needed |= {name: os.environ[name] for name in ("IMPASTO_RUNTIME_DIR", "IMPASTO_STATE_DIR")}
    subprocess.run([python, "-c", program], check=True, env=needed, cwd=tmp_path, timeout=60)


def test_the_command_is_this_python_where_impasto_is_installed() -> None:
    assert daemon_command() == [sys.executable, "-m", "impasto", "serve"]


def test_the_errors_have_one_root() -> None:
    assert all(issubclass(error, ClientError) for error in (NoDaemon, Refused, ConnectionLost, Cancelled))


def test_a_daemon_that_dies_does_not_kill_a_program_with_embedded_python() -> None:
    code = """
import os, signal, sys, time
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in Krita
from impasto.client import ConnectionLost, connect
client = connect(start=False)
os.kill(int(sys.argv[1]), signal.SIGKILL)
time.sleep(0.3)
for _each in range(2):
    try:
        client.begin("{}", {"kind": "file", "name": "x"}, 1)
    except ConnectionLost:
        print("lost")
"""
    with daemon() as running:
        words = [sys.executable, "-c", code, str(running.process.pid)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "lost\nlost\n"), done
