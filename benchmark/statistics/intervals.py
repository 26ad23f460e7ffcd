"""Intervals over clusters and repetitions, and paired gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmark.statistics.spread import spread_of

DEFINED_SHARE = 0.9
"""An interval is given only where at least this share of the replicates is defined."""


@dataclass(frozen=True)
class Measured:
    """One metric of one method, measured in S repetitions on the same images.

    Attributes:
        points: (S,) the metric of each repetition on all images.
        replicates: (S, R) the metric of each repetition on each of R resamplings of the clusters. Column r of every
            method must come from the same resampling (`cluster_counts` with one seed), or nothing is paired.
        clusters: number C of clusters that carry the metric, where it is known: of a share, those with an image that
            counts in the denominator. A bootstrap variance is (C - 1) / C of what it estimates.
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
    Survey Methodology 24, 1998): it never leaves the limits and is lopsided near them. Exactly at a limit nothing
    varies, and the number of clusters that carry the metric takes the place of that of images. One repetition gives an
    interval over clusters alone, about that one trained classifier. `docs/statistics.md` has the simulation behind it.

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
    reach = spread_of(replicates, clusters, (seed_sd or 0.0) ** 2 / count, count - 1).reach(level)
    if limits is None:
        low, high = value - reach.half, value + reach.half
    elif _at_limit(value, limits):
        quantile = float(stdtrit(clusters - 1, (1 + level) / 2))
        low, high = _wilson(value, quantile**2 / clusters, limits)
    else:
        width = limits[1] - limits[0]
        share = (value - limits[0]) / width
        low, high = _wilson(value, (reach.half / width) ** 2 / (share * (1 - share)), limits)
    return Interval(value, low, high, count, seed_sd, covers, None, reach.se, reach.df, level)


def _why_unbounded(
    measured: Measured, replicates: NDArray[np.float64], limits: tuple[float, float] | None
) -> str | None:
    if measured.clusters is not None and measured.clusters < 2:
        return "a single cluster: nothing tells how clusters differ"
    if measured.replicates.shape[1] < 2:
        return "fewer than two bootstrap replicates: nothing tells how the value varies"
    if replicates.shape[1] < max(2, DEFINED_SHARE * measured.replicates.shape[1]):
        return "undefined in too many bootstrap replicates"
    if limits is not None and measured.clusters is None and _at_limit(float(np.mean(measured.points)), limits):
        return "at the limit of its range nothing varies, and the number of clusters is not known"
    return None


def _at_limit(value: float, limits: tuple[float, float]) -> bool:
    return min(value - limits[0], limits[1] - value) < 1e-9 * (limits[1] - limits[0])


def _wilson(value: float, pull: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Wilson's interval of a mean on a range. `pull` is the squared quantile over the number of images."""
    width = limits[1] - limits[0]
    share = min(max((value - limits[0]) / width, 0.0), 1.0)
    middle = (share + pull / 2) / (1 + pull)
    half = (pull * share * (1 - share) + pull**2 / 4) ** 0.5 / (1 + pull)
    return limits[0] + width * max(middle - half, 0.0), limits[0] + width * min(middle + half, 1.0)


def stack(
    points: Sequence[float | None], replicates: Sequence[NDArray[np.float64]], clusters: int | None = None
) -> Measured:
    """Gather the repetitions of one metric; an undefined point (`None`) becomes NaN."""
    values = np.array([np.nan if point is None else point for point in points], dtype=np.float64)
    return Measured(values, np.stack([np.asarray(row, dtype=np.float64) for row in replicates]), clusters)
