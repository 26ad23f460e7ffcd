"""Intervals over clusters and repetitions, and paired gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtridf, stdtrit

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
        df: degrees of freedom at which Student's t has the quantile that the interval was made with.
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


def interval(measured: Measured, limits: tuple[float, float] | None = None, level: float = 0.95) -> Interval:
    """Mean over repetitions and its interval over clusters and repetitions.

    With three repetitions a bootstrap over seeds covers far less than it says (it cannot leave the three values). So
    two variances are estimated apart and added: what the clusters do to all repetitions, and s^2 / S of the S points
    (`Spread`). Without limits the interval is value +- quantile * se. Where the metric has limits it is Wilson's
    (J. Am. Statist. Ass. 22, 1927) at the effective number of images that gives this variance (Korn and Graubard,
    Survey Methodology 24, 1998): it never leaves the limits and is lopsided near them. One repetition gives an interval
    over clusters alone, about that one trained classifier. `docs/statistics.md` has the simulation behind this form.

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
    spread = spread_of(replicates, clusters, (seed_sd or 0.0) ** 2 / count, count - 1)
    quantile = spread.quantile(level)
    if limits is not None and _at_limit(value, limits):
        quantile = float(stdtrit(clusters - 1, (1 + level) / 2))
    if limits is None:
        low, high = value - quantile * spread.se, value + quantile * spread.se
    else:
        low, high = _wilson(value, spread.se, quantile, limits, clusters)
    df = float(stdtridf((1 + level) / 2, quantile))
    return Interval(value, low, high, count, seed_sd, covers, None, spread.se, df, level)


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


@dataclass(frozen=True)
class Spread:
    """Two independent parts of the variance of a mean over repetitions, with their degrees of freedom.

    Attributes:
        of_clusters: variance that the repetitions share because they see the same clusters.
        df_of_clusters: degrees of freedom of its estimate.
        of_seeds: s^2 / S; it also holds the image noise that each repetition has for itself. 0 for one repetition.
        df_of_seeds: degrees of freedom of s^2.
    """

    of_clusters: float
    df_of_clusters: float
    of_seeds: float
    df_of_seeds: float

    @property
    def se(self) -> float:
        """Standard error of the mean."""
        return (self.of_clusters + self.of_seeds) ** 0.5

    def quantile(self, level: float) -> float:
        """By how many standard errors the interval reaches from the value, one bound of the two-sided `level`.

        Midway between two classical answers, of which the first is a little short and the second a little long when
        one variance has two degrees of freedom. Satterthwaite (Biometrics Bulletin 2, 1946): t at the degrees of
        freedom of the sum. MOVER (Zou and Donner, Statistics in Medicine 27, 2008): each part's own t times its own
        standard error, added in squares. They agree where one part is all.
        """
        below = (1 + level) / 2
        of_clusters = float(stdtrit(self.df_of_clusters, below))
        if self.of_seeds == 0:
            return of_clusters
        variance = self.of_clusters + self.of_seeds
        weight = self.of_clusters**2 / self.df_of_clusters + self.of_seeds**2 / self.df_of_seeds
        satterthwaite = float(stdtrit(variance**2 / weight, below))
        of_seeds = float(stdtrit(self.df_of_seeds, below))
        mover = ((of_clusters**2 * self.of_clusters + of_seeds**2 * self.of_seeds) / variance) ** 0.5
        return (satterthwaite + mover) / 2


def spread_of(replicates: NDArray[np.float64], clusters: int, of_seeds: float, df_of_seeds: float) -> Spread:
    """The variance of a mean over repetitions, from its replicates and the variance that its points show.

    The part of the clusters is the mean covariance of two repetitions over the shared resamplings, not the variance of
    their mean: that one also holds each repetition's own image noise, which s^2 holds already. Its degrees of freedom
    are 2 / (k + 2 / (C - 1)). There k is the excess kurtosis of the replicates, which is 1 / C of that of the clusters'
    influences, so far as it exceeds its own standard error sqrt(24 / R): a few clusters that carry all errors are worth
    a few degrees of freedom, not C - 1. Points that happen to agree show less than their own image noise; then that
    noise takes the place of s^2 / S.

    Args:
        replicates: (S, R) of one metric or difference, all defined.
        clusters: number C of clusters.
        of_seeds: s^2 / S of the points; 0 for one repetition.
        df_of_seeds: degrees of freedom of s^2.
    """
    count, draws = replicates.shape
    inflation = clusters / (clusters - 1)
    mean = np.mean(replicates, axis=0)
    of_mean = float(np.var(mean, ddof=1)) * inflation
    # Few replicates that jump (a macro average that lost a class) look like less than one degree of freedom.
    df = max(2 / (max(_excess_kurtosis(mean) - (24 / draws) ** 0.5, 0.0) + 2 / (clusters - 1)), 1.0)
    if count == 1:
        return Spread(of_mean, df, 0.0, 0.0)
    of_one = float(np.mean(np.var(replicates, axis=1, ddof=1))) * inflation
    shared = max((count * of_mean - of_one) / (count - 1), 0.0)
    return Spread(shared, df, max(of_seeds, of_mean - shared), df_of_seeds)


def _excess_kurtosis(values: NDArray[np.float64]) -> float:
    deviation = values - np.mean(values)
    second = float(np.mean(deviation**2))
    # Values of order 1 that differ by rounding alone have no shape.
    return float(np.mean(deviation**4)) / second**2 - 3 if second > 1e-24 else 0.0


def _at_limit(value: float, limits: tuple[float, float]) -> bool:
    return min(value - limits[0], limits[1] - value) < 1e-9 * (limits[1] - limits[0])


def _wilson(
    value: float, se: float, quantile: float, limits: tuple[float, float], clusters: int
) -> tuple[float, float]:
    """Wilson's interval of a mean on a range, at the number of images at which a proportion has this variance.

    At a limit of the range nothing varies, and the number of clusters takes its place.
    """
    width = limits[1] - limits[0]
    share = min(max((value - limits[0]) / width, 0.0), 1.0)
    product = share * (1 - share)
    per_image = 1 / clusters if _at_limit(value, limits) else (se / width) ** 2 / product
    pull = quantile**2 * per_image
    middle = (share + pull / 2) / (1 + pull)
    half = (pull * product + pull**2 / 4) ** 0.5 / (1 + pull)
    return limits[0] + width * max(middle - half, 0.0), limits[0] + width * min(middle + half, 1.0)


def stack(
    points: Sequence[float | None], replicates: Sequence[NDArray[np.float64]], clusters: int | None = None
) -> Measured:
    """Gather the repetitions of one metric; an undefined point (`None`) becomes NaN."""
    values = np.array([np.nan if point is None else point for point in points], dtype=np.float64)
    return Measured(values, np.stack([np.asarray(row, dtype=np.float64) for row in replicates]), clusters)
