"""Ways to make an interval from points and replicates, for many trials at once.

`default` repeats `benchmark.statistics.interval`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from tests.simulation.world import CLUSTERS

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
C1 = float(CLUSTERS - 1)


@dataclass(frozen=True)
class Sample:
    """One metric in B trials of S repetitions.

    Attributes:
        points: (B, S).
        replicates: (B, S, R).
        bounded: whether the metric lies between 0 and 1 (a difference does not).
        level: nominal coverage.
    """

    points: Floats
    replicates: Floats
    bounded: bool
    level: float = 0.95

    @property
    def value(self) -> Floats:
        """(B,) mean over repetitions."""
        return self.points.mean(axis=1)

    @property
    def repetitions(self) -> int:
        """Their number S."""
        return self.points.shape[1]

    @cached_property
    def mean(self) -> Floats:
        """(B, R) replicates of the mean over repetitions."""
        return self.replicates.mean(axis=1)

    @property
    def tail(self) -> float:
        """Probability below the upper quantile."""
        return (1 + self.level) / 2

    @cached_property
    def percentiles(self) -> Bounds:
        """(B,) twice: the percentiles of the mean over clusters."""
        low, high = np.quantile(self.mean, [1 - self.tail, self.tail], axis=-1)
        return low, high

    @cached_property
    def variances(self) -> tuple[Floats, Floats, Floats]:
        """(B,) variance over clusters of the mean, its part that repetitions share, and s^2 / S."""
        inflation, count = CLUSTERS / (CLUSTERS - 1), self.repetitions
        of_clusters = self.mean.var(axis=-1, ddof=1) * inflation
        if count == 1:
            return of_clusters, of_clusters, np.zeros_like(of_clusters)
        of_one = self.replicates.var(axis=-1, ddof=1).mean(axis=1) * inflation
        shared = np.maximum((count * of_clusters - of_one) / (count - 1), 0)
        return of_clusters, shared, self.points.var(axis=1, ddof=1) / count

    @cached_property
    def df_of_clusters(self) -> Floats:
        """(B,) degrees of freedom of the variance over clusters, from the kurtosis of the replicates."""
        deviation = self.mean - self.mean.mean(axis=-1, keepdims=True)
        second = (deviation**2).mean(axis=-1)
        kurtosis = np.where(second > 0, (deviation**4).mean(axis=-1) / np.where(second > 0, second, 1) ** 2 - 3, 0)
        excess = np.maximum(kurtosis - np.sqrt(24 / self.replicates.shape[-1]), 0)
        return np.maximum(2 / (excess + 2 / (CLUSTERS - 1)), 1.0)


def clusters_alone(sample: Sample) -> Bounds:
    """Percentiles over clusters; the repetitions count as the whole population of repetitions."""
    return sample.percentiles


def clusters_and_seeds(sample: Sample) -> Bounds:
    """The plain bootstrap: percentiles where clusters and repetitions are both drawn with replacement."""
    trials, count, draws = sample.replicates.shape
    drawn = np.random.default_rng(0).integers(0, count, (count, trials, draws))
    rows = np.arange(trials)[:, None], np.arange(draws)[None]
    mean = sum(sample.replicates[rows[0], one, rows[1]] for one in drawn) / count
    low, high = np.quantile(mean, [1 - sample.tail, sample.tail], axis=-1)
    return low, high


def mover(sample: Sample) -> Bounds:
    """Percentiles over clusters and Student's t over repetitions, distances added in squares (Zou and Donner 2008)."""
    low, high = sample.percentiles
    half = stdtrit(max(sample.repetitions - 1, 1), sample.tail) * np.sqrt(sample.variances[2])
    return (
        sample.value - np.hypot(np.maximum(sample.value - low, 0), half),
        sample.value + np.hypot(np.maximum(high - sample.value, 0), half),
    )


def twice_normal(sample: Sample) -> Bounds:
    """Vc + s^2 / S with a normal quantile."""
    of_clusters, _, of_seeds = sample.variances
    return _symmetric(sample, ndtri(sample.tail) * np.sqrt(of_clusters + of_seeds))


def twice(sample: Sample) -> Bounds:
    """Vc + s^2 / S with its Satterthwaite degrees of freedom, C - 1 and S - 1."""
    of_clusters, _, of_seeds = sample.variances
    return _symmetric(sample, half_satterthwaite(of_clusters, C1, of_seeds, sample.repetitions - 1, sample.tail))


def once(sample: Sample) -> Bounds:
    """The same with the covariance of repetitions in the place of Vc, which does not count image noise twice."""
    _, shared, of_seeds = sample.variances
    return _symmetric(sample, half_satterthwaite(shared, C1, of_seeds, sample.repetitions - 1, sample.tail))


def once_mover(sample: Sample) -> Bounds:
    """The same variances, each with its own t, added in squares."""
    _, shared, of_seeds = sample.variances
    return _symmetric(sample, half_mover(shared, C1, of_seeds, sample.repetitions - 1, sample.tail))


