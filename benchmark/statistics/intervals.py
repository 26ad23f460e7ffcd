"""Intervals over clusters and repetitions, and paired gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

DEFINED_SHARE = 0.9
"""An interval is given only where at least this share of the replicates is defined."""


@dataclass(frozen=True)
class Measured:
    """One metric of one method, measured in S repetitions on the same images.

    Attributes:
        points: (S,) the metric of each repetition on all images.
        replicates: (S, R) the metric of each repetition on each of R resamplings of the clusters. Column r of every
            method must come from the same resampling (`cluster_counts` with one seed), or nothing is paired.
        clusters: number of clusters, where it is known. A bootstrap variance is (C - 1) / C of what it estimates.
    """

    points: NDArray[np.float64]
    replicates: NDArray[np.float64]
    clusters: int | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 1 or self.points.size == 0 or self.replicates.ndim != 2:
            raise ValueError("points must be (S,) with S >= 1 and replicates (S, R)")
        if len(self.points) != len(self.replicates):
            raise ValueError(f"{len(self.points)} repetitions have points, {len(self.replicates)} have replicates")


@dataclass(frozen=True)
class Interval:
    """A mean over repetitions with its interval; a bound is `None` with a reason where it is undefined.

    Attributes:
        value: mean over repetitions.
        low: lower bound.
        high: upper bound.
        repetitions: their number S.
        seed_sd: standard deviation over repetitions (`None` for one repetition).
        covers: what varies from sample to sample: "clusters and repetitions", or "clusters" for one repetition, where
            the interval is about that one trained classifier and says nothing about another seed.
        reason: why something is undefined.
        se: standard error of the value.
        df: degrees of freedom of the standard error.
        level: nominal coverage.
    """

    value: float | None
    low: float | None
    high: float | None
    repetitions: int
    seed_sd: float | None
    covers: str
    reason: str | None = None
    se: float | None = None
    df: float | None = None
    level: float = 0.95


def percentile_interval(replicates: NDArray[np.float64], level: float = 0.95) -> tuple[float, float] | None:
    """The central percentiles of (R,) replicates; `None` where too few of them are defined (not NaN)."""
    defined = _defined(replicates)
    if defined is None:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def interval(measured: Measured, limits: tuple[float, float] | None = None, level: float = 0.95) -> Interval:
    """Mean over repetitions and its interval over clusters and repetitions.

    With three repetitions a bootstrap over seeds covers far less than it says (it cannot leave the three values). So
    the two variances are estimated apart and added: the variance over shared resamplings of the clusters of the mean
    over repetitions, and s^2 / S of the S points. The quantile is Student's t with the degrees of freedom of their sum
    (Satterthwaite, Biometrics Bulletin 2, 1946). One repetition gives an interval over clusters alone.

    Args:
        measured: S repetitions with shared replicates. NaN marks what is undefined.
        limits: range of the metric; the interval is cut there.
        level: nominal coverage.
    """
    count = len(measured.points)
    covers = "clusters and repetitions" if count > 1 else "clusters"
    if not np.all(np.isfinite(measured.points)):
        reason = "undefined in at least one repetition"
        return Interval(None, None, None, count, None, covers, reason, level=level)
    value = float(np.mean(measured.points))
    spread = float(np.std(measured.points, ddof=1)) if count > 1 else None
    resampled = _defined(np.mean(measured.replicates, axis=0))
    if resampled is None or len(resampled) < 2:
        reason = "undefined in too many bootstrap replicates"
        return Interval(value, None, None, count, spread, covers, reason, level=level)
    clusters = measured.clusters or len(resampled)
    of_clusters = float(np.var(resampled, ddof=1)) * clusters / (clusters - 1)
    of_seeds = 0.0 if spread is None else spread**2 / count
    variance = of_clusters + of_seeds
    weight = of_clusters**2 / (clusters - 1) + (of_seeds**2 / (count - 1) if count > 1 else 0.0)
    df = variance**2 / weight if weight > 0 else float(clusters - 1)
    half = float(stdtrit(df, (1 + level) / 2)) * variance**0.5
    low, high = value - half, value + half
    if limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    return Interval(value, low, high, count, spread, covers, None, variance**0.5, df, level)


bootstrap_interval = interval
"""The former name of `interval`."""


def paired_gain(method: Measured, control: Measured, level: float = 0.95) -> Interval:
    """Mean difference method - control, with its interval over shared clusters and repetitions.

    Repetition s of both shares its utility seed and column r its resampling, so both are paired.

    Raises:
        ValueError: repetitions or replicates differ in number; pass the repetitions that both have.
    """
    if method.replicates.shape != control.replicates.shape:
        raise ValueError(f"cannot pair {method.replicates.shape} with {control.replicates.shape} replicates")
    difference = Measured(
        method.points - control.points, method.replicates - control.replicates, method.clusters or control.clusters
    )
    return interval(difference, level=level)


def stack(
    points: Sequence[float | None], replicates: Sequence[NDArray[np.float64]], clusters: int | None = None
) -> Measured:
    """Gather the repetitions of one metric; an undefined point (`None`) becomes NaN."""
    values = np.array([np.nan if point is None else point for point in points], dtype=np.float64)
    return Measured(values, np.stack([np.asarray(row, dtype=np.float64) for row in replicates]), clusters)


def _defined(replicates: NDArray[np.float64]) -> NDArray[np.float64] | None:
    defined = replicates[np.isfinite(replicates)]
    enough = len(defined) > 0 and len(defined) >= DEFINED_SHARE * len(replicates)
    return defined if enough else None
