"""How the classes of a training mix are balanced: the controls that separate balance from synthesis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import UnknownNameError
from benchmark.keys import named_seed

BALANCES: dict[str, str] = {
    "natural": "images as they come: every epoch sees each once",
    "sampling": "every class is drawn equally often, its images in turn",
    "loss": "images as they come, the loss weighted by inverse class frequency",
    "subset": "as many images of every class as the rarest has, drawn by the seed",
}


def check_balance(name: str) -> str:
    """The name, if it is a known way of balancing.

    Raises:
        UnknownNameError: it is not.
    """
    if name not in BALANCES:
        raise UnknownNameError("way of balancing", name, BALANCES)
    return name


def batches(labels: NDArray[np.int64], balance: str, batch: int, seed: int) -> Iterator[Tensor]:
    """Endless batches of positions in `labels`, int64 (batch,); a batch may reach into the next round.

    A round is an epoch (every image once), or with `sampling` one image of every class that there is; the images of
    a class then come in turn, each once before any comes again.
    """
    generator = torch.Generator().manual_seed(named_seed("order", seed))
    waiting = torch.empty(0, dtype=torch.int64)
    rounds = _even_rounds(labels, generator) if balance == "sampling" else _epochs(len(labels), generator)
    while True:
        while len(waiting) < batch:
            waiting = torch.cat([waiting, next(rounds)])
        yield waiting[:batch]
        waiting = waiting[batch:]


def _epochs(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield torch.randperm(count, generator=generator)


def _even_rounds(labels: NDArray[np.int64], generator: torch.Generator) -> Iterator[Tensor]:
    members = [torch.from_numpy(np.flatnonzero(labels == code)) for code in np.unique(labels)]
    turns = [_in_turn(places, generator) for places in members]
    while True:
        order = torch.randperm(len(turns), generator=generator).tolist()
        yield torch.stack([next(turns[number]) for number in order])


def _in_turn(places: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from places[torch.randperm(len(places), generator=generator)]


def class_weights(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """(n_classes,) n / (classes present x images of the class), 0 for an absent class: their mean over images is 1."""
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.zeros(n_classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights.astype(np.float32)


def balanced_subset(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Sorted positions of as many images of every class as the rarest class has, drawn without replacement."""
    generator = np.random.default_rng(named_seed("balanced subset", seed))
    codes, counts = np.unique(labels, return_counts=True)
    chosen = [generator.choice(np.flatnonzero(labels == code), counts.min(), replace=False) for code in codes]
    return np.sort(np.concatenate(chosen))
