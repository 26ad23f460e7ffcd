"""Precision, recall, density and coverage: does a set lie in the other's manifold, and does it fill it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist


@dataclass(frozen=True)
class Manifold:
    """Shares from 0 to 1, but for `density`, which may exceed 1 where synthetic images crowd in dense real regions."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(real: NDArray[np.floating], synthetic: NDArray[np.floating], k: int = 5) -> Manifold:
    """Compare two sets of features, (n, d) and (m, d), by balls that reach each image's k-th nearest neighbour.

    Precision and recall: Kynkaanniemi et al. 2019 (arXiv 1904.06991, eq. 1 and 2); density and coverage: Naeem et al.
    2020 (arXiv 2002.09797, eq. 3 and 4). An image is not its own neighbour.

    Raises:
        ValueError: a set does not have more than k images.
    """
    if min(len(real), len(synthetic)) <= k or k < 1:
        raise ValueError(f"k = {k} neighbours need more than {k} images, not {len(real)} and {len(synthetic)}")
    real_radius, synthetic_radius = _radius(real, k), _radius(synthetic, k)
    between = cdist(real, synthetic)
    in_real = between <= real_radius[:, None]
    return Manifold(
        precision=float(in_real.any(axis=0).mean()),
        recall=float((between <= synthetic_radius).any(axis=1).mean()),
        density=float(in_real.sum(axis=0).mean() / k),
        coverage=float(in_real.any(axis=1).mean()),
    )


def _radius(features: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """(n,) distance of each image to its k-th nearest other image."""
    distance = cdist(features, features)
    np.fill_diagonal(distance, np.inf)
    return np.partition(distance, k - 1, axis=1)[:, k - 1]
