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
    two variances are estimated apart and added: that of the mean over repetitions when clusters are resampled, and
    s^2 / S of the S points. The quantile is Student's t with the degrees of freedom of that sum (`_spread`). Where the
    metric has limits the interval is Wilson's (J. Am. Statist. Ass. 22, 1927) at the effective number of images that
    gives this variance (Korn and Graubard, Survey Methodology 24, 1998): it never leaves the limits and is lopsided
    near them. Without limits it is value +- t * se. One repetition gives an interval over clusters alone, about that
    one trained classifier. `docs/statistics.md` has the simulation that chose this form.

    Args:
        measured: S repetitions with shared replicates. NaN marks what is undefined.
        limits: range of the metric.
        level: nominal coverage.
    """
    count = len(measured.points)
    covers = "clusters and repetitions" if count > 1 else "clusters"
    if not np.all(np.isfinite(measured.points)):
        lost = "undefined in at least one repetition"
        return Interval(None, None, None, count, None, covers, lost, level=level)
    value = float(np.mean(measured.points))
    seed_sd = float(np.std(measured.points, ddof=1)) if count > 1 else None
    replicates = measured.replicates[:, np.all(np.isfinite(measured.replicates), axis=0)]
    reason = _why_unbounded(measured, replicates, limits)
    if reason:
        return Interval(value, None, None, count, seed_sd, covers, reason, level=level)
    clusters = measured.clusters or replicates.shape[1]
    variance, df = _spread(replicates, seed_sd, clusters)
    quantile = float(stdtrit(df, (1 + level) / 2))
    if limits is None:
        low, high = value - quantile * variance**0.5, value + quantile * variance**0.5
    else:
        low, high = _wilson(value, variance, quantile, limits, clusters)
    return Interval(value, low, high, count, seed_sd, covers, None, variance**0.5, df, level)


bootstrap_interval = interval
"""The former name of `interval`."""


def _why_unbounded(
    measured: Measured, replicates: NDArray[np.float64], limits: tuple[float, float] | None
) -> str | None:
    if measured.clusters == 1:
        return "a single cluster: nothing tells how clusters differ"
    if replicates.shape[1] < max(2, DEFINED_SHARE * measured.replicates.shape[1]):
        return "undefined in too many bootstrap replicates"
    if limits is not None and measured.clusters is None and _at_limit(float(np.mean(measured.points)), limits):
        return "at the limit of its range nothing varies, and the number of clusters is not known"
    return None


def _spread(replicates: NDArray[np.float64], seed_sd: float | None, clusters: int) -> tuple[float, float]:
    """Variance of the mean over repetitions, and its degrees of freedom.

    The variance is Vc + s^2 / S. What is random in a single image and repetition is counted twice in it; that is kept,
    because a t quantile at estimated degrees of freedom is a little too small. The degrees of freedom are those of
    Satterthwaite (Biometrics Bulletin 2, 1946) for the sum without that double count, whose cluster part is the mean
    covariance of two repetitions. A variance over clusters has 2 / (k + 2 / (C - 1)) of them, where k is the excess
    kurtosis of the replicates (1 / C of that of the clusters' influences), so far as it exceeds its own standard error
    sqrt(24 / R): few clusters that carry all errors are worth few degrees of freedom, not C - 1.
    """
    count, draws = replicates.shape
    mean = np.mean(replicates, axis=0)
    of_clusters = float(np.var(mean, ddof=1)) * clusters / (clusters - 1)
    df_of_clusters = 2 / (max(_excess_kurtosis(mean) - (24 / draws) ** 0.5, 0.0) + 2 / (clusters - 1))
    if seed_sd is None:
        return of_clusters, df_of_clusters
    of_seeds = seed_sd**2 / count
    of_one = float(np.mean(np.var(replicates, axis=1, ddof=1))) * clusters / (clusters - 1)
    shared = max((count * of_clusters - of_one) / (count - 1), 0.0)
    weight = shared**2 / df_of_clusters + of_seeds**2 / (count - 1)
    df = (shared + of_seeds) ** 2 / weight if weight > 0 else df_of_clusters
    return of_clusters + of_seeds, df


def _excess_kurtosis(values: NDArray[np.float64]) -> float:
    deviation = values - np.mean(values)
    second = float(np.mean(deviation**2))
    return float(np.mean(deviation**4)) / second**2 - 3 if second > 0 else 0.0


def _at_limit(value: float, limits: tuple[float, float]) -> bool:
    return min(value - limits[0], limits[1] - value) < 1e-9 * (limits[1] - limits[0])


def _wilson(
    value: float, variance: float, quantile: float, limits: tuple[float, float], clusters: int
) -> tuple[float, float]:
    """Wilson's interval of a mean on a range, at the number of images at which a proportion has this variance.

    At a limit of the range nothing varies, and the number of clusters takes its place.
    """
    width = limits[1] - limits[0]
    share = min(max((value - limits[0]) / width, 0.0), 1.0)
    product = share * (1 - share)
    per_image = 1 / clusters if _at_limit(value, limits) else variance / width**2 / product
    pull = quantile**2 * per_image
    middle = (share + pull / 2) / (1 + pull)
    half = (pull * product + pull**2 / 4) ** 0.5 / (1 + pull)
    return limits[0] + width * max(middle - half, 0.0), limits[0] + width * min(middle + half, 1.0)


def paired_gain(method: Measured, control: Measured, level: float = 0.95) -> Interval:
    """Mean difference method - control, with its interval over shared clusters and repetitions.

    Repetition s of both shares its utility seed and column r its resampling, so both are paired.

    Raises:
        ValueError: repetitions or replicates differ in number; pass the repetitions that both have.
    """
    if method.replicates.shape != control.replicates.shape:
        raise ValueError(f"cannot pair {method.replicates.shape} with {control.replicates.shape} replicates")
    difference = Measured(
        method.points - control.points,
        method.replicates - control.replicates,
        min((known for known in (method.clusters, control.clusters) if known), default=None),
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
