"""Tensors out of a file that torch saved, without torch, and without trusting the file.

Such a file is a zip archive of a pickle, which names a function for each tensor, and one member of
raw numbers a storage. A pickle is a program; this one may build dictionaries and name tensors, nothing else.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

PICKLE_BYTES = 16_000_000
"""More than the largest model's table of contents."""


class NotPlain(ValueError):
    """The file is damaged, or holds anything but tensors by name."""


class _Storage(NamedTuple):
    type: str
    member: str
    length: int


class _Saved(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> _Saved:
    return _Saved(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in STORAGES:
            return name
        raise NotPlain(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage, member, _, length = pid
        if kind != "storage":
            raise NotPlain("it names something that is no storage")
        return _Storage(storage, member, length)


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a saved dictionary of tensors, by name.

    Raises:
        NotPlain: it is none, whatever it is.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _tensors(archive)
    except (NotPlain, OSError):
        raise
    except Exception as error:  # a pickle made to do harm can fail in any way
        raise NotPlain(f"it is damaged ({type(error).__name__})") from None


def _tensors(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    (table,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = table.removesuffix("data.pkl")
    if archive.getinfo(table).file_size > PICKLE_BYTES:
        raise NotPlain("its table of contents is too large")
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise NotPlain("its numbers have another order of bytes")
    contents = _Unpickler(io.BytesIO(archive.read(table))).load()
    if type(contents) not in (dict, OrderedDict):
        raise NotPlain("it is no dictionary")
    tensors: dict[str, np.ndarray] = {}
    for name, saved in contents.items():
        if type(name) is not str or type(saved) is not _Saved:
            raise NotPlain("it holds something that is no tensor")
        tensors[name] = _tensor(archive, folder, saved)
    return tensors


def _tensor(archive: zipfile.ZipFile, folder: str, saved: _Saved) -> np.ndarray:
    storage, offset, shape, strides = saved
    if type(storage) is not _Storage or type(storage.type) is not str or type(storage.member) is not str:
        raise NotPlain("a tensor has no storage")
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
        raise NotPlain("a tensor has no shape")
    if any(type(number) is not int or number < 0 for number in (offset, storage.length, *shape, *strides)):
        raise NotPlain("a tensor's shape is none")
    dtype = np.dtype(STORAGES[storage.type])
    member = archive.getinfo(f"{folder}data/{storage.member}")
    # A compressed member could grow without end.
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != storage.length * dtype.itemsize:
        raise NotPlain("a storage is not as long as it says")
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, dtype)
    # Strides of 0 would make a giant of a few bytes.
    if last >= storage.length or np.prod(shape, dtype=object) > storage.length:
        raise NotPlain("a tensor reaches beyond its storage")
    numbers = np.frombuffer(archive.read(member), dtype)[offset:]
    steps = [stride * dtype.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False).copy()
