"""Networks on a processor, through OpenVINO: built node by node, with no torch in sight."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import openvino
from openvino import opset13

from impasto.errors import OutOfMemory
from impasto.runtime import NORM_EPSILON, Build, Check, Weights, cores

POLL_MILLISECONDS = 30


def constant(values: Any, dtype: Any = np.int64) -> Any:
    return opset13.constant(np.asarray(values, dtype))


class OpenVinoOps:
    """The painter's operations as nodes of an OpenVINO graph."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def conv(self, x: Any, name: str, stride: int = 1) -> Any:
        weight = self.weights[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        border = constant([0, 0, margin, margin])
        x = opset13.pad(x, border, border, "edge")
        kernel = constant(weight, np.float32)
        x = opset13.convolution(x, kernel, [stride, stride], [0, 0], [0, 0], [1, 1])
        bias = self.weights.get(f"{name}.bias")
        return x if bias is None else self.add(x, constant(bias[None, :, None, None], np.float32))

    def norm(self, x: Any) -> Any:
        return opset13.mvn(x, constant([2, 3]), True, NORM_EPSILON, "inside_sqrt")

    def affine(self, x: Any, gain: Any, bias: Any) -> Any:
        over_pixels = constant([2, 3])
        gain, bias = (opset13.unsqueeze(column, over_pixels) for column in (gain, bias))
        return opset13.add(opset13.multiply(x, gain), bias)

    def relu(self, x: Any) -> Any:
        return opset13.relu(x)

    def add(self, x: Any, y: Any) -> Any:
        return opset13.add(x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return opset13.multiply(x, y)

    def mean(self, x: Any) -> Any:
        return opset13.reduce_mean(x, constant([2, 3]), keep_dims=True)

    def root(self, x: Any) -> Any:
        return opset13.sqrt(opset13.add(x, constant(NORM_EPSILON, np.float32)))

    def concat(self, x: Any, y: Any) -> Any:
        return opset13.concat([x, y], 1)

    def double(self, x: Any) -> Any:
        return opset13.interpolate(
            x,
            constant([2.0, 2.0], np.float32),
            "nearest",
            "scales",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
            axes=constant([2, 3]),
        )

    def unshuffle(self, x: Any, factor: int) -> Any:
        return opset13.space_to_depth(x, "depth_first", factor)

    def shuffle(self, x: Any, factor: int) -> Any:
        return opset13.depth_to_space(x, "depth_first", factor)

    def sigmoid(self, x: Any) -> Any:
        return opset13.sigmoid(x)

    def columns(self, code: Any, start: int, stop: int) -> Any:
        one = constant([1])
        return opset13.slice(code, constant([start]), constant([stop]), one, one)


class OpenVinoExecutor:
    """Runs on the processor: bfloat16 where it has the instructions, float32 elsewhere."""

    def __init__(
        self, build: Build, weights: Weights, channels: Sequence[int], lengths: Sequence[int]
    ) -> None:
        pictures = [opset13.parameter([1, -1, -1, count], np.float32) for count in channels]
        vectors = [opset13.parameter([1, length], np.float32) for length in lengths]
        to_planes, to_pixels = constant([0, 3, 1, 2]), constant([0, 2, 3, 1])
        planes = (opset13.transpose(picture, to_planes) for picture in pictures)
        result = opset13.transpose(build(OpenVinoOps(weights), *planes, *vectors), to_pixels)
        self.model = openvino.Model([result], [*pictures, *vectors], "painter")  # pyright: ignore - stubs err
        compiled = self._compiled()
        self.compiled: openvino.CompiledModel | None = compiled
        self.compiling = threading.Lock()
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.device = f"cpu (OpenVINO, {precision})"

    def _compiled(self) -> openvino.CompiledModel:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores()}
        return openvino.Core().compile_model(self.model, "CPU", settings)

    def __call__(
        self, pictures: Sequence[np.ndarray], vectors: Sequence[np.ndarray], check: Check
    ) -> np.ndarray:
        """See `impasto.runtime.Executor`."""
        with self.compiling:
            compiled = self.compiled = self.compiled or self._compiled()
        # A request of its own for each call: its memory goes with it.
        request = compiled.create_infer_request()
        try:
            request.start_async([array[None] for array in (*pictures, *vectors)], share_inputs=True)
            while not request.wait_for(POLL_MILLISECONDS):
                check()
            return request.get_output_tensor().data[0].copy()
        except RuntimeError as error:
            if self.compiled is not compiled:  # spoilt by one that was stopped meanwhile, see below
                return self(pictures, vectors, check)
            if "alloc" in str(error).lower() or "memory" in str(error).lower():
                height, width = pictures[0].shape[:2]
                raise OutOfMemory(f"Not enough memory to paint {width} x {height} pixels at once.") from None
            raise
        except BaseException:
            # A network that was stopped midway remembers shapes of that picture and fails on the next.
            self.compiled = None
            request.cancel()
            with suppress(RuntimeError):  # of a cancelled request, this says that it was cancelled
                request.wait()
            raise
