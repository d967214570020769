"""The store of models: fetched over TLS from a server that misbehaves, imported, verified."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from impasto.cli import main
from impasto.errors import ModelMissing, UsageError
from impasto.models import store

DATA = bytes(range(256)) * 12000
NAME = "vgg19-normalised"


class Server(ThreadingHTTPServer):
    """Serves `body`, and misbehaves as it is told.

    Attributes:
        drop: bytes after which it drops a connection.
        ranges: whether it looks at ranges.
        shift: bytes by which it misses the range asked for.
        elsewhere: where it sends everybody.
        refusals: statuses that it answers with first, one a connection, to those who ask for a range.
        broken: whether it answers everybody with 500.
        starts: where each request wanted to begin.
    """

    body = DATA
    drop: int | None = None
    ranges = True
    shift = 0
    elsewhere: str | None = None
    refusals: list[int]
    broken = False
    starts: list[int]


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.server.starts.append(start)
        if self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            self.end_headers()
            return
        if self.server.broken or (start and self.server.refusals):
            self.send_error(500 if self.server.broken else self.server.refusals.pop(0))
            return
        if not self.server.ranges:
            start = 0
        start += self.server.shift if start else 0
        body = self.server.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.drop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the test server's certificate, is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    options = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    command = ["openssl", *options.split(), "-keyout", f"{path}.key", "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and a registry whose model is `DATA`."""
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("IMPASTO_MIRROR", raising=False)
    register(monkeypatch, "https://localhost/none")
    return tmp_path / "models"


