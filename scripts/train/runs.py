"""What all training runs have in common: their arguments, rate, running average and checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def add_run_arguments(parser: argparse.ArgumentParser, needs_vgg: bool = True) -> None:
    """What a run learns from, where it is kept and how long it takes, for every painter."""
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, required=needs_vgg, help="VGG-19, normalised")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="training time, all resumes together")
    parser.add_argument("--from-bundled", action="store_true", help="start from the bundled painter")
    parser.add_argument("--hold-out", type=int, default=24, help="keep every n-th small photograph back")
    parser.add_argument("--seed", type=int, default=1)


def rate_now(rate: float, step: int, spent: float, minutes: float, warm_up: int = 50) -> float:
    """It rises over `warm_up` steps, and falls linearly over `minutes`, of which `spent` seconds are over."""
    return rate * min(1.0, (step + 1) / warm_up) * max(0.02, 1 - spent / (minutes * 60))


def kept_share(most: float, step: int) -> float:
    """Share of a running average that stays at a step; at first less, for it begins with nothing learned."""
    return min(most, step / (step + 10))


def follow(average: nn.Module, painter: nn.Module, kept: float) -> None:
    """Move a running average of a network's weights on by a step."""
    with torch.no_grad():
        for mean, current in zip(average.parameters(), painter.parameters(), strict=True):
            mean.lerp_(current, 1 - kept)


def write_log(run: Path, step: int, spent: float, logged: list[Tensor]) -> None:
    """Add a line to log.csv: step, seconds spent, and the means of what was logged, which is cleared."""
    means = torch.stack(logged).mean(0)
    with (run / "log.csv").open("a") as log:
        log.write(f"{step},{spent:.0f}," + ",".join(f"{value:.4f}" for value in means) + "\n")
    logged.clear()


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace a checkpoint, which is whole at any time."""
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)
