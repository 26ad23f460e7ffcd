"""FID at an infinite number of images: its bias falls with 1/n, so a line over 1/n has it as its intercept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import linregress

from benchmark.fidelity.distance import frechet_distance

SIZES = 8
DRAWS = 5
"""Random parts of each size, averaged."""
SMALLEST = 0.5
"""Smallest part of the sets, as a share of the smaller one."""


@dataclass(frozen=True)
class Extrapolated:
    """The intercept, the numbers of images that it rests on, and how well a line fits them (R squared)."""

    value: float
    n_low: int
    n_high: int
    r_squared: float


def frechet_infinity(real: NDArray[np.floating], synthetic: NDArray[np.floating], seed: int) -> Extrapolated | str:
    """FID extrapolated to 1/n = 0 from random parts of both sets with n images each (Chong and Forsyth 2020,
    arXiv 1911.07023, section 4.1), or the reason why it cannot be.

    Bias is linear in 1/n only where both covariances have full rank; with fewer images than features it is not, and
    a line through it says nothing.
    """
    most = min(len(real), len(synthetic))
    fewest = int(SMALLEST * most)
    dimension = real.shape[1]
    if fewest <= dimension:
        return f"needs more than {dimension} images (features) in half of the smaller set; it has {fewest}"
    random = np.random.default_rng(seed)
    sizes = np.unique(np.round(1 / np.linspace(1 / fewest, 1 / most, SIZES)).astype(int))

    def drawn(n: int) -> float:
        return frechet_distance(
            real[random.permutation(len(real))[:n]], synthetic[random.permutation(len(synthetic))[:n]]
        )

    line = linregress(1 / sizes, [np.mean([drawn(int(n)) for _ in range(DRAWS)]) for n in sizes])
    return Extrapolated(float(line.intercept), int(sizes[0]), int(sizes[-1]), float(line.rvalue) ** 2)
