"""Statistics -> distance: the Frechet distance (FID) and the kernel distance (KID)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.fidelity.statistics import FeatureStatistics, feature_statistics

TORCH_FIDELITY_SEED = 2020
"""torch-fidelity's default `rng_seed`, so that default calls of both draw the same subsets."""


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Frechet distance between the Gaussians fitted to two sets of features, shapes (n1, d) and (n2, d).

    |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2) with unbiased covariances (Heusel et al. 2017, eq. 6;
    Dowson and Landau 1982). At least 0; the unit is that of the features, squared.
    """
    first, second = feature_statistics(a), feature_statistics(b)
    small = min(first.n, second.n) < first.mean.size
    cross = cross_trace_from_samples(first, second) if small else cross_trace_from_covariances(first, second)
    shift = float(np.square(first.mean - second.mean).sum())
    return max(shift + first.total_variance + second.total_variance - 2 * cross, 0.0)


def cross_trace_from_samples(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """tr (S1 S2)^(1/2) as the nuclear norm of A B^T, A and B the scaled centred features: exact for any n.

    The eigenvalues of S1 S2 = A^T A B^T B that are not zero are the squared singular values of A B^T. Cheap
    where a set has fewer images than features, and never complex.
    """
    return float(np.linalg.svd(first.centred @ second.centred.T, compute_uv=False).sum())


def cross_trace_from_covariances(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """tr (S1 S2)^(1/2) as the nuclear norm of S1^(1/2) S2^(1/2), by symmetric eigenvalues: a cost of d^3 only."""
    return float(np.linalg.svd(_root(first.covariance) @ _root(second.covariance), compute_uv=False).sum())


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    # Rounding makes zero eigenvalues slightly negative.
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


@dataclass(frozen=True)
class KernelDistance:
    """KID over subsets: mean and standard deviation of the estimates, and how they were drawn."""

    value: float
    std: float
    subsets: int
    subset_size: int


def kernel_distance(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = TORCH_FIDELITY_SEED,
) -> KernelDistance:
    """Kernel distance between two sets of features, shapes (n1, d) and (n2, d), n >= 2 each.

    The unbiased squared MMD with the kernel (x.y / d + 1)^3, averaged over random subsets (Binkowski et al.
    2018, section 4). Subsets are drawn as torch-fidelity draws them: one RandomState, both sets in turn,
    without replacement, kernels in the features' own precision. `subset_size` is lowered to the smaller set.
    May fall slightly below 0: the estimate is unbiased.
    """
    size = min(subset_size, len(a), len(b))
    if size < 2 or subsets < 1:
        raise ValueError(f"the kernel distance needs subsets of at least 2 images, not {size}, and one subset")
    random = np.random.RandomState(seed)
    estimates = np.empty(subsets)
    for i in range(subsets):
        chosen_a = a[random.choice(len(a), size, replace=False)]
        chosen_b = b[random.choice(len(b), size, replace=False)]
        estimates[i] = squared_mmd(chosen_a, chosen_b)
    return KernelDistance(float(estimates.mean()), float(estimates.std()), subsets, size)


def squared_mmd(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Unbiased squared MMD of two sets of one size with the kernel (x.y / d + 1)^3.

    Summed in torch-fidelity's order, so that single precision rounds alike whatever the scale of the features.
    """
    n = len(a)
    within = _off_diagonal_sum(_cubic_kernel(a, a)) + _off_diagonal_sum(_cubic_kernel(b, b))
    between = _cubic_kernel(a, b).sum(axis=0).sum()
    return float(within / (n * (n - 1)) - 2 * between / (n * n))


def _off_diagonal_sum(kernel: NDArray[np.float32]) -> np.float32:
    return np.float32((kernel.sum(axis=1) - np.diagonal(kernel)).sum())


def _cubic_kernel(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    return (a @ b.T * (1.0 / a.shape[1]) + 1) ** 3
