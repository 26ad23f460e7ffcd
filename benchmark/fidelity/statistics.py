"""Features -> statistics: the mean and covariance of a set, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureStatistics:
    """A set of features, summed up.

    Attributes:
        n: number of images, at least 2.
        mean: float64, shape (d,).
        centred: float64, shape (n, d): the features less their mean, over sqrt(n - 1), so that the unbiased
            covariance is `centred.T @ centred` and its trace the sum of squares of `centred`.
    """

    n: int
    mean: NDArray[np.float64]
    centred: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The unbiased covariance, shape (d, d), exactly symmetric."""
        product = self.centred.T @ self.centred
        return (product + product.T) / 2

    @property
    def total_variance(self) -> float:
        """The trace of the covariance."""
        return float(np.square(self.centred).sum())


def feature_statistics(features: NDArray[np.floating]) -> FeatureStatistics:
    """Mean and centred features of a set of shape (n, d), n >= 2; ValueError otherwise."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must have the shape (n >= 2, d), not {features.shape}")
    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    return FeatureStatistics(len(wide), mean, (wide - mean) / np.sqrt(len(wide) - 1))
