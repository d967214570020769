"""The encoder as a torch module, for training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from impasto.engines.encoder import convolutions, forward, levels
from impasto.runtime.torch_executor import TorchOps


class TorchEncoder(nn.Module):
    """`impasto.engines.encoder.forward` with trainable weights: (N, 3, H, W) -> (N, code length).

    Args:
        base: (code length,), the code that an untrained encoder predicts for every picture.
    """

    def __init__(self, base: Tensor) -> None:
        super().__init__()
        self.weights = nn.ParameterDict()
        self.biases = nn.ParameterDict()
        for name, (out, channels, kernel) in convolutions(len(base)).items():
            weight = torch.empty(out, channels, kernel, kernel)
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            if name == "code":
                weight *= 0.02
            key = name.replace(".", "_")
            self.weights[key] = nn.Parameter(weight)
            self.biases[key] = nn.Parameter(base.clone() if name == "code" else torch.zeros(out))

    def exported(self) -> dict[str, Tensor]:
        """The weights as `Ops` implementations expect them."""
        names = {name.replace(".", "_"): name for name in convolutions(1)}
        weights = {f"{names[key]}.weight": value for key, value in self.weights.items()}
        return weights | {f"{names[key]}.bias": value for key, value in self.biases.items()}

    def take(self, exported: Mapping[str, Tensor]) -> None:
        """Go on from weights as `exported` gives them."""
        with torch.no_grad():
            for name, tensor in self.exported().items():
                tensor.copy_(exported[name])

    def levels(self, picture: Tensor) -> list[Tensor]:
        return levels(TorchOps(self.exported()), picture)

    def forward(self, picture: Tensor) -> Tensor:
        return forward(TorchOps(self.exported()), picture)[:, :, 0, 0]
