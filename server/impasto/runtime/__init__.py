"""Which device and which executor a network runs on.

A graphics card is used through torch; a processor through OpenVINO, which starts in a fraction
of torch's time and runs the same network several times faster; torch on the processor is the
last resort, for platforms where OpenVINO has no wheel.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impasto.errors import ModelMissing, UsageError, did_you_mean

Check = Callable[[], None]
"""Called every few hundredths of a second while a network runs; raises `Cancelled` to stop it."""

Build = Callable[[Any, Any, Any], Any]
"""A network: (ops, image, code) -> image, written against `engines.painter.Ops`."""

Weights = Mapping[str, np.ndarray]
"""{"NAME.weight": (out, in, k, k), "NAME.bias": (out,)}, float16 or float32."""

DEVICES = ("cuda", "mps", "xpu", "openvino", "cpu")
"""What `IMPASTO_DEVICE` can say; "cpu" is torch on the processor."""


class Executor(Protocol):
    """A network made ready on a device, named for the user by `device`."""

    device: str

    def __call__(self, image: np.ndarray, code: np.ndarray, check: Check) -> np.ndarray:
        """Run the network.

        Args:
            image: (H, W, 3) float32 in 0..1.
            code: (L,) float32.
            check: see `Check`.

        Returns:
            (H, W, 3) float32 in 0..1.

        Raises:
            OutOfMemory: the device's memory does not hold this picture.
        """
        ...


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


def executor(build: Build, weights: Weights, code_length: int) -> Executor:
    """Make a network ready on the fastest device here, or on the one `IMPASTO_DEVICE` names.

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
        from impasto.runtime.openvino_executor import OpenVinoExecutor

        return OpenVinoExecutor(build, weights, code_length)
    from impasto.runtime.torch_executor import TorchExecutor

    return TorchExecutor(build, weights, device)
