"""Changing a picture so that a loss falls: Adam or L-BFGS, and what to do when it does not."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from impasto.engines import Check
from impasto.errors import ImpastoError

Slope = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Gives loss and gradient of a picture."""

HALVINGS = 8
"""Times that a step may lead astray before the search is given up."""

DIVERGED = 10.0
"""Times the lowest loss so far; a step that leads above it is taken back."""

NEGLIGIBLE = 0.01
"""Share of the first loss that the lowest counts as at least: near zero, losses swing by more than that."""

AVERAGED = 0.9
"""Share of the average that stays at each step; averaging settles what the last steps shake."""

FADING = 1 / 3
"""Share of the steps, the last ones, in which the rate falls to a tenth; that takes the loss a percent lower
than falling from the first one on."""

RATES = {"adam": 0.03, "lbfgs": 1.0}
"""In 75 steps, and in 300 from coarse to fine, Adam comes lower than at half of its rate and than L-BFGS; at
0.04 a corner was once caught in glaring colours."""


REMEMBERED = 40_000_000
"""Numbers of pictures that L-BFGS looks back on, twice: a dozen of default size, few of a large one."""


def optimiser(method: str, point: Tensor, rate: float) -> torch.optim.Optimizer:
    if method == "lbfgs":
        history = max(2, min(10, REMEMBERED // point.numel()))
        return torch.optim.LBFGS([point], rate, max_iter=1, max_eval=1, history_size=history)
    # Fused, it needs no copies of a large picture beyond its two averages.
    fused = point.device.type in ("cpu", "cuda")
    return torch.optim.Adam([point], rate, betas=(0.9, 0.99), fused=fused)


def prepare() -> None:
    """Take a step on nothing: at its first, torch imports modules for a second, deaf to who would stop it."""
    descend(torch.zeros(1, 3, 1, 1), lambda x: (x.sum(), x.sign()), 1, lambda: None, lambda step, point: None)


def finite(x: Tensor) -> bool:
    """Whether all numbers are, seen without a copy."""
    return all(map(math.isfinite, (float(bound) for bound in x.aminmax())))


def descend(
    image: Tensor,
    slope: Slope,
    steps: int,
    check: Check,
    stepped: Callable[[int, Tensor], None],
    method: str = "adam",
    rate: float | None = None,
) -> Tensor:
    """Change `image`, (1, 3, H, W) in 0..1, so that its loss falls.

    A loss or gradient that is not finite, or a loss that leaps, takes the last step back, halves
    the rate and goes on.

    Args:
        slope: of the loss that is to fall.
        stepped: called after each step with the number of steps done and the picture.
        method: a key of `RATES`.
        rate: by default the method's own.

    Returns:
        The average of the last pictures, (1, 3, H, W) in 0..1.

    Raises:
        ImpastoError: the loss still leads astray after `HALVINGS`.
    """
    rate = RATES[method] if rate is None else rate
    # L-BFGS flattens its parameter, which channels_last forbids.
    point = image.detach().clone(memory_format=torch.contiguous_format)
    del image  # a large one, unless the caller wants it
    good, average, share = point.clone(), torch.zeros_like(point), 0.0
    first, lowest, failures = float("inf"), float("inf"), 0
    search = optimiser(method, point, rate)
    for step in range(1, steps + 1):
        check()
        value, gradient = slope(point)
        loss = float(value)
        if not (loss <= DIVERGED * lowest and finite(gradient)):
            failures += 1
            if failures > HALVINGS:
                raise ImpastoError("The optimisation found no finite loss; try another style or scale.")
            point.copy_(good)
            rate /= 2
            search = optimiser(method, point, rate)
            stepped(step, point)
            continue
        good.copy_(point)
        first = loss if math.isinf(first) else first
        lowest = max(min(lowest, loss), NEGLIGIBLE * first)
        point.grad = gradient.contiguous()
        del gradient
        if method == "adam":
            # Fading out at the end: the last steps settle the noise of the first.
            search.param_groups[0]["lr"] = rate * min(1.0, 0.1 + 0.9 * (1 - step / steps) / FADING)
        search.step(lambda loss=loss: loss)  # pyright: ignore[reportArgumentType]
        point.grad = None
        point.clamp_(0, 1)
        average.mul_(AVERAGED).add_(point, alpha=1 - AVERAGED)
        share = AVERAGED * share + (1 - AVERAGED)
        stepped(step, point)
    return average.div_(share) if share else point
