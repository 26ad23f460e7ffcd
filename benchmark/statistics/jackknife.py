"""A metric's spread over clusters as one number per cluster, small enough to be kept where predictions are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.intervals import Measured
from benchmark.statistics.resampling import cluster_counts

REPLICATES = 2000


def influences(leave_one_out: ArrayLike) -> NDArray[np.float64]:
    """What each cluster does to a metric: the deviations of the delete-one-cluster pseudo-values from their mean.

    u_c = (C - 1) (mean of all leave-one-out values - value without cluster c), so that sum u_c = 0 and the jackknife
    variance of the metric is sum u_c^2 / (C (C - 1)) (Efron and Stein, Ann. Statist. 9, 1981; of clusters: Shao and Tu,
    The Jackknife and Bootstrap, 1995).

    Args:
        leave_one_out: (..., C) the metric without each cluster in turn.

    Returns:
        (..., C) influences, in the unit of the metric; NaN everywhere where any value is not defined.
    """
    values = np.asarray(leave_one_out, dtype=np.float64)
    return (values.shape[-1] - 1) * (values.mean(axis=-1, keepdims=True) - values)


def from_influences(points: ArrayLike, influence: ArrayLike, seed: int, replicates: int = REPLICATES) -> Measured:
    """S repetitions of a metric with replicates of its linear part: value + sum_c (count_c - 1) u_c / C.

    The bootstrap of a smooth metric and that of its linear part agree to first order (Efron, The Jackknife, the
    Bootstrap and Other Resampling Plans, 1982, chapter 6). So what takes a `Measured` takes a metric whose images are
    no longer there, and it is paired with any other on the same clusters if both have the same seed.

    Args:
        points: (S,) the metric of each repetition.
        influence: (S, C) as `influences` gives them, clusters in one order for everything that is paired.
        seed: of the resampling, the same for all that is paired.
        replicates: number R of resamplings.

    Raises:
        ValueError: shapes that do not fit.
    """
    values, effects = np.asarray(points, dtype=np.float64), np.asarray(influence, dtype=np.float64)
    if values.ndim != 1 or effects.ndim != 2 or len(values) != len(effects) or effects.shape[1] < 1:
        raise ValueError(f"points must be (S,) and influences (S, C), not {values.shape} and {effects.shape}")
    clusters = effects.shape[1]
    names = [f"{position:09d}" for position in range(clusters)]
    counts = cluster_counts(names, replicates, seed).astype(np.float64)
    return Measured(values, values[:, None] + effects @ (counts.T - 1) / clusters, clusters)


def from_repetitions(points: ArrayLike) -> Measured:
    """S repetitions of a metric of which nothing but the repetitions is known to vary: replicates that stand still."""
    values = np.asarray(points, dtype=np.float64)
    return Measured(values, np.repeat(values[:, None], 2, axis=1), clusters=2)
