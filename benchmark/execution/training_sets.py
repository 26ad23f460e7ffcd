"""What a classifier is trained on: real and synthetic images, in the numbers and the balance that a cell asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchError
from benchmark.execution.inputs import StoredSet
from benchmark.keys import named_seed
from benchmark.protocol import Protocol
from benchmark.records import Cell
from benchmark.utility.balance import balanced_subset

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Images uint8 (n, size, size) and class indices (n,), the first `n_real` of them real."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    n_real: int

    @property
    def n_synthetic(self) -> int:
        """Number of synthetic images."""
        return len(self.labels) - self.n_real

    def part(self, positions: Positions) -> TrainingSet:
        """The images at sorted positions."""
        return TrainingSet(self.images[positions], self.labels[positions], int((positions < self.n_real).sum()))


def training_set(cell: Cell, protocol: Protocol, synthetic: StoredSet, seed: int) -> TrainingSet:
    """The images of a mix `real`, `real+synthetic` or `synthetic`; with the balance `subset` only a part of them.

    Raises:
        BenchError: the cell names another mix, or more images of a class than there are.
    """
    if cell.mix not in ("real", "real+synthetic", "synthetic"):
        raise BenchError(f"unknown training mix '{cell.mix}': use real, real+synthetic or synthetic.")
    real = _real(cell, protocol, seed)
    drawn = _synthetic(cell, synthetic)
    if cell.mix == "real":
        chosen = real
    elif cell.mix == "synthetic":
        chosen = drawn
    else:
        images, labels = np.concatenate([real.images, drawn.images]), np.concatenate([real.labels, drawn.labels])
        chosen = TrainingSet(images, labels, len(real.labels))
    return chosen.part(balanced_subset(chosen.labels, seed)) if cell.balance == "subset" else chosen


def _real(cell: Cell, protocol: Protocol, seed: int) -> TrainingSet:
    labels = np.asarray(protocol.train.labels, dtype=np.int64)
    whole = TrainingSet(np.array(protocol.train.pixels), labels, len(labels))
    if not cell.n_real:
        return whole
    adapted = np.isin(protocol.train.table["image_id"], protocol.adaptation.table["image_id"])
    return whole.part(first_of_each(labels, cell.n_real, nested_order(adapted, seed), "real"))


def _synthetic(cell: Cell, synthetic: StoredSet) -> TrainingSet:
    whole = TrainingSet(synthetic.images, synthetic.targets, 0)
    if not cell.n_synthetic:
        return whole
    return whole.part(first_of_each(whole.labels, cell.n_synthetic, np.arange(len(whole.labels)), "synthetic"))


def nested_order(adapted: NDArray[np.bool_], seed: int) -> Positions:
    """A drawn order of all training images in which those that generators are fitted to come first."""
    order = np.random.default_rng(named_seed("dose", seed)).permutation(len(adapted))
    return np.concatenate([order[adapted[order]], order[~adapted[order]]])


def first_of_each(labels: NDArray[np.int64], count: int, order: Positions, what: str) -> Positions:
    """Sorted positions of the first `count` images of every class in an order of all images.

    Raises:
        BenchError: a class has fewer.
    """
    chosen = []
    for code in np.unique(labels):
        members = order[labels[order] == code]
        if len(members) < count:
            raise BenchError(
                f"{count} {what} images of a class are asked for, and one has {len(members)}. Lower utility.doses, or "
                "raise images_per_class."
            )
        chosen.append(members[:count])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)
