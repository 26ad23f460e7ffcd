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
    def spread(self) -> tuple[Floats, Floats]:
        """(B,) variance and degrees of freedom of the default."""
        of_clusters, shared, of_seeds = self.variances
        deviation = self.mean - self.mean.mean(axis=-1, keepdims=True)
        second = (deviation**2).mean(axis=-1)
        kurtosis = np.where(second > 0, (deviation**4).mean(axis=-1) / np.where(second > 0, second, 1) ** 2 - 3, 0)
        excess = np.maximum(kurtosis - np.sqrt(24 / self.replicates.shape[-1]), 0)
        df_of_clusters = 2 / (excess + 2 / (CLUSTERS - 1))
        return of_clusters + of_seeds, _satterthwaite(shared, of_seeds, df_of_clusters, self.repetitions)


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
    _, _, of_seeds = sample.variances
    half = stdtrit(max(sample.repetitions - 1, 1), sample.tail) * np.sqrt(of_seeds)
    return (
        sample.value - np.hypot(np.maximum(sample.value - low, 0), half),
        sample.value + np.hypot(np.maximum(high - sample.value, 0), half),
    )


def normal(sample: Sample) -> Bounds:
    """Vc + s^2 / S with a normal quantile."""
    of_clusters, _, of_seeds = sample.variances
    return _symmetric(sample, of_clusters + of_seeds, np.full(len(sample.points), ndtri(sample.tail)))


def satterthwaite(sample: Sample) -> Bounds:
    """Vc + s^2 / S with its Satterthwaite degrees of freedom, C - 1 and S - 1."""
    of_clusters, _, of_seeds = sample.variances
    df = _satterthwaite(of_clusters, of_seeds, np.full_like(of_clusters, CLUSTERS - 1), sample.repetitions)
    return _symmetric(sample, of_clusters + of_seeds, stdtrit(df, sample.tail))


def counted_once(sample: Sample) -> Bounds:
    """The same without the double count of image noise: the covariance of repetitions in the place of Vc."""
    _, shared, of_seeds = sample.variances
    df = _satterthwaite(shared, of_seeds, np.full_like(shared, CLUSTERS - 1), sample.repetitions)
    return _symmetric(sample, shared + of_seeds, stdtrit(df, sample.tail))


def counted_twice(sample: Sample) -> Bounds:
    """The variance of `satterthwaite` with the degrees of freedom of `counted_once`."""
    of_clusters, shared, of_seeds = sample.variances
    df = _satterthwaite(shared, of_seeds, np.full_like(shared, CLUSTERS - 1), sample.repetitions)
    return _symmetric(sample, of_clusters + of_seeds, stdtrit(df, sample.tail))


def default_symmetric(sample: Sample) -> Bounds:
    """The default without Wilson's form: value +- t * se, cut at the limits."""
    variance, df = sample.spread
    return _symmetric(sample, variance, stdtrit(df, sample.tail))


def default_logit(sample: Sample) -> Bounds:
    """The default with a logit transformation (delta method) in the place of Wilson's form."""
    variance, df = sample.spread
    if not sample.bounded:
        return _symmetric(sample, variance, stdtrit(df, sample.tail))
    inside = np.clip(sample.value, 1e-6, 1 - 1e-6)
    half = np.minimum(stdtrit(df, sample.tail) * np.sqrt(variance) / (inside * (1 - inside)), 500)
    return expit(logit(inside) - half), expit(logit(inside) + half)


def default(sample: Sample) -> Bounds:
    """What `benchmark.statistics.interval` gives."""
    variance, df = sample.spread
    quantile = stdtrit(df, sample.tail)
    if not sample.bounded:
        return _symmetric(sample, variance, quantile)
    product = sample.value * (1 - sample.value)
    inside = np.minimum(sample.value, 1 - sample.value) >= 1e-9
    pull = quantile**2 * np.where(inside, variance / np.where(inside, product, 1), 1 / CLUSTERS)
    middle = (sample.value + pull / 2) / (1 + pull)
    half = np.sqrt(pull * product + pull**2 / 4) / (1 + pull)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


CANDIDATES: dict[str, Callable[[Sample], Bounds]] = {
    "percentiles over clusters": clusters_alone,
    "bootstrap of clusters and seeds": clusters_and_seeds,
    "MOVER": mover,
    "sum, normal quantile": normal,
    "sum, Satterthwaite": satterthwaite,
    "noise counted once, Satterthwaite": counted_once,
    "sum, Satterthwaite of noise counted once": counted_twice,
    "that with kurtosis, symmetric": default_symmetric,
    "that with kurtosis, logit": default_logit,
    "that with kurtosis, Wilson (default)": default,
}


def _satterthwaite(of_clusters: Floats, of_seeds: Floats, df_of_clusters: Floats, repetitions: int) -> Floats:
    if repetitions == 1:
        return df_of_clusters
    weight = of_clusters**2 / df_of_clusters + of_seeds**2 / (repetitions - 1)
    known = weight > 0
    return np.where(known, (of_clusters + of_seeds) ** 2 / np.where(known, weight, 1), df_of_clusters)


def _symmetric(sample: Sample, variance: Floats, quantile: Floats) -> Bounds:
    low, high = sample.value - quantile * np.sqrt(variance), sample.value + quantile * np.sqrt(variance)
    return (np.maximum(low, 0), np.minimum(high, 1)) if sample.bounded else (low, high)
