"""Reading what torch saved without torch: the same tensors, and no file that gets its way."""

from __future__ import annotations

import io
import pickle
import struct
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.models.pickled import NotPlain, read
from mirror import MIRROR

torch = pytest.importorskip("torch", reason="torch, which writes these files, is not installed")


def archive(path: Path, table: bytes, storages: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("saved/data.pkl", table)
        file.writestr("saved/version", "3\n")
        for name, data in storages.items():
            file.writestr(f"saved/data/{name}", data)
    return path


class Named:
    """Pickles as the object called `name` in `module`, whatever that is."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """Pickles as a call, with a state set on what it returns."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Storage:
    def __init__(self, *pid: Any) -> None:
        self.pid = pid


def written(value: Any) -> bytes:
    """A pickle, protocol 2, of dictionaries, tuples and what the classes above stand for."""
    out = io.BytesIO()

    def put(value: Any) -> None:
        match value:
            case Named():
                out.write(f"c{value.module}\n{value.name}\n".encode())
            case Call():
                put(value.function)
                put(tuple(value.arguments))
                out.write(b"R")
                if value.state is not None:
                    put(value.state)
                    out.write(b"b")
            case Storage():
                put(tuple(value.pid))
                out.write(b"Q")
            case dict():
                out.write(b"}(")
                for key, entry in value.items():
                    put(key)
                    put(entry)
                out.write(b"u")
            case tuple():
                out.write(b"(")
                for entry in value:
                    put(entry)
                out.write(b"t")
            case _:
                out.write(pickle.dumps(value, 2)[2:-1])

    out.write(b"\x80\x02")
    put(value)
    return out.getvalue() + b"."


REBUILD = Named("torch._utils", "_rebuild_tensor_v2")
ORDERED = Named("collections", "OrderedDict")
FLOATS = Named("torch", "FloatStorage")


def tensor(
    offset: Any = 0,
    shape: Any = (2, 3),
    strides: Any = (3, 1),
    length: Any = 6,
    kind: Any = FLOATS,
    key: Any = "0",
) -> Call:
    storage = Storage("storage", kind, key, "cpu", length)
    return Call(REBUILD, storage, offset, shape, strides, False, Call(ORDERED))


NUMBERS = {"0": np.arange(6, dtype="<f4").tobytes()}


def test_what_the_tests_write_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", written({"a": tensor()}), NUMBERS)
    assert np.array_equal(read(path)["a"], np.arange(6).reshape(2, 3))
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.arange(6.0).view(2, 3))


def test_all_that_torch_saves_is_read(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).view(2, 3, 4)
    saved = OrderedDict(
        whole=base,
        turned=base.permute(2, 0, 1),
        part=base[:, 1:, ::2],
        scalar=torch.tensor(3),
        none=torch.zeros(0, 4),
        half=torch.ones(3, dtype=torch.float16),
        double=torch.ones(2, dtype=torch.float64),
        bytes=torch.arange(5, dtype=torch.uint8),
        flags=torch.tensor([True, False]),
        trained=torch.nn.Parameter(torch.ones(2)).data,
    )
    torch.save(saved, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt")
    assert list(found) == list(saved)
    for name, expected in saved.items():
        assert found[name].dtype == expected.numpy().dtype
        assert np.array_equal(found[name], expected.numpy())
        assert found[name].flags.c_contiguous


def test_mobile_sam_is_read_as_torch_reads_it() -> None:
    path = MIRROR / "mobile_sam.pt"
    if not path.is_file():
        pytest.skip(f"mobile_sam.pt is not in {MIRROR} (see IMPASTO_MIRROR)")
    expected, found = torch.load(path, weights_only=True), read(path)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], value.numpy()) for name, value in expected.items())


HARM = 'open("{}", "w").close()'

CALLS: dict[str, Callable[[str], Any]] = {
    "eval": lambda code: Call(Named("builtins", "eval"), code),
    "python 2's": lambda code: Call(Named("__builtin__", "eval"), code),
    "system": lambda code: Call(Named("os", "system"), "true"),
    "posix": lambda code: Call(Named("posix", "system"), "true"),
    "by a dotted name": lambda code: Call(Named("collections", "OrderedDict.__init__.__globals__"), code),
    "a dotted name of torch": lambda code: Call(Named("torch", "FloatStorage.__init__"), code),
    "torch's load": lambda code: Call(Named("torch", "load"), code),
    "numpy's": lambda code: Call(Named("numpy.testing._private.utils", "runstring"), code, {}),
    "an object": lambda code: Call(Named("copyreg", "_reconstructor"), code),
    "a storage": lambda code: Call(FLOATS, 4),
}


