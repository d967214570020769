"""A training run: its arguments, its steps, and the checkpoint from which it resumes."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

CHECKPOINT = "checkpoint.pt"
"""In the folder of a run."""

SAVED_EVERY = 240
"""Seconds of training."""

Network = TypeVar("Network", bound=nn.Module)


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


def read_checkpoint(run: Path, device: str) -> dict[str, Any]:
    """What a run was at when it was saved last, or nothing; its folder is made."""
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / CHECKPOINT
    return torch.load(checkpoint, weights_only=True, map_location=device) if checkpoint.exists() else {}


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace a checkpoint, which is whole at any time."""
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)


class Run(Generic[Network]):
    """The steps of a run.

    Attributes:
        average: the running average of the network's weights, which is to be looked at and exported.
        step: how many are done, all resumes together.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        network: Network,
        groups: list[dict[str, Any]],
        saved: dict[str, Any],
        clip: float,
        logged: int,
        warm_up: int = 50,
        **about: object,
    ) -> None:
        """
        Args:
            options: of `add_run_arguments`.
            network: it has the saved weights already.
            groups: "params" that are trained, and the "rate" of each group.
            saved: what `read_checkpoint` gave.
            clip: greatest norm of the slope.
            logged: steps whose mean losses make a line of log.csv.
            warm_up: steps over which the rates rise.
            about: what else to save; only where it is the same as before does the optimiser go on.
        """
        self.options, self.network, self.about = options, network, about
        self.clip, self.logged, self.warm_up = clip, logged, warm_up
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self.step, self.spent = 0, 0.0
        self.losses: list[Tensor] = []
        if saved:
            self.average.load_state_dict(saved["average"])
            self.step, self.spent = saved["step"], saved["spent"]
            torch.manual_seed(options.seed + self.step)
            if all(saved[name] == value for name, value in about.items()):
                self.optimiser.load_state_dict(saved["optimiser"])
                for group, given in zip(self.optimiser.param_groups, groups, strict=True):
                    group["rate"] = given["rate"]

    def steps(self, show: Callable[[], None] | None = None) -> Iterator[None]:
        """In each of them call `descend`; `show` is called whenever the run is saved."""
        last_saved = self.spent
        while self.spent < self.options.minutes * 60:
            began = time.monotonic()
            for group in self.optimiser.param_groups:
                group["lr"] = rate_now(
                    group["rate"], self.step, self.spent, self.options.minutes, self.warm_up
                )
            yield
            self.spent += time.monotonic() - began
            if self.step % self.logged == 0:
                self.write_log()
            if self.spent - last_saved > SAVED_EVERY:
                self.save(show)
                last_saved = self.spent
        self.save(show)

    def descend(self, loss: Tensor, parts: Tensor) -> None:
        """Take a step down the slope of a loss, whose parts, (P,), are to be logged."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        trained = [tensor for group in self.optimiser.param_groups for tensor in group["params"]]
        nn.utils.clip_grad_norm_(trained, self.clip)
        self.optimiser.step()
        self.step += 1
        kept = kept_share(self.options.average, self.step)
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(current, 1 - kept)
        self.losses.append(parts.detach().cpu())

    def write_log(self) -> None:
        """Add a line to log.csv: step, seconds spent, and the means of the losses since the last one."""
        means = torch.stack(self.losses).mean(0)
        with (self.options.run / "log.csv").open("a") as log:
            log.write(f"{self.step},{self.spent:.0f}," + ",".join(f"{value:.4f}" for value in means) + "\n")
        self.losses.clear()

    def save(self, show: Callable[[], None] | None) -> None:
        state = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "step": self.step, "spent": self.spent}
        write_checkpoint(self.options.run / CHECKPOINT, state | self.about)
        if show:
            show()
