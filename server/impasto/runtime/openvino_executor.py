"""Networks on a processor, through OpenVINO: built node by node, with no torch in sight."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import openvino
from openvino import opset13

from impasto.errors import OutOfMemory
from impasto.runtime import Build, Check, Weights

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

    def norm(self, x: Any, gain: Any, bias: Any) -> Any:
        x = opset13.mvn(x, constant([2, 3]), True, 1e-5, "inside_sqrt")
        over_pixels = constant([2, 3])
        gain, bias = (opset13.unsqueeze(column, over_pixels) for column in (gain, bias))
        return opset13.add(opset13.multiply(x, gain), bias)

    def relu(self, x: Any) -> Any:
        return opset13.relu(x)

    def add(self, x: Any, y: Any) -> Any:
        return opset13.add(x, y)

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

    def __init__(self, build: Build, weights: Weights, code_length: int) -> None:
        ops = OpenVinoOps(weights)
        image = opset13.parameter([1, -1, -1, 3], np.float32)
        code = opset13.parameter([1, code_length], np.float32)
        to_planes, to_pixels = (constant(order) for order in ([0, 3, 1, 2], [0, 2, 3, 1]))
        painted = build(ops, opset13.transpose(image, to_planes), code)
        result = opset13.transpose(painted, to_pixels)
        model = openvino.Model([result], [image, code], "painter")  # pyright: ignore - stubs name another class
        core = openvino.Core()
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self.compiled = core.compile_model(model, "CPU", settings)
        precision = self.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.device = f"cpu (OpenVINO, {precision})"

    def __call__(self, image: np.ndarray, code: np.ndarray, check: Check) -> np.ndarray:
        request = self.compiled.create_infer_request()
        try:
            request.start_async([image[None], code[None]])
            while not request.wait_for(POLL_MILLISECONDS):
                check()
            return request.get_output_tensor().data[0].copy()
        except RuntimeError as error:
            if "alloc" in str(error).lower() or "memory" in str(error).lower():
                height, width = image.shape[:2]
                raise OutOfMemory(f"Not enough memory to paint {width} x {height} pixels at once.") from None
            raise
        except BaseException:
            request.cancel()
            raise
