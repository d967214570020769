"""Networks through torch: on a graphics card, or on a processor that OpenVINO does not serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import OutOfMemory
from impasto.runtime import NORM_EPSILON, Build, Check, Weights, out_of_memory


def quick_dtype(device: str) -> torch.dtype:
    """bfloat16 where the processor computes in it, which is several times faster, else float32."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    half = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if half else torch.float32


class TorchOps:
    """The painter's operations in torch, differentiable. Weights have the names of `Weights`."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = weights
        self.dtype = next(iter(weights.values())).dtype

    @classmethod
    def placed(cls, weights: Weights, device: str, dtype: torch.dtype) -> TorchOps:
        """With these weights on a device, laid out as convolutions there are fastest."""
        tensors = {name: torch.from_numpy(value).to(device, dtype) for name, value in weights.items()}
        return cls(
            {
                name: tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
                for name, tensor in tensors.items()
            }
        )

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        # Features that a norm or a code had a part in come in float32.
        x = F.pad(x.to(self.dtype), (margin, margin, margin, margin), mode="replicate")
        return F.conv2d(x, weight, self.weights.get(f"{name}.bias"), stride)

    def conv_doubled(self, x: Tensor, name: str, beside: Tensor | None = None) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x if beside is None else torch.cat([x, beside], 1), name)

    def conv_enlarged(self, x: Tensor, name: str) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="bilinear"), name)

    def norm(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        # Statistics in float32: over millions of pixels a bfloat16 sum loses the mean.
        x = x.float()
        if weight is None:
            return F.instance_norm(x, eps=NORM_EPSILON)
        centred = x - (x * weight).mean((2, 3), keepdim=True)
        variance = (centred.square() * weight).mean((2, 3), keepdim=True)
        return centred / (variance + NORM_EPSILON).sqrt()

    def affine(self, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        return (x * gain[:, :, None, None] + bias[:, :, None, None]).to(self.dtype)

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def clamp(self, x: Tensor, lowest: float, highest: float) -> Tensor:
        return x.clamp(lowest, highest)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def subtract(self, x: Tensor, y: Tensor) -> Tensor:
        return x - y

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def negative(self, x: Tensor) -> Tensor:
        return -x

    def maximum(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.maximum(x, y)

    def mean(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True, dtype=torch.float32).to(self.dtype)

    def root(self, x: Tensor) -> Tensor:
        return (x + NORM_EPSILON).sqrt()

    def log(self, x: Tensor) -> Tensor:
        return x.log()

    def halved(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2)

    def between(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return F.interpolate(x, (2 * height - 1, 2 * width - 1), mode="bilinear", align_corners=True)

    def unshuffle(self, x: Tensor, factor: int) -> Tensor:
        return F.pixel_unshuffle(x, factor)

    def shuffle(self, x: Tensor, factor: int) -> Tensor:
        return F.pixel_shuffle(x, factor)

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.sigmoid()

    def columns(self, code: Tensor, start: int, stop: int) -> Tensor:
        return self.cut(code, 1, start, stop)

    def planes(self, x: Tensor) -> Tensor:
        # A permuted view of rows of pixels is a channels_last tensor of the same memory.
        return x.to(self.dtype).permute(0, 3, 1, 2)

    def pixels(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)

    def convolve(self, x: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        groups = x.shape[1] if weight.shape[1] == 1 else 1
        bias = self.weights.get(f"{name}.bias")
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2 * dilation, dilation, groups)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def layer_norm(self, x: Tensor, name: str, epsilon: float) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias, epsilon)

    def attention(self, query: Tensor, key: Tensor, value: Tensor, bias: str | None = None) -> Tensor:
        scores = self.matmul(query, key)
        if bias is not None:
            scores = scores + self.weights[bias]
        return self.softmax(scores) @ value

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        return x @ y.mT

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def gelu(self, x: Tensor) -> Tensor:
        return F.gelu(x)

    def constant(self, name: str) -> Tensor:
        return self.weights[name]

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return x.reshape([length or x.shape[axis] for axis, length in enumerate(shape)])

    def permute(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return x.permute(*axes)

    def pad(self, x: Tensor, below: Sequence[int]) -> Tensor:
        return F.pad(x, [length for end in reversed(below) for length in (0, end)])

    def cut(self, x: Tensor, axis: int, start: int, stop: int) -> Tensor:
        return x.narrow(axis, start, stop - start)

    def join(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(list(parts), axis)

    def slope(self, function: Callable[[TorchOps, Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = function(self, x)
            (slope,) = torch.autograd.grad(value, x)
        return value.detach(), slope


class TorchNetwork:
    """Runs in bfloat16 and channels_last; in float32 on a processor without bfloat16, or if `exact`."""

    def __init__(self, build: Build, weights: Weights, device: str, exact: bool = False) -> None:
        self.build = build
        self.torch_device = torch.device(device)
        self.dtype = torch.float32 if exact else quick_dtype(device)
        self.ops = TorchOps.placed(weights, device, self.dtype)
        self.device = f"{device} (torch, {str(self.dtype).removeprefix('torch.')})"

    def __call__(self, arrays: Sequence[np.ndarray], check: Check) -> list[np.ndarray]:
        """See `impasto.runtime.Network`."""
        check()
        try:
            with torch.no_grad():
                tensors = [torch.from_numpy(array).to(self.torch_device) for array in arrays]
                results = [result.float().cpu().numpy() for result in self.build(self.ops, *tensors)]
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            raise OutOfMemory(out_of_memory(arrays)) from None
        check()
        return results
