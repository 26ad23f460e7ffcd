"""How far a mean over repetitions may lie from the truth: two variances, and how sure each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtridf, stdtrit


@dataclass(frozen=True)
class Reach:
    """Half the width of an interval without limits: `quantile` standard errors.

    Attributes:
        se: standard error.
        quantile: of Student's t.
        df: degrees of freedom at which t has this quantile.
    """

    se: float
    quantile: float
    df: float

    @property
    def half(self) -> float:
        """In the unit of the metric."""
        return self.quantile * self.se


@dataclass(frozen=True)
class Spread:
    """Two independent parts of the variance of a mean over repetitions, with their degrees of freedom.

    Attributes:
        of_clusters: variance that the repetitions share because they see the same clusters.
        df_of_clusters: degrees of freedom of its estimate.
        of_seeds: s^2 / S; it also holds the image noise that each repetition has for itself. 0 for one repetition.
        df_of_seeds: degrees of freedom of s^2.
        given: variance over clusters of the mean of these very classifiers, the own image noise included.
    """

    of_clusters: float
    df_of_clusters: float
    of_seeds: float
    df_of_seeds: float
    given: float

    def reach(self, level: float) -> Reach:
        """Half the width of the two-sided interval of this level.

        The quantile is midway between two classical answers, of which the first is a little short and the second a
        little long when one variance has two degrees of freedom. Satterthwaite (Biometrics Bulletin 2, 1946): t at the
        degrees of freedom of the sum. MOVER (Zou and Donner, Statistics in Medicine 27, 2008): each part's own t times
        its own standard error, added in squares. They agree where one part is all. Points that agree by chance show
        less than their own image noise, so the interval is never shorter than that of these very classifiers.
        """
        below = (1 + level) / 2
        of_clusters = float(stdtrit(self.df_of_clusters, below))
        given = Reach(self.given**0.5, of_clusters, self.df_of_clusters)
        variance = self.of_clusters + self.of_seeds
        if self.of_seeds == 0 or variance == 0:
            return given
        weight = self.of_clusters**2 / self.df_of_clusters + self.of_seeds**2 / self.df_of_seeds
        satterthwaite = float(stdtrit(variance**2 / weight, below))
        of_seeds = float(stdtrit(self.df_of_seeds, below))
        mover = ((of_clusters**2 * self.of_clusters + of_seeds**2 * self.of_seeds) / variance) ** 0.5
        quantile = (satterthwaite + mover) / 2
        both = Reach(variance**0.5, quantile, float(stdtridf(below, quantile)))
        return both if both.half >= given.half else given


def spread_of(replicates: NDArray[np.float64], clusters: int, of_seeds: float, df_of_seeds: float) -> Spread:
    """The variance of a mean over repetitions, from its replicates and the variance that its points show.

    The part of the clusters is the mean covariance of two repetitions over the shared resamplings, not the variance of
    their mean: that one also holds each repetition's own image noise, which s^2 holds already. Its degrees of freedom
    are 2 / (k + 2 / (C - 1)). There k is the excess kurtosis of the replicates, which is 1 / C of that of the clusters'
    influences, so far as it exceeds its own standard error sqrt(24 / R): a few clusters that carry all errors are worth
    a few degrees of freedom, not C - 1.

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
        return Spread(of_mean, df, 0.0, 0.0, of_mean)
    of_one = float(np.mean(np.var(replicates, axis=1, ddof=1))) * inflation
    shared = max((count * of_mean - of_one) / (count - 1), 0.0)
    return Spread(shared, df, of_seeds, df_of_seeds, of_mean)


def _excess_kurtosis(values: NDArray[np.float64]) -> float:
    deviation = values - np.mean(values)
    second = float(np.mean(deviation**2))
    # Values of order 1 that differ by rounding alone have no shape.
    return float(np.mean(deviation**4)) / second**2 - 3 if second > 1e-24 else 0.0
