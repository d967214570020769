"""The segmenter as a torch module, for training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from impasto.regions.segmenter import BLOCKS, convolutions, forward
from impasto.runtime.torch_executor import TorchOps


class TorchSegmenter(nn.Module):
    """`impasto.regions.segmenter.forward` with trainable weights: (N, 3, H, W) -> (N, classes, H/4, W/4).

    Args:
        dtype: that the convolutions are computed in; the weights are kept in float32.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.tensors = nn.ParameterDict()
        for name, (out, channels, kernel) in convolutions().items():
            weight = torch.empty(out, channels, kernel, kernel)
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            if name == "answer":
                nn.init.normal_(weight, std=0.01)
            self.tensors[f"{name.replace('.', '_')}_weight"] = nn.Parameter(weight)
            self.tensors[f"{name.replace('.', '_')}_bias"] = nn.Parameter(torch.zeros(out))

    def start_from(self, teacher: Path) -> list[nn.Parameter]:
        """Take over the first layers of `ade20k_deeplab.npz`; returns their parameters."""
        taken: list[nn.Parameter] = []
        for name, value in first_layers(teacher).items():
            parameter = self.tensors[name.replace(".", "_")]
            parameter.data.copy_(torch.from_numpy(value))
            taken.append(parameter)
        return taken

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them."""
        weights: dict[str, Tensor] = {}
        for name in convolutions():
            for kind in ("weight", "bias"):
                weights[f"{name}.{kind}"] = self.tensors[f"{name.replace('.', '_')}_{kind}"].detach()
        return weights

    def forward(self, picture: Tensor) -> Tensor:
        weights = {
            f"{name}.{kind}": self.tensors[f"{name.replace('.', '_')}_{kind}"].to(self.dtype)
            for name in convolutions()
            for kind in ("weight", "bias")
        }
        return forward(TorchOps(weights), picture.to(self.dtype)).float()


def first_layers(teacher: Path) -> dict[str, np.ndarray]:
    """The teacher's weights for the stem and the blocks, by the names of the segmenter's.

    The teacher takes -1..1 and we 0..1, which goes into the stem.
    """
    archive = np.load(teacher)
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
    names = ["stem"]
    for index in range(len(BLOCKS)):
        names += [f"block{index}.{part}" for part in ("expand", "see", "project")[0 if index else 1 :]]
    found: dict[str, np.ndarray] = {}
    for name, (weight, bias) in zip(names, layers, strict=False):
        if name == "stem":
            weight, bias = 2 * weight, bias - weight.sum((1, 2, 3))
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, bias
    return found
