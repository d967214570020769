"""Weights beyond the bundled ones: what exists, what is here, and how it gets here.

A file is under its name only when all its bytes are right; until then it is a `.part` file, from
which a broken download goes on. Nothing is fetched unless somebody asks for it. A pickle that we can
read without torch is kept as safetensors.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from impasto.errors import ModelMissing, UsageError, did_you_mean
from impasto.files import data_directory

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[float, str], None]

CHUNK = 1 << 20
ATTEMPTS = 4
"""Connections in a row that may bring nothing new before a download is given up."""

TIMEOUT = 30.0
"""Seconds without a byte."""


@dataclass(frozen=True)
class Model:
    """An entry of `registry.toml`.

    Attributes:
        file: name of the published file.
        addresses: where it is published, tried in this order.
        size: of the published file, in bytes.
        sha256: of the published file.
        converted: whether it is kept as safetensors.
    """

    name: str
    title: str
    file: str
    addresses: tuple[str, ...]
    size: int
    sha256: str
    licence: str
    converted: bool = False

    @property
    def path(self) -> Path:
        """Where it is when it is installed."""
        return directory() / (Path(self.file).stem + ".safetensors" if self.converted else self.file)


@cache
def registry() -> tuple[Model, ...]:
    text = (Path(__file__).parent / "registry.toml").read_text(encoding="utf-8")
    return tuple(
        Model(**entry | {"addresses": tuple(entry["addresses"])}) for entry in tomllib.loads(text)["model"]
    )


def directory() -> Path:
    """Where models are kept: `IMPASTO_MODELS`, or the user's data directory."""
    chosen = os.environ.get("IMPASTO_MODELS")
    return Path(chosen) if chosen else data_directory() / "models"


def find(name: str) -> Model:
    """Raises `UsageError` for a name that the registry does not have."""
    for model in registry():
        if model.name == name:
            return model
    near = did_you_mean(name, [model.name for model in registry()])
    raise UsageError(f"There is no model “{name}”{near}; “impasto models list” lists them all.")


def installed(name: str) -> bool:
    """Whether its file is there, by a glance; `verify` looks at each byte."""
    model = find(name)
    try:
        return model.path.stat().st_size == model.size or model.converted
    except OSError:
        return False


def verify(name: str) -> bool:
    """Whether the model is there and each of its bytes is right."""
    model = find(name)
    if model.converted:
        from impasto.models import converted

        return converted.load(model.path, model.sha256) is not None
    return installed(name) and digest(model.path) == model.sha256


def require(name: str) -> Path:
    """The file of a model, its bytes verified.

    Raises:
        ModelMissing: it is not there, or damaged; with the command that fetches it.
    """
    return require_all((name,))[name]


def require_all(names: Sequence[str]) -> dict[str, Path]:
    """The files of several models by name, as `require`; the error names all that are not there."""
    models = [find(name) for name in names]
    missing = [model for model in models if not model.path.is_file()]
    wrong = missing or [model for model in models if not verify(model.name)]
    if wrong:
        raise _missing(*wrong)
    return {model.name: model.path for model in models}


def tensors(name: str) -> dict[str, np.ndarray]:
    """What a converted model holds, by name, its bytes verified.

    Raises:
        ModelMissing: as `require`.
    """
    from impasto.models import converted

    model = find(name)
    found = converted.load(model.path, model.sha256)
    if found is None:
        raise _missing(model)
    return found


def _missing(*models: Model) -> ModelMissing:
    command = f"“impasto models pull {' '.join(model.name for model in models)}”"
    if models[0].path.is_file():
        return ModelMissing(f"“{models[0].path}” is damaged; fetch it again with {command}.")
    size = f"{sum(model.size for model in models) / 1e6:.0f} MB"
    if len(models) == 1:
        what = f"The model “{models[0].name}” is not installed; fetch it"
    else:
        what = f"The models {', '.join(f'“{model.name}”' for model in models)} are not installed; fetch them"
    return ModelMissing(f"{what} ({size}) with {command}.")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def import_file(path: Path) -> Model:
    """Copy a file that was fetched by other means into the store; its bytes tell which model it is.

    Raises:
        UsageError: it cannot be read, or is none of the registry's.
    """
    try:
        found = digest(path)
    except OSError as error:
        raise UsageError(f"“{path}” cannot be read ({error.strerror}); check the path.") from None
    for model in registry():
        if model.sha256 == found:
            part = _part(model)
            with _writing(model):
                shutil.copyfile(path, part)
                _publish(model, part)
            return model
    raise UsageError(
        f"“{path}” is none of the known models, or is damaged; “impasto models list” names them."
    )