def register(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    model = store.Model(NAME, "A test", "test.pth", addresses, len(DATA), digest, "none")
    monkeypatch.setattr(store, "registry", lambda: (model,))


@pytest.fixture
def server(certificate: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, f"{certificate}.key")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.starts, running.refusals = [], []
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        register(monkeypatch, f"https://localhost:{running.server_port}/test.pth")
        yield running
        running.shutdown()
        thread.join()


def quiet(fraction: float, what: str) -> None:
    assert 0 <= fraction <= 1


def leftovers(models: Path) -> list[str]:
    return [path.name for path in models.glob("*") if path.stat().st_size]


def test_a_model_is_fetched_and_verified(server: Server, models: Path) -> None:
    assert not store.installed(NAME)
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert store.verify(NAME)
    assert leftovers(models) == ["test.pth"]
    store.pull(NAME, quiet)
    assert server.starts == [0]


def test_a_dropped_connection_goes_on_where_it_broke(server: Server, models: Path) -> None:
    server.drop = 1_000_000
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert server.starts == [0, 1_000_000, 2_000_000, 3_000_000]


def test_a_stopped_download_goes_on_in_the_next_call(server: Server, models: Path) -> None:
    def stop(fraction: float, what: str) -> None:
        if fraction > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull(NAME, stop)
    assert not store.installed(NAME)
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert server.starts[1] > 0.3 * len(DATA)


def test_a_server_that_ignores_the_range_begins_anew(server: Server, models: Path) -> None:
    models.mkdir()
    (models / ".test.pth.part").write_bytes(b"x" * 1000)
    server.ranges = False
    assert store.pull(NAME, quiet).read_bytes() == DATA


def test_a_range_that_is_refused_begins_anew(server: Server, models: Path) -> None:
    models.mkdir()
    (models / ".test.pth.part").write_bytes(DATA[:1000])
    server.refusals = [416]
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert server.starts == [1000, 0]


def test_a_server_that_has_only_half_is_given_up(server: Server, models: Path) -> None:
    server.body = DATA[: len(DATA) // 2]
    server.refusals = [416] * 99
    with pytest.raises(ModelMissing, match=rf"416.*impasto models pull {NAME}"):
        store.pull(NAME, quiet)
    assert not (models / "test.pth").exists()
    assert len(server.starts) < 20


def test_another_part_than_asked_for_is_not_taken(server: Server, models: Path) -> None:
    models.mkdir()
    (models / ".test.pth.part").write_bytes(DATA[:1000])
    server.shift = 256
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert server.starts == [1000, 0]


def test_what_was_left_by_another_is_fetched_again(server: Server, models: Path) -> None:
    models.mkdir()
    (models / ".test.pth.part").write_bytes(b"x" * 1000)
    assert store.pull(NAME, quiet).read_bytes() == DATA
    assert server.starts == [1000, 0]


def test_a_server_that_always_drops_leaves_no_half_file(server: Server, models: Path) -> None:
    server.ranges, server.drop = False, 1_000_000
    with pytest.raises(ModelMissing, match="goes on where it stopped"):
        store.pull(NAME, quiet)
    assert leftovers(models) == [".test.pth.part"]
    server.ranges, server.drop = True, None
    assert store.pull(NAME, quiet).read_bytes() == DATA


def test_the_next_address_goes_on_where_the_first_failed(
    server: Server, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = f"https://localhost:{server.server_port}/test.pth"
    register(monkeypatch, "https://localhost:9/test.pth", right)
    assert store.pull(NAME, quiet).read_bytes() == DATA
    server.broken = True
    store.find(NAME).path.unlink()
    with pytest.raises(ModelMissing, match="500"):
        store.pull(NAME, quiet)
    assert leftovers(models) == []


def test_progress_says_how_much_and_how_fast(server: Server, models: Path) -> None:
    said: list[str] = []
    store.pull(NAME, lambda fraction, what: said.append(what))
    assert re.fullmatch(r"3\.1 of 3\.1 MB, [0-9.]+ MB/s", said[-1])


@pytest.mark.parametrize("body", [DATA[:-1] + b"!", DATA + b"!"], ids=["other", "longer"])
def test_wrong_bytes_are_thrown_away(body: bytes, server: Server, models: Path) -> None:
    server.body = body
    with pytest.raises(ModelMissing, match="thrown away"):
        store.pull(NAME, quiet)
    assert leftovers(models) == []


def test_a_redirect_to_http_is_refused(server: Server, models: Path) -> None:
    server.elsewhere = "http://localhost:9/test.pth"
    with pytest.raises(ModelMissing, match="https"):
        store.pull(NAME, quiet)
    assert leftovers(models) == []


def test_a_strange_certificate_is_refused(
    server: Server, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ModelMissing, match="localhost"):
        store.pull(NAME, quiet)
    assert server.starts == []


def test_what_is_missing_or_damaged_names_the_command(models: Path) -> None:
    command = f"impasto models pull {NAME}"
    with pytest.raises(ModelMissing, match=command):
        store.require(NAME)
    models.mkdir()
    (models / "test.pth").write_bytes(DATA[:-1] + b"!")
    with pytest.raises(ModelMissing, match=f"damaged.*{command}"):
        store.require(NAME)


def test_a_file_is_imported_by_its_bytes(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "whatever.bin"
    source.write_bytes(DATA)
    assert main(["models", "import", str(source)]) == 0
    assert main(["models", "verify", NAME]) == 0
    source.write_bytes(DATA[1:])
    with pytest.raises(UsageError, match="whatever"):
        store.import_file(source)
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["installed"] is True


def test_without_a_model_the_status_is_four(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", NAME]) == 4
    assert f"impasto models pull {NAME}" in capsys.readouterr().err
    assert main(["models", "pull", "vgg19-normalized"]) == 2
    assert NAME in capsys.readouterr().err


def test_a_mirror_serves_without_a_network(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.pth").write_bytes(DATA)
    monkeypatch.setenv("IMPASTO_MIRROR", str(tmp_path))
    assert store.pull(NAME, quiet).read_bytes() == DATA


@pytest.fixture
def pickled(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that torch saved, and a registry that wants it converted."""
    torch = pytest.importorskip("torch", reason="torch, which writes the file, is not installed")
    path = tmp_path / "pickled.pt"
    torch.save({"a": torch.arange(6.0).view(2, 3)}, path)
    register_converted(monkeypatch, path)
    return path


def register_converted(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    size, digest = path.stat().st_size, store.digest(path)
    model = store.Model(NAME, "A test", path.name, (), size, digest, "none", converted=True)
    monkeypatch.setattr(store, "registry", lambda: (model,))


def test_a_pickle_is_kept_as_safetensors(pickled: Path, models: Path) -> None:
    with pytest.raises(ModelMissing, match=f"impasto models pull {NAME}"):
        store.tensors(NAME)
    assert store.import_file(pickled).path == models / "pickled.safetensors"
    assert leftovers(models) == ["pickled.safetensors"]
    assert store.installed(NAME)
    assert store.verify(NAME)
    assert store.tensors(NAME)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_converted_model_that_was_changed_is_not_used(
    pickled: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.import_file(pickled).path
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not store.verify(NAME)
    for data in (whole[:-1], whole + b"!", b""):
        path.write_bytes(data)
        with pytest.raises(ModelMissing, match=f"damaged.*impasto models pull {NAME}"):
            store.tensors(NAME)
    path.write_bytes(whole)
    other = tmp_path / "other" / "pickled.pt"
    other.parent.mkdir()
    other.write_bytes(pickled.read_bytes() + b"!")
    register_converted(monkeypatch, other)
    assert not store.verify(NAME)


def test_a_pickle_that_holds_more_than_tensors_is_not_kept(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    register_converted(monkeypatch, path)
    with pytest.raises(ModelMissing, match="no plain file of weights"):
        store.import_file(path)
    assert leftovers(models) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y\n", "n\n", ""])
def test_at_a_terminal_a_missing_model_is_offered(
    answer: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.pth").write_bytes(DATA)
    monkeypatch.setenv("IMPASTO_MIRROR", str(tmp_path))
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["models", "verify", NAME]) == (0 if answer == "y\n" else 4)
    assert store.verify(NAME) == (answer == "y\n")
    assert "Fetch it now (3 MB)?" in asked.getvalue()
    assert (f"impasto models pull {NAME}" in asked.getvalue()) == (answer != "y\n")


def test_without_a_terminal_nothing_is_asked_nor_fetched(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.pth").write_bytes(DATA)
    monkeypatch.setenv("IMPASTO_MIRROR", str(tmp_path))
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["models", "verify", NAME]) == 4
    assert not store.installed(NAME)


def test_the_real_registry_is_complete() -> None:
    for model in store.registry():
        assert len(model.sha256) == 64
        assert model.size > 0
        assert all(address.startswith("https://") for address in model.addresses)
