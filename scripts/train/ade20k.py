"""The segmenter's teacher: DeepLabV3-MobileNetV2, trained on ADE20K, its 150 classes gathered into groups.

L.-C. Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation"; M. Sandler et al.
2018, "MobileNetV2". The weights come with their list of operators (`ade20k_deeplab.npz`), which is built
here as an OpenVINO graph.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13
from PIL import Image

from impasto.regions.segmenter import CONTEXT, SIDE, convolutions
from impasto.runtime import cores
from impasto.runtime.openvino_executor import constant
from impasto.selector import CLASSES

GRID = 129
"""Cells of its square answer."""

GROUPS = Path(__file__).with_name("ade20k_groups.toml")


def grouping(labels: Path) -> np.ndarray:
    """(classes, 151) float32: 1 where one of the teacher's, 0 of which is "none", belongs to one of ours."""
    names = [line.split("\t")[1] for line in labels.read_text("utf-8").splitlines()]
    groups = tomllib.loads(GROUPS.read_text("utf-8"))
    group_of = {name: group for group, members in groups.items() for name in members}
    unknown = set(group_of) - set(names) | set(groups) - set(CLASSES)
    if unknown:
        raise ValueError(f"{GROUPS.name} names no class of the teacher or of ours: {sorted(unknown)}")
    found = [CLASSES.index(group_of.get(name, "other")) for name in ["none", *names]]
    return np.eye(len(CLASSES), dtype=np.float32)[:, found]


class Teacher:
    """Answers in groups.

    Args:
        weights: `ade20k_deeplab.npz`; the list of its labels stands beside it.
    """

    def __init__(self, weights: Path) -> None:
        self.groups = grouping(weights.with_name("ade20k_labels.txt"))
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": cores()}
        self.compiled = openvino.Core().compile_model(graph(weights), "CPU", settings)

    def __call__(self, picture: Image.Image) -> np.ndarray:
        """Probabilities of the groups: (`GRID`, `GRID`, classes) float32 over the whole of an RGB picture."""
        squeezed = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = np.asarray(squeezed, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        logits = self.compiled(pixels)[0][0].transpose(1, 2, 0)
        chances = np.exp(logits - logits.max(2, keepdims=True))
        return chances / chances.sum(2, keepdims=True) @ self.groups.T


def segmenters_weights(weights: Path) -> dict[str, np.ndarray]:
    """The teacher's weights by the names of the segmenter's, norms folded into them."""
    archive = np.load(weights)
    arrays = {int(key): archive[key].astype(np.float32) for key in archive.files if key.isdigit()}
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    for operator in json.loads(str(archive["ops"])):
        inputs, kind = operator["in"], operator["op"]
        if kind == "DEQUANTIZE":
            arrays[operator["out"][0]] = arrays[inputs[0]]
        elif kind == "CONV_2D":
            layers.append((arrays[inputs[1]].transpose(0, 3, 1, 2), arrays[inputs[2]]))
        elif kind == "DEPTHWISE_CONV_2D":
            layers.append((arrays[inputs[1]].transpose(3, 0, 1, 2), arrays[inputs[2]]))
        elif kind in ("MUL", "ADD") and inputs[1] in arrays:  # a norm after a convolution
            weight, bias = layers[-1]
            value = arrays[inputs[1]]
            scaled = weight * value[:, None, None, None], bias * value
            layers[-1] = scaled if kind == "MUL" else (weight, bias + value)
    names = [name for name in convolutions() if not name.startswith("both")]
    both = names.index("detail")
    weight, bias = layers.pop(both)  # of what is seen in the whole and here, one behind the other
    layers[both:both] = [(weight[:, :CONTEXT], np.zeros_like(bias)), (weight[:, CONTEXT:], bias)]
    names[both:both] = ["both.whole", "both.here"]
    found = {"groups": grouping(weights.with_name("ade20k_labels.txt"))}
    for name, (weight, bias) in zip(names, layers, strict=True):
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, bias
    return found


def graph(weights: Path) -> openvino.Model:
    """(1, 3, `SIDE`, `SIDE`) RGB in -1..1 -> (1, 151, `GRID`, `GRID`) logits."""
    archive = np.load(weights)
    arrays: dict[int, np.ndarray] = {int(key): archive[key] for key in archive.files if key.isdigit()}
    image = opset13.parameter([1, 3, SIDE, SIDE], np.float32)
    nodes: dict[int, Any] = {int(archive["inp"]): image}
    operators = json.loads(str(archive["ops"]))

    def node(index: int) -> Any:
        if index not in nodes:
            value = arrays[index].astype(np.float32)
            nodes[index] = constant(value[None, :, None, None] if value.ndim == 1 else value, np.float32)
        return nodes[index]

    for operator in operators:
        inputs, kind, result = operator["in"], operator["op"], operator["out"][0]
        if result == int(archive["outp"]):  # the last step only enlarges the grid
            return openvino.Model([nodes[inputs[0]]], [image], "teacher")  # pyright: ignore - stubs err
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            x = convolved(nodes[inputs[0]], arrays[inputs[1]], operator)
            biased = len(inputs) > 2 and inputs[2] >= 0
            nodes[result] = activated(
                opset13.add(x, node(inputs[2])) if biased else x, operator.get("act", 0)
            )
        elif kind in ("ADD", "MUL"):
            combine = opset13.add if kind == "ADD" else opset13.multiply
            nodes[result] = activated(combine(node(inputs[0]), node(inputs[1])), operator.get("act", 0))
        elif kind == "DEQUANTIZE":
            arrays[result] = arrays[inputs[0]]
        elif kind in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"):
            block, around = arrays[inputs[1]], arrays[inputs[2]]
            change = opset13.space_to_batch if kind.startswith("SPACE") else opset13.batch_to_space
            # They count the batch and the channels too.
            sides = [constant([0, 0, *around[:, end]]) for end in (0, 1)]
            nodes[result] = change(nodes[inputs[0]], constant([1, 1, *block]), *sides)
        elif kind == "AVERAGE_POOL_2D":
            nodes[result] = opset13.reduce_mean(nodes[inputs[0]], constant([2, 3]), keep_dims=True)
        elif kind == "CONCATENATION":
            nodes[result] = opset13.concat([nodes[index] for index in inputs], 1)
        elif kind == "RESIZE_BILINEAR":
            nodes[result] = opset13.interpolate(
                nodes[inputs[0]],
                constant(arrays[inputs[1]]),
                "linear_onnx",
                "sizes",
                coordinate_transformation_mode="align_corners" if operator["ac"] else "half_pixel",
                axes=constant([2, 3]),
            )
        else:
            raise ValueError(f"{weights.name} has an unknown operator: {kind}")
    raise ValueError(f"{weights.name} has no result")


def convolved(x: Any, kernel: np.ndarray, operator: dict[str, Any]) -> Any:
    """A convolution, or one by channel, from a kernel of (out, height, width, in)."""
    strides, dilations = [operator["s"]] * 2, [operator["dil"]] * 2
    border = "same_upper" if operator["pad"] == 0 else "valid"
    if operator["op"] == "CONV_2D":
        kernel, convolution = kernel.transpose(0, 3, 1, 2), opset13.convolution
    else:
        kernel, convolution = kernel.transpose(3, 0, 1, 2)[:, :, None], opset13.group_convolution
    return convolution(x, constant(kernel, np.float32), strides, [0, 0], [0, 0], dilations, border)


def activated(x: Any, kind: int) -> Any:
    """The result after no activation, a ReLU or a ReLU6."""
    if kind == 0:
        return x
    return opset13.relu(x) if kind == 1 else opset13.clamp(x, 0, 6)
