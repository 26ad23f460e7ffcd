"""Resampling of clusters, intervals over clusters and repetitions, paired gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

PERCENTILES = (2.5, 97.5)
DEFINED_SHARE = 0.9
"""An interval is given only where at least this share of the replicates is defined."""


@dataclass(frozen=True)
class Measured:
    """One metric of one method, measured in S repetitions on the same images.

    Attributes:
        points: (S,) the metric of each repetition on all images.
        replicates: (S, R) the metric of each repetition on each of R resamplings of the clusters. Column r of every
            method must come from the same resampling (`cluster_weights` with one seed), or nothing is paired.
    """

    points: NDArray[np.float64]
    replicates: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.points.ndim != 1 or self.points.size == 0 or self.replicates.ndim != 2:
            raise ValueError("points must be (S,) with S >= 1 and replicates (S, R)")
        if len(self.points) != len(self.replicates):
            raise ValueError(f"{len(self.points)} repetitions have points, {len(self.replicates)} have replicates")


@dataclass(frozen=True)
class Interval:
    """A mean over repetitions with its 95 % interval; a bound is `None` with a reason where it is undefined.

    `seed_sd` is the standard deviation over repetitions (`None` for one repetition); `covers` says what was resampled.
    """

    value: float | None
    low: float | None
    high: float | None
    repetitions: int
    seed_sd: float | None
    covers: str
    reason: str | None = None


def cluster_weights(
    cluster_ids: ArrayLike, replicates: int, seed: int, strata: ArrayLike | None = None
) -> NDArray[np.uint32]:
    """How often each image enters each bootstrap replicate when whole clusters are drawn with replacement.

    Args:
        cluster_ids: (n,) cluster of each image. Clusters are drawn in the order of their names, so the order of the
            images does not matter.
        replicates: number R of replicates.
        seed: of the draw; equal seeds and clusters give equal draws.
        strata: (n,) optional stratum of each image; then each stratum keeps its number of clusters. A cluster lies in
            one stratum.

    Returns:
        (R, n) counts.
    """
    ids = np.asarray(cluster_ids).astype(str)
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError("cluster_ids must be a non-empty vector")
    names, first, codes = np.unique(ids, return_index=True, return_inverse=True)
    groups = np.zeros(len(ids), dtype=np.int64)
    if strata is not None:
        groups = np.unique(np.asarray(strata).astype(str), return_inverse=True)[1]
    group_of_cluster = groups[first]
    if np.any(groups != group_of_cluster[codes]):
        raise ValueError("a cluster lies in more than one stratum")
    generator = np.random.default_rng(seed)
    counts = np.empty((replicates, len(names)), dtype=np.uint32)
    for group in np.unique(group_of_cluster):
        members = np.flatnonzero(group_of_cluster == group)
        chance = np.full(len(members), 1 / len(members))
        counts[:, members] = generator.multinomial(len(members), chance, size=replicates)
    return counts[:, codes]


def percentile_interval(replicates: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 2.5th and 97.5th percentile of (R,) replicates; `None` where too few of them are defined (not NaN)."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) == 0 or len(defined) < DEFINED_SHARE * len(replicates):
        return None
    low, high = np.percentile(defined, PERCENTILES)
    return float(low), float(high)


def bootstrap_interval(measured: Measured, limits: tuple[float, float] | None = None) -> Interval:
    """Mean over repetitions and its 95 % interval over clusters and repetitions.

    With three repetitions a bootstrap over seeds covers far less than it says (it cannot leave the three values), so
    two intervals are built and combined. Clusters: percentiles over the shared resamplings of the mean over
    repetitions. Seeds: Student's t with S - 1 degrees of freedom on the S points. Both errors are independent, so
    their distances to the mean add in squares, side by side (MOVER: Zou and Donner, Statistics in Medicine 27, 2008),
    which keeps the skew of the percentiles. One repetition gives an interval over clusters alone, and `covers` says so.

    Args:
        measured: S repetitions with shared replicates. NaN marks what is undefined.
        limits: range of the metric; the interval is cut there.
    """
    count = len(measured.points)
    covers = "clusters and repetitions" if count > 1 else "clusters"
    if not np.all(np.isfinite(measured.points)):
        return Interval(None, None, None, count, None, covers, "undefined in at least one repetition")
    value = float(np.mean(measured.points))
    spread = float(np.std(measured.points, ddof=1)) if count > 1 else None
    bounds = percentile_interval(np.mean(measured.replicates, axis=0))
    if bounds is None:
        return Interval(value, None, None, count, spread, covers, "undefined in too many bootstrap replicates")
    seed_half = 0.0 if spread is None else float(stdtrit(count - 1, 0.975)) * spread / np.sqrt(count)
    low = value - float(np.hypot(max(value - bounds[0], 0.0), seed_half))
    high = value + float(np.hypot(max(bounds[1] - value, 0.0), seed_half))
    if limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    return Interval(value, low, high, count, spread, covers)


def paired_gain(method: Measured, control: Measured) -> Interval:
    """Mean difference method - control, with its interval over shared clusters and repetitions.

    Repetition s of both shares its utility seed and column r its resampling, so both are paired.

    Raises:
        ValueError: repetitions or replicates differ in number; pass the repetitions that both have.
    """
    if method.replicates.shape != control.replicates.shape:
        raise ValueError(f"cannot pair {method.replicates.shape} with {control.replicates.shape} replicates")
    difference = Measured(method.points - control.points, method.replicates - control.replicates)
    return bootstrap_interval(difference)


def stack(points: Sequence[float | None], replicates: Sequence[NDArray[np.float64]]) -> Measured:
    """Gather the repetitions of one metric; an undefined point (`None`) becomes NaN."""
    values = np.array([np.nan if point is None else point for point in points], dtype=np.float64)
    return Measured(values, np.stack([np.asarray(row, dtype=np.float64) for row in replicates]))
