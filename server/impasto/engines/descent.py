"""Adam on the pixels of a picture, which takes a loss that is no number in its stride."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impasto.engines import Check
from impasto.errors import ImpastoError

RATE = 0.03
BETAS = (0.9, 0.99)
HALVINGS = 8
"""Times that a loss may fail to be a number before it is given up."""


def descend(
    image: Tensor,
    loss: Callable[[Tensor], Tensor],
    steps: int,
    check: Check,
    stepped: Callable[[int], None],
    rate: float = RATE,
) -> Tensor:
    """Change `image`, (1, 3, H, W) in 0..1, so that its loss falls.

    A loss or gradient that is not finite takes the last step back, halves the rate and goes on.

    Args:
        stepped: called after each step with the number of steps done.

    Raises:
        ImpastoError: the loss is still not finite after `HALVINGS`.
    """
    good, first, second, age, failures = image, torch.zeros_like(image), torch.zeros_like(image), 0, 0
    for step in range(1, steps + 1):
        check()
        image = image.detach().requires_grad_()
        value = loss(image)
        (gradient,) = torch.autograd.grad(value, image)
        if not (torch.isfinite(value) and torch.isfinite(gradient).all()):
            failures += 1
            if failures > HALVINGS:
                raise ImpastoError("The optimisation found no finite loss; try another style or scale.")
            image, rate, age = good, rate / 2, 0
            first, second = torch.zeros_like(image), torch.zeros_like(image)
            stepped(step)
            continue
        good, age = image.detach(), age + 1
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
        mean, square = first / (1 - BETAS[0] ** age), second / (1 - BETAS[1] ** age)
        # Fading out: the last steps settle the noise of the first.
        faded = rate * (1 - 0.9 * step / steps)
        image = (good - faded * mean / (square.sqrt() + 1e-12)).clamp(0, 1)
        stepped(step)
    return image.detach()
