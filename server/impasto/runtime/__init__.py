"""Which device and which executor a network runs on.

A graphics card is used through torch; a processor through OpenVINO, which starts in a fraction
of torch's time and runs the same network several times faster; torch on the processor is the
last resort, for platforms where OpenVINO has no wheel.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from impasto.errors import ModelMissing, UsageError, did_you_mean

Check = Callable[[], None]
"""Called every few hundredths of a second while a network runs; raises `Cancelled` to stop it."""


def nothing() -> None:
    """A `Check` that never stops."""


Part = TypeVar("Part")

Build = Callable[..., Any]
"""A network, or a part of one, of `ops`: see `runtime.operations.Ops`."""

Weights = Mapping[str, np.ndarray]
"""{"NAME.weight": (out, in, k, k) or (out, in), "NAME.bias": (out,)}, float16 or float32."""

NORM_EPSILON = 1e-5
"""Added to the variance of an instance norm."""

DEVICES = ("cuda", "mps", "xpu", "openvino", "cpu")
"""What `IMPASTO_DEVICE` can say; "cpu" is torch on the processor."""


class Network(Protocol):
    """A network made ready on a device, named for the user by `device`."""

    device: str

    def __call__(self, arrays: Sequence[np.ndarray], check: Check) -> list[np.ndarray]:
        """Run the network.

        Args:
            arrays: float32, of the shapes that it was made for.
            check: see `Check`.

        Returns:
            its results, float32.

        Raises:
            OutOfMemory: the device's memory does not hold them.
        """
        ...


class Executor:
    """A network that takes one picture, or several of the same scene, and gives one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.device = network.device

    def __call__(
        self, pictures: Sequence[np.ndarray], vectors: Sequence[np.ndarray], check: Check
    ) -> np.ndarray:
        """Run the network.

        Args:
            pictures: (H, W, C) float32 each.
            vectors: (L,) float32 each.
            check: see `Check`.

        Returns:
            (H, W, C) float32.

        Raises:
            OutOfMemory: the device's memory does not hold this picture.
        """
        return self.network([array[None] for array in (*pictures, *vectors)], check)[0][0]


def out_of_memory(arrays: Sequence[np.ndarray]) -> str:
    """The sentence for it."""
    height, width = arrays[0].shape[1:3]
    return f"Not enough memory for {width} x {height} pixels at once."


def cores() -> int:
    """Processor cores that this process may use; `IMPASTO_THREADS` sets another number."""
    limit = os.environ.get("IMPASTO_THREADS", "")
    if limit.isdecimal() and int(limit) > 0:
        return int(limit)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_all_cores(work: Callable[[Part], object], parts: Sequence[Part]) -> Iterator[float]:
    """Do a work of numpy's in parts; yields the fraction done."""
    with ThreadPoolExecutor(cores()) as pool:
        for done, _ in enumerate(pool.map(work, parts), start=1):
            yield done / len(parts)


def graphics_device() -> str | None:
    """The torch device of a usable graphics card, or None; imports torch only where one may be."""
    if importlib.util.find_spec("torch") is None:
        return None
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    drivers = ("/dev/nvidia0", "/dev/kfd", "/dev/dri/renderD128")
    if not (apple or os.name == "nt" or any(Path(driver).exists() for driver in drivers)):
        return None
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "xpu" if torch.xpu.is_available() else None


def executor(
    build: Build, weights: Weights, channels: Sequence[int], lengths: Sequence[int], exact: bool = False
) -> Executor:
    """Make a network of pictures ready, as `network` does.

    Args:
        build: (ops, *pictures, *vectors) -> picture; pictures are (1, C, H, W), vectors (1, L).
        weights: its weights.
        channels: of each picture that it takes.
        lengths: of each vector that it takes.
        exact: see `network`.
    """

    def planar(ops: Any, *inputs: Any) -> list[Any]:
        pictures = [ops.planes(picture) for picture in inputs[: len(channels)]]
        return [ops.pixels(build(ops, *pictures, *inputs[len(channels) :]))]

    shapes = [*((1, -1, -1, count) for count in channels), *((1, length) for length in lengths)]
    return Executor(network(planar, weights, shapes, exact))


def network(build: Build, weights: Weights, shapes: Sequence[Sequence[int]], exact: bool = False) -> Network:
    """Make a network ready on the fastest device here, or on the one `IMPASTO_DEVICE` names.

    Args:
        build: (ops, *arrays) -> list of results.
        weights: its weights.
        shapes: of each array that it takes, -1 for a length that varies.
        exact: compute in float32, where the device would be faster in bfloat16.

    Raises:
        ModelMissing: the package that the device needs is not installed.
        UsageError: `IMPASTO_DEVICE` names no device.
    """
    wanted = os.environ.get("IMPASTO_DEVICE")
    if wanted and wanted not in DEVICES:
        near = did_you_mean(wanted, list(DEVICES)) or f" (known: {', '.join(DEVICES)})"
        raise UsageError(f"IMPASTO_DEVICE names no device: “{wanted}”{near}.")
    device = wanted or graphics_device()
    if device is None:
        device = "openvino" if importlib.util.find_spec("openvino") else "cpu"
    package = "openvino" if device == "openvino" else "torch"
    if importlib.util.find_spec(package) is None:
        extra = "" if package == "openvino" else "[gpu]"
        raise ModelMissing(f"Painting on “{device}” needs {package}: pip install 'impasto{extra}'.")
    if device == "openvino":
        # Where this package is installed, OpenVINO reports each start to its makers: over the network,
        # unasked, from a forked process that keeps our pipes open. It does without when the import fails.
        sys.modules["openvino_telemetry"] = None  # pyright: ignore[reportArgumentType]
        from impasto.runtime.openvino_executor import OpenVinoNetwork

        return OpenVinoNetwork(build, weights, shapes, exact)
    from impasto.runtime.torch_executor import TorchNetwork

    return TorchNetwork(build, weights, device, exact)
