"""What a distance reads between real and real: without it a distance cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 500
"""Images a side: beyond, the bias of both sides is alike and the cost only grows."""

Features = NDArray[np.float32]
Distance = Callable[[Features, Features], float]


@dataclass(frozen=True)
class Floor:
    """Mean distances over the splits, with `n` images a side.

    Attributes:
        real: between two halves of real images that share no patient.
        synthetic: between reference and synthetic images at the same n.
        real_sd: standard deviation of the first over the splits.
    """

    n: int
    splits: int
    real: float
    synthetic: float
    real_sd: float

    @property
    def ratio(self) -> float | None:
        """Synthetic over real; None where the floor is not above its own spread over the splits, as KID's may be: it is
        unbiased, so between halves of real images it lies around 0."""
        return self.synthetic / self.real if self.real > self.real_sd else None


@dataclass(frozen=True)
class Split:
    """Positions of one split: two halves of the pool, of the reference and of the synthetic set, `n` each."""

    half: NDArray[np.int64]
    other: NDArray[np.int64]
    reference: NDArray[np.int64]
    synthetic: NDArray[np.int64]


def draw_splits(clusters: NDArray[np.str_], n_reference: int, n_synthetic: int, splits: int, seed: int) -> list[Split]:
    """Splits of a pool of real images into halves by patient; all cut to one n. Empty where a side would have < 2.

    Args:
        clusters: (n,) patient of each image of the pool.
        n_reference, n_synthetic: sizes of the sets that are compared beside it.
        splits: how many.
        seed: of the draw.
    """
    names, codes = np.unique(clusters, return_inverse=True)
    if splits < 1 or len(names) < 2:
        return []
    random = np.random.default_rng(seed)
    halves = []
    for _ in range(splits):
        chosen = _half(np.bincount(codes), random)[codes]
        halves.append(tuple(random.permutation(np.flatnonzero(side)) for side in (chosen, ~chosen)))
    n = min(MOST, n_reference, n_synthetic, *(len(side) for pair in halves for side in pair))
    if n < 2:
        return []
    return [
        Split(
            half[:n], other[:n], random.permutation(n_reference)[:n], random.permutation(n_synthetic)[:n]
        )
        for half, other in halves
    ]  # fmt: skip


def _half(sizes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    """Whole clusters in drawn order until half of the images is reached."""
    order = random.permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[before < sizes.sum() / 2]] = True
    if chosen.all():
        chosen[order[-1]] = False
    return chosen


def floor(pool: Features, reference: Features, synthetic: Features, splits: list[Split], distance: Distance) -> Floor:
    """The mean of a distance over the splits, between real and real and between reference and synthetic."""
    real = [distance(pool[split.half], pool[split.other]) for split in splits]
    made = [distance(reference[split.reference], synthetic[split.synthetic]) for split in splits]
    return Floor(len(splits[0].half), len(splits), float(np.mean(real)), float(np.mean(made)), float(np.std(real)))