@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS.keys())
def test_nothing_is_called(make: Callable[[str], Any], tmp_path: Path) -> None:
    mark = tmp_path / "harm"
    path = archive(tmp_path / "a.pt", written({"a": make(HARM.format(mark))}), NUMBERS)
    with pytest.raises(NotPlain):
        read(path)
    assert not mark.exists()


LIES: dict[str, Any] = {
    "longer than its storage": tensor(shape=(3, 3)),
    "an offset beyond": tensor(offset=1),
    "a negative offset": tensor(offset=-1),
    "negative strides": tensor(strides=(-3, 1)),
    "a giant of strides of nothing": tensor(shape=(1 << 40, 1 << 20), strides=(0, 0)),
    "no whole number": tensor(offset=0.5),
    "a true offset": tensor(offset=True),
    "fewer strides": tensor(strides=(1,)),
    "no tuple": tensor(shape="23", strides="31"),
    "a longer storage": tensor(length=1 << 40),
    "a storage that is not there": tensor(key="9"),
    "a storage by a path": tensor(key="../../etc/passwd"),
    "a storage by no name": tensor(key=3),
    "another type": tensor(kind="FloatStorage2"),
    "another kind": Call(
        REBUILD, Storage("module", FLOATS, "0", "cpu", 6), 0, (6,), (1,), False, Call(ORDERED)
    ),
    "a short name": Call(REBUILD, Storage("storage"), 0, (6,), (1,), False, Call(ORDERED)),
    "no storage": Call(REBUILD, {}, 0, (6,), (1,), False, Call(ORDERED)),
    "no arguments": Call(REBUILD),
    "a state": Call(
        REBUILD, Storage("storage", FLOATS, "0", "cpu", 6), 0, (6,), (1,), False, (), state={"a": 1}
    ),
    "no tensor": "text",
    "a dictionary": {"b": tensor()},
}


@pytest.mark.parametrize("value", LIES.values(), ids=LIES.keys())
def test_a_tensor_that_lies_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(NotPlain):
        read(archive(tmp_path / "a.pt", written({"a": value}), NUMBERS))


@pytest.mark.parametrize(
    "value", [("a",), "text", {3: tensor()}, tensor()], ids=["tuple", "text", "key", "tensor"]
)
def test_only_a_dictionary_by_name_is_taken(value: Any, tmp_path: Path) -> None:
    with pytest.raises(NotPlain):
        read(archive(tmp_path / "a.pt", written(value), NUMBERS))


def test_what_is_no_such_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    good = written({"a": tensor()})
    archive(path, good, {"0": bytes(24)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(NotPlain, match="as long as it says"):
        read(path)
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(NotPlain):
        read(path)
    for data in (
        b"",
        b"PK\x03\x04",
        pickle.dumps({"a": 1}),
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    ):
        path.write_bytes(data)
        with pytest.raises(NotPlain):
            read(path)
        archive(path, data, NUMBERS)
        with pytest.raises(NotPlain):
            read(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", good)
        file.writestr("b/data.pkl", good)
    with pytest.raises(NotPlain):
        read(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/byteorder", "big")
        file.writestr("a/data.pkl", good)
    with pytest.raises(NotPlain, match="order of bytes"):
        read(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.pt")


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_is_refused_or_read(changes: list[tuple[int, int]]) -> None:
    out = io.BytesIO()
    torch.save(OrderedDict(a=torch.arange(6.0).view(2, 3), b=torch.ones(4, dtype=torch.int64)), out)
    data = bytearray(out.getvalue())
    for place, value in changes:
        data[place % len(data)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        path.write_bytes(data)
        try:
            found = read(path)
        except NotPlain:
            return
    assert all(isinstance(value, np.ndarray) for value in found.values())


def test_a_stack_of_frames_is_no_way_in(tmp_path: Path) -> None:
    """Extensions and frames of later protocols, and an instruction that does not exist."""
    for program in (
        b"\x82\x01",
        b"\x95" + struct.pack("<Q", 1 << 60),
        b"\xff",
        b"ios\nsystem\n",
        b"(S'true'\nios\nsystem\n",
    ):
        with pytest.raises(NotPlain):
            read(archive(tmp_path / "a.pt", b"\x80\x04" + program + b".", NUMBERS))
