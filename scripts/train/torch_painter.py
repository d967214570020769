"""The painter as a torch module, for training and for the GPU's reference."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from impasto.engines.painter import Shape, forward, split
from impasto.runtime.torch_executor import TorchOps

PHASES = (
    ((1, 1, 0, 0, 0), (0, 0, 1, 1, 0), (0, 0, 0, 0, 1)),
    ((1, 0, 0, 0, 0), (0, 1, 1, 0, 0), (0, 0, 0, 1, 1)),
)
"""Which of five neighbouring pixels of the doubled picture are copies of which of three of the small one,
for the even pixels and for the odd."""

FAINT = 0.1
"""Gain of what new residual blocks add at first."""


def fold_doubling(weight: Tensor) -> Tensor:
    """Turn "double by nearest neighbour, then convolve 5x5" into one 3x3 convolution.

    The shuffled output of the folded convolution equals resize-convolution (Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts"), so it cannot learn a grid, at a quarter of the cost.

    Args:
        weight: (C, I, 5, 5) float.

    Returns:
        (4 C, I, 3, 3) float; follow it with a pixel shuffle by two.
    """
    phases = weight.new_tensor(PHASES)
    folded = torch.einsum("pyh,qxw,cihw->cpqiyx", phases, phases, weight)
    return folded.reshape(-1, weight.shape[1], 3, 3)


def unfold_doubling(folded: Tensor) -> Tensor:
    """The inverse of `fold_doubling`: (4 C, I, 3, 3) -> (C, I, 5, 5)."""
    inverse = torch.linalg.pinv(folded.new_tensor(PHASES).reshape(6, 5)).reshape(5, 2, 3)
    phases = folded.reshape(-1, 2, 2, folded.shape[1], 3, 3)
    return torch.einsum("hpy,wqx,cpqiyx->cihw", inverse, inverse, phases)


class TorchPainter(nn.Module):
    """`impasto.engines.painter.forward` with trainable weights and one code per style.

    `forward(image, code)` takes (N, `INPUTS`, H, W) and (N, code_length) and gives (N, 3, H, W).
    """

    def __init__(self, shape: Shape, styles: int) -> None:
        super().__init__()
        self.shape = shape
        self.weights = nn.ParameterDict()
        self.biases = nn.ParameterDict()
        for name, (out, channels, kernel) in shape.convolutions().items():
            if name == "out":
                out, kernel = 3, 5
            weight = torch.empty(out, channels, kernel, kernel)
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            if name == "out":
                weight *= 0.3
            self.weights[name.replace(".", "_")] = nn.Parameter(weight)
            if name == "out":  # every other convolution is followed by a norm that removes a bias
                self.biases[name] = nn.Parameter(torch.zeros(out))
        gains = [torch.cat([torch.ones(c), torch.zeros(c)]) for c in shape.norms().values()]
        self.codes = nn.Parameter(torch.cat(gains).repeat(styles, 1))

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them: `NAME.weight`, `out.bias`."""
        weights = {f"{n}.weight": self.weights[n.replace(".", "_")] for n in self.shape.convolutions()}
        weights["out.weight"] = fold_doubling(weights["out.weight"])
        weights["out.bias"] = self.biases["out"].repeat_interleave(4)
        return weights

    def take(self, shape: Shape, exported: Mapping[str, Tensor], codes: Tensor) -> None:
        """Go on from weights of a painter as `exported` gives them, and from the codes that go with them.

        Residual blocks that it lacks begin by doing next to nothing.
        """
        known, columns = split(shape, codes, lambda code, start, stop: code[:, start:stop]), []
        for name, channels in self.shape.norms().items():
            if name not in known:
                gains = torch.ones(channels) if name.endswith(".0") else FAINT * torch.randn(channels)
                known[name] = gains.expand(len(codes), -1), torch.zeros(len(codes), channels)
            columns += known[name]
        with torch.no_grad():
            self.codes.copy_(torch.cat(columns, 1))
            self.biases["out"].copy_(exported["out.bias"][::4])
            for name in shape.convolutions():
                weight = exported[f"{name}.weight"]
                weight = unfold_doubling(weight) if name == "out" else weight
                self.weights[name.replace(".", "_")].copy_(weight)

    def forward(self, image: Tensor, code: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        weights = {name: weight.to(dtype) for name, weight in self.exported().items()}
        return forward(TorchOps(weights), self.shape, image.to(dtype), code)
