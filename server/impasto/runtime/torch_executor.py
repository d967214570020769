"""Networks through torch: on a graphics card, or on a processor that OpenVINO does not serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import OutOfMemory
from impasto.runtime import NORM_EPSILON, Build, Check, Weights


class TorchOps:
    """The painter's operations in torch, differentiable. Weights have the names of `Weights`."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = weights
        self.dtype = next(iter(weights.values())).dtype

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        x = F.pad(x, (margin, margin, margin, margin), mode="replicate")
        return F.conv2d(x, weight, self.weights.get(f"{name}.bias"), stride)

    def norm(self, x: Tensor) -> Tensor:
        # Statistics in float32: over millions of pixels a bfloat16 sum loses the mean.
        return F.instance_norm(x.float(), eps=NORM_EPSILON)

    def affine(self, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        return (x * gain[:, :, None, None] + bias[:, :, None, None]).to(self.dtype)

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def mean(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True, dtype=torch.float32).to(self.dtype)

    def root(self, x: Tensor) -> Tensor:
        return (x + NORM_EPSILON).sqrt()

    def concat(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, y], 1)

    def double(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def unshuffle(self, x: Tensor, factor: int) -> Tensor:
        return F.pixel_unshuffle(x, factor)

    def shuffle(self, x: Tensor, factor: int) -> Tensor:
        return F.pixel_shuffle(x, factor)

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.sigmoid()

    def columns(self, code: Tensor, start: int, stop: int) -> Tensor:
        return code[:, start:stop]


class TorchExecutor:
    """Runs in bfloat16 and channels_last, or in float32 on a processor without bfloat16 arithmetic."""

    def __init__(self, build: Build, weights: Weights, device: str) -> None:
        self.build = build
        self.torch_device = torch.device(device)
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()
        half = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
        self.dtype = torch.bfloat16 if half else torch.float32
        tensors = {name: torch.from_numpy(value).to(device, self.dtype) for name, value in weights.items()}
        channels_last = {
            name: tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
            for name, tensor in tensors.items()
        }
        self.ops = TorchOps(channels_last)
        self.device = f"{device} (torch, {str(self.dtype).removeprefix('torch.')})"

    def __call__(
        self, pictures: Sequence[np.ndarray], vectors: Sequence[np.ndarray], check: Check
    ) -> np.ndarray:
        """See `impasto.runtime.Executor`."""
        check()
        try:
            with torch.inference_mode():
                # A permuted view of rows of pixels is a channels_last tensor of the same memory.
                tensors = [
                    torch.from_numpy(picture).to(self.torch_device, self.dtype).permute(2, 0, 1)[None]
                    for picture in pictures
                ]
                tensors += [torch.from_numpy(vector).to(self.torch_device)[None] for vector in vectors]
                result = self.build(self.ops, *tensors)[0].permute(1, 2, 0).float().cpu().numpy()
        except torch.OutOfMemoryError:
            height, width = pictures[0].shape[:2]
            torch.cuda.empty_cache()
            raise OutOfMemory(f"Not enough memory to paint {width} x {height} pixels at once.") from None
        check()
        return result
