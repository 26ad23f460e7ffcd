"""How far a distance would move with other patients and other samples: standard errors of FID and KID.

A bootstrap repeats images, which FID punishes: its replicates lie above the value and spread too far. Here a fifth of
the patients and of the synthetic images is left out at a time, so that no image is ever repeated (the delete-d
jackknife: Shao and Wu, Annals of Statistics 17, 1989). docs/fidelity.md has the coverage of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from benchmark.fidelity.resampled import frechet_replicates, kernel_replicates

KEPT = 0.8
"""Share of patients, and of synthetic images, in a replicate."""
INTERVAL = (
    "value ± t standard errors; a fifth of the real patients (of the real images, where no patients are named) and of "
    "the synthetic images left out at a time"
)
_FEWEST = 5


@dataclass(frozen=True)
class Spread:
    """Standard errors of one distance: over both sets, and over the reference alone, with their degrees of freedom."""

    sd: float
    sd_reference: float
    df: int

    def interval(self, value: float, lowest: float | None = None) -> tuple[float, float]:
        """The 95 % interval of a value, cut at `lowest`."""
        half = float(stdtrit(self.df, 0.975)) * self.sd
        low = value - half
        return (low if lowest is None else max(low, lowest)), value + half


def subsets(clusters: ArrayLike, replicates: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(R, n) 1 for an image that a replicate keeps: four fifths of the clusters, whole."""
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    kept = round(KEPT * len(names))
    order = random.permuted(np.tile(np.arange(len(names)), (replicates, 1)), axis=1)
    chosen = np.zeros((replicates, len(names)))
    np.put_along_axis(chosen, order[:, :kept], 1.0, axis=1)
    return chosen[:, codes]


def spreads(
    real: NDArray[np.floating], synthetic: NDArray[np.floating], clusters: ArrayLike, replicates: int, seed: int
) -> tuple[Spread, Spread] | str:
    """Standard errors of FID and KID of two sets of features, shapes (n1, d) and (n2, d).

    Args:
        real, synthetic: the features.
        clusters: (n1,) patient of each real image.
        replicates: how often a fifth is left out, at least 2.
        seed: of the choice.

    Returns:
        Those of FID and of KID, or a reason why there are none.
    """
    names = len(np.unique(np.asarray(clusters)))
    if min(names, len(synthetic)) < _FEWEST:
        return f"no interval: fewer than {_FEWEST} patients or synthetic images"
    random = np.random.default_rng(seed)
    rows, columns = subsets(clusters, replicates, random), subsets(np.arange(len(synthetic)), replicates, random)
    everything = np.ones((1, len(synthetic)))
    found = []
    for distance in (frechet_replicates, kernel_replicates):
        both = _error(distance(real, synthetic, rows, columns), names)
        reference = _error(distance(real, synthetic, rows, everything), names)
        found.append(Spread(both, reference, min(names, len(synthetic)) - 1))
    return found[0], found[1]


def _error(values: NDArray[np.float64], clusters: int) -> float:
    """Standard error of the whole from the spread of parts: times the root of kept over left out."""
    kept = round(KEPT * clusters)
    return float(values.std(ddof=1) * np.sqrt(kept / (clusters - kept)))