def midway(sample: Sample) -> Bounds:
    """Midway between `once` and `once_mover`."""
    _, shared, of_seeds = sample.variances
    return _symmetric(sample, half_midway(shared, C1, of_seeds, sample.repetitions - 1, sample.tail))


def midway_kurtosis(sample: Sample) -> Bounds:
    """The same with the degrees of freedom of the clusters from the kurtosis of the replicates."""
    return _symmetric(sample, default_half(sample))


def default_logit(sample: Sample) -> Bounds:
    """The default with a logit transformation (delta method) in the place of Wilson's form."""
    half = default_half(sample)
    if not sample.bounded:
        return _symmetric(sample, half)
    inside = np.clip(sample.value, 1e-6, 1 - 1e-6)
    reach = np.minimum(half / (inside * (1 - inside)), 500)
    return expit(logit(inside) - reach), expit(logit(inside) + reach)


def default(sample: Sample) -> Bounds:
    """What `benchmark.statistics.interval` gives."""
    half = default_half(sample)
    if not sample.bounded:
        return _symmetric(sample, half)
    product = sample.value * (1 - sample.value)
    inside = np.minimum(sample.value, 1 - sample.value) >= 1e-9
    at_limit = stdtrit(C1, sample.tail) ** 2 / CLUSTERS
    pull = np.where(inside, half**2 / np.where(inside, product, 1), at_limit)
    middle = (sample.value + pull / 2) / (1 + pull)
    reach = np.sqrt(pull * product + pull**2 / 4) / (1 + pull)
    return np.maximum(middle - reach, 0), np.minimum(middle + reach, 1)


def default_half(sample: Sample) -> Floats:
    """(B,) half the width of the default without limits."""
    return default_reach(sample)[0]


def default_reach(sample: Sample) -> tuple[Floats, Floats]:
    """(B,) half the width of the default without limits, and its standard error."""
    return reach(sample, sample.variances[2], sample.repetitions - 1, sample.tail)


def reach(sample: Sample, of_seeds: Floats, df_of_seeds: int, tail: float) -> tuple[Floats, Floats]:
    """(B,) the same for another variance over repetitions: never less than for these very classifiers."""
    given, shared, _ = sample.variances
    half = half_midway(shared, sample.df_of_clusters, of_seeds, df_of_seeds, tail)
    least = stdtrit(sample.df_of_clusters, tail) * np.sqrt(given)
    return np.maximum(half, least), np.sqrt(np.where(half >= least, shared + of_seeds, given))


CANDIDATES: dict[str, Callable[[Sample], Bounds]] = {
    "A. percentiles over clusters": clusters_alone,
    "B. bootstrap of clusters and seeds": clusters_and_seeds,
    "C. percentiles and t, MOVER": mover,
    "D. Vc + s²/S, normal": twice_normal,
    "E. Vc + s²/S, Satterthwaite": twice,
    "F. noise counted once, Satterthwaite": once,
    "G. noise counted once, MOVER": once_mover,
    "H. midway between F and G": midway,
    "I. H with df from kurtosis": midway_kurtosis,
    "J. I with logit": default_logit,
    "K. I with Wilson (default)": default,
}


def half_midway(of_clusters: Floats, df: Floats | float, of_seeds: Floats, df_of_seeds: int, tail: float) -> Floats:
    """(B,) mean of the two distances below."""
    parts = (of_clusters, df, of_seeds, df_of_seeds, tail)
    return (half_satterthwaite(*parts) + half_mover(*parts)) / 2


def half_satterthwaite(
    of_clusters: Floats, df: Floats | float, of_seeds: Floats, df_of_seeds: int, tail: float
) -> Floats:
    """(B,) t at the degrees of freedom of the sum, times its standard error."""
    if df_of_seeds == 0:
        return stdtrit(df, tail) * np.sqrt(of_clusters)
    weight = of_clusters**2 / df + of_seeds**2 / df_of_seeds
    known = weight > 0
    of_sum = np.where(known, (of_clusters + of_seeds) ** 2 / np.where(known, weight, 1), 1)
    return stdtrit(of_sum, tail) * np.sqrt(of_clusters + of_seeds)


def half_mover(of_clusters: Floats, df: Floats | float, of_seeds: Floats, df_of_seeds: int, tail: float) -> Floats:
    """(B,) the distances of both parts, each with its own t, added in squares."""
    of_repetitions = stdtrit(df_of_seeds, tail) if df_of_seeds else 0.0
    return np.sqrt(stdtrit(df, tail) ** 2 * of_clusters + of_repetitions**2 * of_seeds)


def _symmetric(sample: Sample, half: Floats) -> Bounds:
    low, high = sample.value - half, sample.value + half
    return (np.maximum(low, 0), np.minimum(high, 1)) if sample.bounded else (low, high)
