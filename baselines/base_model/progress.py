"""What both training stages share: budget, learning-rate shape, averages, checkpoints, loss log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from baselines.base_model import workers
from benchmark.errors import UsageError


@dataclass(frozen=True)
class Budget:
    """Either optimiser steps or minutes; minutes add up over resumed runs."""

    steps: int | None = None
    minutes: float | None = None

    def spent(self, steps: int, seconds: float) -> float:
        """The part of the budget that is used, 0 to 1 and beyond."""
        if self.steps is not None:
            return steps / max(self.steps, 1)
        if self.minutes is None:
            raise UsageError("a training stage needs a budget: give steps or minutes")
        return seconds / max(60 * self.minutes, 1e-9)


def rate_shape(spent: float, step: int, warmup: int = 200, decay_from: float = 0.7) -> float:
    """Factor of the learning rate: linear warm-up, constant, linear to 2 % over the last 30 %."""
    rise = min(1.0, (step + 1) / warmup)
    fall = 1.0 if spent < decay_from else max(0.02, (1 - spent) / (1 - decay_from))
    return rise * min(1.0, fall)


class Average:
    """Exponential moving average of the weights of some modules (what is shipped).

    The decay grows with the step as (1 + s) / (10 + s) up to `decay`, so early weights are forgotten.
    """

    def __init__(self, modules: list[nn.Module], decay: float) -> None:
        self.decay = decay
        self.weights = [p.detach().clone() for m in modules for p in m.parameters()]
        self._sources = [p for m in modules for p in m.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the present weights."""
        keep = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.weights, [p.detach() for p in self._sources], 1 - keep)

    @torch.no_grad()
    def store_into_modules(self) -> None:
        """Overwrite the modules' weights by their average."""
        for source, weight in zip(self._sources, self.weights, strict=True):
            source.copy_(weight)


@dataclass
class Stage:
    """One training stage: counts steps and seconds, writes losses and checkpoints under `work`.

    `parts` are the objects whose state is saved (anything with state_dict), `average` the weights'
    moving average, `generator` the source of the batch order and noise.
    """

    name: str
    work: Path
    budget: Budget
    parts: dict[str, Any]
    average: Average
    generator: torch.Generator
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    _tick: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)

    @property
    def checkpoint(self) -> Path:
        """The file that holds the stage's state."""
        return self.work / f"{self.name}.pt"

    @property
    def spent(self) -> float:
        """The part of the budget that is used."""
        return self.budget.spent(self.step, self.seconds)

    def advance(self, images: int, losses: dict[str, torch.Tensor]) -> None:
        """Count one optimiser step; every 50 steps log the smoothed losses, every 2 minutes save."""
        now = time.monotonic()
        self.seconds = workers.agree(self.seconds + now - self._tick)
        self._tick = now
        self.step += 1
        self.images += images * workers.count()
        for name, value in losses.items():
            old = self.losses.get(name, float(value))
            self.losses[name] = old + 0.02 * (float(value) - old)
        if workers.rank() != 0:
            return
        if self.step % 50 == 0:
            self._log()
        if now - self._saved > 120:
            self.save()

    def _log(self) -> None:
        row = {"stage": self.name, "step": self.step, "images": self.images, "seconds": round(self.seconds, 1)}
        row |= {name: round(value, 5) for name, value in self.losses.items()}
        with (self.work / "losses.jsonl").open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        if self.step % 500 == 0:
            print(json.dumps(row), flush=True)

    def save(self) -> None:
        """Write the checkpoint by a rename, so that a kill leaves the last one whole (worker 0 only)."""
        if workers.rank() != 0:
            return
        state = {
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "average": self.average.weights,
            "generator": self.generator.get_state(),
            "counts": (self.step, self.images, self.seconds, self.losses),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        self._saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for weight, stored in zip(self.average.weights, state["average"], strict=True):
            weight.copy_(stored)
        self.step, self.images, self.seconds, self.losses = state["counts"]
        if workers.rank() == 0:
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(workers.rank() * 1_000_003 + self.step)
        print(f"{self.name}: resumed at step {self.step} ({self.seconds / 60:.1f} min)", flush=True)
        self._tick = time.monotonic()