def pull(name: str, progress: Progress) -> Path:
    """Fetch a model, going on where an earlier attempt was broken off.

    Args:
        progress: called with the fraction done, and sizes and speed in words; may raise to stop, and
            the next call goes on there.

    Raises:
        ModelMissing: no address delivers the right bytes, or they cannot be stored.
    """
    model = find(name)
    if verify(name):
        return model.path
    if mirror := os.environ.get("IMPASTO_MIRROR"):
        source = Path(mirror) / model.file
        if source.is_file() and import_file(source) == model:
            return model.path
    reason = ""
    for address in model.addresses:
        try:
            with _writing(model):
                _download(model, address, progress)
            return model.path
        except ModelMissing as error:
            reason = str(error)
    raise ModelMissing(reason)


class _writing:  # noqa: N801
    """Turns an error of the disk into a sentence; makes the folder."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __enter__(self) -> None:
        try:
            self.model.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.__exit__(type(error), error, None)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise ModelMissing(
                f"“{self.model.path}” cannot be written ({error.strerror or error}); "
                "choose another folder with IMPASTO_MODELS."
            ) from None


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _only_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _only_https(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https":
        raise ModelMissing(f"“{parts.hostname}” does not offer this model by https; nothing was fetched.")


def _part(model: Model) -> Path:
    return model.path.with_name(f".{model.path.name}.part")


def _publish(model: Model, part: Path) -> None:
    """Give the whole file its name, if it is the right one; else remove it."""
    if part.stat().st_size != model.size or digest(part) != model.sha256:
        part.unlink()
        raise ModelMissing(f"What came for “{model.name}” is not the known file; it was thrown away.")
    if model.converted:
        _convert(model, part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(model.path)


def _convert(model: Model, part: Path) -> None:
    from impasto.models import converted, pickled

    beside = part.with_suffix(".converting")
    try:
        beside.write_bytes(converted.convert(part, model.sha256))
        beside.replace(part)
    except pickled.NotPlain as error:
        part.unlink()
        raise ModelMissing(f"“{model.file}” is no plain file of weights: {error}.") from None
    finally:
        beside.unlink(missing_ok=True)


def _download(model: Model, address: str, progress: Progress) -> None:
    part = _part(model)
    resumed = part.exists() and part.stat().st_size > 0
    _complete(model, address, part, progress)
    try:
        _publish(model, part)
    except ModelMissing:
        if not resumed:
            raise
        # What was there before may have come from elsewhere, or have been damaged since.
        _complete(model, address, part, progress)
        _publish(model, part)


def _complete(model: Model, address: str, part: Path, progress: Progress) -> None:
    """Bring `part` to the model's size, in as many connections as it takes."""
    idle, furthest, reason = 0, -1, ""
    while idle < ATTEMPTS:
        before = part.stat().st_size if part.exists() else 0
        if before >= model.size:
            break
        # Bytes that came before are nothing new: a server may have but half of them.
        idle, furthest = (0, before) if before > furthest else (idle + 1, furthest)
        try:
            _receive(model, address, part, before, progress)
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.reason}"
            if error.code == 416:  # it has no bytes beyond those that we have
                part.unlink(missing_ok=True)
        except (urllib.error.URLError, HTTPException, ssl.SSLError, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", None) or error or "the connection broke")
    if not part.exists() or part.stat().st_size < model.size:
        host = urlsplit(address).hostname
        raise ModelMissing(
            f"“{model.name}” could not be fetched from {host} ({reason or 'the connection broke'}); "
            f"“impasto models pull {model.name}” goes on where it stopped."
        )


def _receive(model: Model, address: str, part: Path, start: int, progress: Progress) -> None:
    """Append what one connection brings; a server that ignores the range begins anew."""
    _only_https(address)
    headers = {"User-Agent": "impasto"} | ({"Range": f"bytes={start}-"} if start else {})
    opener = urllib.request.build_opener(_SecureRedirects)
    with opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as response:
        if response.status == 206 and not _goes_on(response.headers.get("Content-Range", ""), start):
            part.unlink(missing_ok=True)
            raise HTTPException("it sent another part than asked for")
        done = start if response.status == 206 else 0
        began, before = time.monotonic(), done
        with part.open("ab" if done else "wb") as file:
            while chunk := response.read1(CHUNK):
                done += len(chunk)
                if done > model.size:
                    raise ModelMissing(_too_large(part, model))
                file.write(chunk)
                speed = (done - before) / max(time.monotonic() - began, 1e-3)
                sizes = f"{done / 1e6:.1f} of {model.size / 1e6:.1f} MB, {speed / 1e6:.1f} MB/s"
                progress(done / model.size, sizes)


def _goes_on(content_range: str, start: int) -> bool:
    return start > 0 and content_range.startswith(f"bytes {start}-")


def _too_large(part: Path, model: Model) -> str:
    part.write_bytes(b"")
    return f"What came for “{model.name}” is larger than the known file; it was thrown away."
