"""The two ways to a convolution, against torch's own, and their gradients against autograd's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from impasto.engines import convolution as networks  # noqa: E402
from impasto.engines.convolution import Direct, Winograd, convolution  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

F = torch.nn.functional

SIZES = [(1, 1, 1), (1, 2, 3), (2, 37, 50), (1, 64, 128), (3, 5, 4), (1, 3, 300)]
WAYS = [Direct, Winograd]


def weights(out: int = 24, channels: int = 16) -> tuple[Tensor, Tensor]:
    torch.manual_seed(out)
    weight = torch.randn(out, channels, 3, 3) / (9 * channels) ** 0.5
    return weight.contiguous(memory_format=torch.channels_last), torch.randn(out)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_torch(way: type[Direct | Winograd], size: tuple[int, int, int]) -> None:
    weight, bias = weights()
    x = torch.randn(size[0], 16, *size[1:], requires_grad=True)
    mode = "reflect" if min(size[1:]) > 1 else "replicate"
    wanted = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), weight, bias)
    given = torch.randn_like(wanted)
    (slope,) = torch.autograd.grad(wanted, x, given)
    layer = way(weight, bias)
    with torch.no_grad():
        assert torch.allclose(layer(x, lambda: None), wanted, atol=1e-4)
        assert torch.allclose(layer.backward(given, lambda: None), slope, atol=1e-4)


def test_more_than_one_block_of_tiles() -> None:
    weight, bias = weights(128, 128)
    x = torch.randn(1, 128, 400, 90)
    wanted = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, bias)
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1

    assert torch.allclose(Winograd(weight, bias)(x, check), wanted, atol=1e-4)
    assert checks > 2


def test_a_large_one_is_computed_in_strips_between_which_it_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weight, bias = weights()
    x, layer = torch.randn(1, 16, 23, 17).double(), Direct(weight.double(), bias.double())
    calls: list[None] = []
    with torch.inference_mode():
        whole = layer(x, lambda: calls.append(None))
        monkeypatch.setattr(networks, "WORK", 23 * 17 * 24 * 16 * 9 // 5 + 1)
        parts = layer(x, lambda: calls.append(None))
    assert len(calls) == 1 + 6
    assert torch.allclose(parts, whole, atol=1e-12)


def test_the_shorter_way_is_for_float32_on_a_processor() -> None:
    weight, bias = weights(256, 128)
    assert isinstance(convolution(weight, bias), Winograd)
    for other in (
        convolution(weight.double(), bias.double()),
        convolution(*weights()),
        convolution(weight[..., :1, :1], bias),
    ):
        assert isinstance(other, Direct)
