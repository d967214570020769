"""Networks on a processor, through OpenVINO: built node by node, with no torch in sight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import openvino
from openvino import opset1, opset13

from impasto.errors import OutOfMemory
from impasto.runtime import NORM_EPSILON, Build, Check, Weights, cores, out_of_memory

POLL_MILLISECONDS = 30

FEW = 4
"""Channels that a convolution makes too few of to fill the processor's registers."""

BILINEAR = np.array([[[3, 1, 0], [1, 3, 0], [0, 3, 1]], [[1, 3, 0], [0, 3, 1], [0, 1, 3]]]) / 4
"""(row, tap, source): what a kernel's three taps see of three rows, where the middle one becomes two."""

NEAREST = np.array([[[1, 0], [1, 0], [0, 1]], [[1, 0], [0, 1], [0, 1]]])
"""The same of two rows, at the last that the first becomes and at the first that the last becomes."""


def constant(values: Any, dtype: Any = np.int64) -> Any:
    return opset13.constant(np.asarray(values, dtype))


class OpenVinoOps:
    """The painter's operations as nodes of an OpenVINO graph."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def conv(self, x: Any, name: str, stride: int = 1) -> Any:
        weight, shift = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        if len(weight) <= FEW and stride == 1:
            length = weight.shape[-1]
            taps = np.stack([np.eye(length, length + 1, row) for row in range(2)])
            return self._quartets(x, weight, shift, taps, (length // 2, length // 2 + 1), 2)
        return self._conv(x, weight, shift, (weight.shape[-1] // 2,) * 2, stride)

    def conv_doubled(self, x: Any, name: str, beside: Any = None) -> Any:
        weight, shift = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        own = weight.shape[1]
        if beside is not None:
            own -= beside.output(0).partial_shape[1].get_length()
        # Four sources instead of nine; the outermost rows and columns lie beyond the picture.
        x = self._quartets(x, weight[:, :own], shift, NEAREST)
        x = opset13.slice(x, constant([1, 1]), constant([-1, -1]), constant([1, 1]), constant([2, 3]))
        return x if beside is None else self.add(x, self._conv(beside, weight[:, own:]))

    def conv_enlarged(self, x: Any, name: str) -> Any:
        weight, shift = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return self._quartets(x, weight, shift, BILINEAR)

    def _quartets(
        self,
        x: Any,
        weight: np.ndarray,
        shift: np.ndarray | None,
        taps: np.ndarray,
        margins: tuple[int, int] = (1, 1),
        stride: int = 1,
    ) -> Any:
        """Convolve and make 2 x 2 pixels of each position that the kernel takes; `taps` as in `BILINEAR`."""
        spread = np.einsum("oiyx,ays,bxt->oabist", weight.astype(np.float32), taps, taps)
        spread = spread.reshape(4 * len(weight), weight.shape[1], *spread.shape[-2:])
        shift = None if shift is None else shift.repeat(4)
        return self.shuffle(self._conv(x, spread, shift, margins, stride), 2)

    def _conv(
        self,
        x: Any,
        weight: np.ndarray,
        shift: np.ndarray | None = None,
        margins: tuple[int, int] = (1, 1),
        stride: int = 1,
    ) -> Any:
        if any(margins):
            above, below = (constant([0, 0, margin, margin]) for margin in margins)
            x = opset13.pad(x, above, below, "edge")
        kernel = constant(weight, np.float32)
        x = opset13.convolution(x, kernel, [stride, stride], [0, 0], [0, 0], [1, 1])
        return x if shift is None else self.add(x, constant(shift[None, :, None, None], np.float32))

    def norm(self, x: Any, weight: Any = None) -> Any:
        if weight is None:
            return opset13.mvn(x, constant([2, 3]), True, NORM_EPSILON, "inside_sqrt")
        centred = opset13.subtract(x, self.mean(opset13.multiply(x, weight)))
        variance = self.mean(opset13.multiply(opset13.multiply(centred, centred), weight))
        return opset13.divide(centred, self.root(variance))

    def affine(self, x: Any, gain: Any, bias: Any) -> Any:
        channels = x.output(0).partial_shape[1].get_length()
        # What a convolution makes lies in memory pixel by pixel. So do the features, which OpenVINO would
        # turn around to planes, and back, if two of three operands were planes.
        same = np.eye(channels, dtype=np.float32)[..., None, None]
        gain, bias = (
            self._conv(self.reshape(each, (0, -1, 1, 1)), same, margins=(0, 0)) for each in (gain, bias)
        )
        return opset13.add(opset13.multiply(x, gain), bias)

    def relu(self, x: Any) -> Any:
        return opset13.relu(x)

    def clamp(self, x: Any, lowest: float, highest: float) -> Any:
        return opset13.clamp(x, lowest, highest)

    def add(self, x: Any, y: Any) -> Any:
        return opset13.add(x, y)

    def subtract(self, x: Any, y: Any) -> Any:
        return opset13.subtract(x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return opset13.multiply(x, y)

    def negative(self, x: Any) -> Any:
        return opset13.negative(x)

    def maximum(self, x: Any, y: Any) -> Any:
        return opset13.maximum(x, y)

    def mean(self, x: Any) -> Any:
        return opset13.reduce_mean(x, constant([2, 3]), keep_dims=True)

    def root(self, x: Any) -> Any:
        return opset13.sqrt(opset13.add(x, constant(NORM_EPSILON, np.float32)))

    def log(self, x: Any) -> Any:
        return opset13.log(x)

    def halved(self, x: Any) -> Any:
        return opset1.max_pool(x, [2, 2], [0, 0], [0, 0], [2, 2])  # later ones also give the places

    def between(self, x: Any) -> Any:
        size = opset13.gather(opset13.shape_of(x), constant([2, 3]), constant(0))
        return opset13.interpolate(
            x,
            opset13.subtract(opset13.multiply(size, constant(2)), constant(1)),
            "linear_onnx",
            "sizes",
            coordinate_transformation_mode="align_corners",
            axes=constant([2, 3]),
        )

    def unshuffle(self, x: Any, factor: int) -> Any:
        return opset13.space_to_depth(x, "depth_first", factor)

    def shuffle(self, x: Any, factor: int) -> Any:
        return opset13.depth_to_space(x, "depth_first", factor)

    def sigmoid(self, x: Any) -> Any:
        return opset13.sigmoid(x)

    def columns(self, code: Any, start: int, stop: int) -> Any:
        return self.cut(code, 1, start, stop)

    def planes(self, x: Any) -> Any:
        return self.permute(x, (0, 3, 1, 2))

    def pixels(self, x: Any) -> Any:
        return self.permute(x, (0, 2, 3, 1))

    def convolve(self, x: Any, name: str, stride: int = 1, dilation: int = 1) -> Any:
        weight = self.weights[f"{name}.weight"]
        margin = weight.shape[-1] // 2 * dilation
        around, by, apart = [margin, margin], [stride, stride], [dilation, dilation]
        if weight.shape[1] == 1:
            kernel = constant(weight[:, None], np.float32)
            x = opset13.group_convolution(x, kernel, by, around, around, apart)
        else:
            x = opset13.convolution(x, constant(weight, np.float32), by, around, around, apart)
        bias = self.weights.get(f"{name}.bias")
        return x if bias is None else self.add(x, constant(bias[None, :, None, None], np.float32))

    def linear(self, x: Any, name: str) -> Any:
        return self.add(self.matmul(x, self.constant(f"{name}.weight")), self.constant(f"{name}.bias"))

    def layer_norm(self, x: Any, name: str, epsilon: float) -> Any:
        x = opset13.mvn(x, constant([-1]), True, epsilon, "inside_sqrt")
        return self.add(self.multiply(x, self.constant(f"{name}.weight")), self.constant(f"{name}.bias"))

    def attention(self, query: Any, key: Any, value: Any, bias: str | None = None) -> Any:
        scores = self.matmul(query, key)
        if bias is not None:
            scores = self.add(scores, self.constant(bias))
        return opset13.matmul(self.softmax(scores), value, False, False)

    def matmul(self, x: Any, y: Any) -> Any:
        return opset13.matmul(x, y, False, True)

    def softmax(self, x: Any) -> Any:
        return opset13.softmax(x, -1)

    def gelu(self, x: Any) -> Any:
        return opset13.gelu(x, "erf")

    def constant(self, name: str) -> Any:
        return constant(self.weights[name], np.float32)

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return opset13.reshape(x, constant(shape), True)

    def permute(self, x: Any, axes: Sequence[int]) -> Any:
        return opset13.transpose(x, constant(axes))

    def pad(self, x: Any, below: Sequence[int]) -> Any:
        return opset13.pad(
            x, constant([0] * len(below)), constant(below), "constant", constant(0, np.float32)
        )

    def cut(self, x: Any, axis: int, start: int, stop: int) -> Any:
        return opset13.slice(x, constant([start]), constant([stop]), constant([1]), constant([axis]))

    def join(self, parts: Sequence[Any], axis: int) -> Any:
        return opset13.concat(list(parts), axis)

    def slope(self, function: Callable[[OpenVinoOps, Any], Any], x: Any) -> tuple[Any, Any]:
        from impasto.runtime.openvino_slopes import Tape, Tracked

        tape = Tape(self.weights)
        begun = Tracked(x)
        result = function(tape, begun)
        return result.value, tape.gradient(result, begun)


class OpenVinoNetwork:
    """Runs on the processor: bfloat16 where it has the instructions, float32 elsewhere or if `exact`."""

    def __init__(
        self, build: Build, weights: Weights, shapes: Sequence[Sequence[int]], exact: bool = False
    ) -> None:
        inputs = [opset13.parameter(list(shape), np.float32) for shape in shapes]
        results = build(OpenVinoOps(weights), *inputs)
        self.model = openvino.Model(list(results), inputs, "network")  # pyright: ignore - stubs err
        self.exact = exact
        compiled = self._compiled()
        self.compiled: openvino.CompiledModel | None = compiled
        self.compiling = threading.Lock()
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.device = f"cpu (OpenVINO, {precision})"

    def _compiled(self) -> openvino.CompiledModel:
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores()}
        if self.exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        return openvino.Core().compile_model(self.model, "CPU", settings)

    def __call__(self, arrays: Sequence[np.ndarray], check: Check) -> list[np.ndarray]:
        """See `impasto.runtime.Network`."""
        with self.compiling:
            compiled = self.compiled = self.compiled or self._compiled()
        # A request of its own for each call: its memory goes with it.
        request = compiled.create_infer_request()
        try:
            request.start_async(list(arrays), share_inputs=True)
            while not request.wait_for(POLL_MILLISECONDS):
                check()
            return [tensor.data.copy() for tensor in request.output_tensors]
        except RuntimeError as error:
            if self.compiled is not compiled:  # spoilt by one that was stopped meanwhile, see below
                return self(arrays, check)
            if "alloc" in str(error).lower() or "memory" in str(error).lower():
                raise OutOfMemory(out_of_memory(arrays)) from None
            raise
        except BaseException:
            # A network that was stopped midway remembers shapes of that picture and fails on the next.
            self.compiled = None
            request.cancel()
            with suppress(RuntimeError):  # of a cancelled request, this says that it was cancelled
                request.wait()
            raise
