"""FID and KID of resampled sets: a replicate is a weighting of the images, and no image is ever copied.

Weights are (R, n): how often each image enters each of R replicates. Weights of shape (1, n) hold for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.floating] | NDArray[np.integer]
_ROWS = 1024


def frechet_replicates(
    real: NDArray[np.floating], synthetic: NDArray[np.floating], real_weights: Weights, synthetic_weights: Weights
) -> NDArray[np.float64]:
    """Frechet distance of every replicate, shape (R,), from features (n1, d) and (n2, d).

    Each is the distance of the sets with every image repeated by its weight. The trace term is the nuclear norm of
    the cross-products of the centred images, each image once and scaled by the root of its weight: cut out of one
    Gram matrix, or from two QR decompositions where there are fewer features than images.
    Every replicate must hold at least two images of each set.
    """
    wide = [part.astype(np.float64) for part in (real, synthetic)]
    # A distance does not change with the origin; near the mean of all images the sums below lose no digits.
    origin = np.concatenate(wide).mean(axis=0)
    a, b = (part - origin for part in wide)
    w, v = real_weights.astype(np.float64), synthetic_weights.astype(np.float64)
    first_means, first_variances = _moments(a, w)
    second_means, second_variances = _moments(b, v)
    shift = np.square(first_means - second_means).sum(axis=1)
    few = min(len(a), len(b)) < a.shape[1]
    traces = _traces_from_gram(a @ b.T, w, v) if few else _traces_from_features(a, b, w, v)
    return np.maximum(shift + first_variances + second_variances - 2 * traces, 0.0)


def _moments(x: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (R, d) and total variance (R,), the trace of the unbiased covariance, of every replicate."""
    sizes = w.sum(axis=1)
    means = (w @ x) / sizes[:, None]
    squares = w @ np.square(x).sum(axis=1)
    return means, (squares - sizes * np.square(means).sum(axis=1)) / (sizes - 1)


def _traces_from_gram(gram: NDArray[np.float64], w: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    traces = np.empty(max(len(w), len(v)))
    for i in range(len(traces)):
        (rows, left), (columns, right) = _drawn(w, i), _drawn(v, i)
        part = gram[np.ix_(rows, columns)]
        row_means, column_means = part @ right / right.sum(), left @ part / left.sum()
        part = part - row_means[:, None] - column_means + left @ row_means / left.sum()
        scaled = part * np.sqrt(left / (left.sum() - 1))[:, None] * np.sqrt(right / (right.sum() - 1))
        traces[i] = np.linalg.svd(scaled, compute_uv=False).sum()
    return traces


def _traces_from_features(
    a: NDArray[np.float64], b: NDArray[np.float64], w: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    lefts, rights = _factors(a, w), _factors(b, v)
    products = (next(lefts) @ next(rights).T for _ in range(max(len(w), len(v))))
    return np.array([np.linalg.svd(product, compute_uv=False).sum() for product in products])


def _factors(x: NDArray[np.float64], weights: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The factor of each replicate; of weights that hold for all replicates the same one, without end."""
    if len(weights) == 1:
        return repeat(_factor(x, *_drawn(weights, 0)))
    return (_factor(x, *_drawn(weights, i)) for i in range(len(weights)))


def _drawn(weights: NDArray[np.float64], replicate: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions and weights of the images that one replicate holds."""
    row = weights[replicate if len(weights) > 1 else 0]
    where = np.flatnonzero(row)
    return where, row[where]


def _factor(x: NDArray[np.float64], where: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with R^T R the unbiased covariance of the weighted images."""
    chosen = x[where]
    centred = chosen - weights @ chosen / weights.sum()
    scaled = centred * np.sqrt(weights / (weights.sum() - 1))[:, None]
    return np.asarray(np.linalg.qr(scaled, mode="r"), dtype=np.float64)


def kernel_replicates(
    real: NDArray[np.floating], synthetic: NDArray[np.floating], real_weights: Weights, synthetic_weights: Weights
) -> NDArray[np.float64]:
    """Unbiased squared MMD of every replicate, kernel (x.y/d + 1)^3, from all its images, shape (R,).

    A pair of two copies of one image is left out as an image with itself is, or copies would raise the value.
    Every replicate must hold two different images of each set.
    """
    a, b = real.astype(np.float64), synthetic.astype(np.float64)
    w, v = real_weights.astype(np.float64), synthetic_weights.astype(np.float64)
    between = _weighted_sum(a, b, w, v) / (w.sum(axis=1) * v.sum(axis=1))
    return _within(a, w) + _within(b, v) - 2 * between


def _within(x: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    itself = (np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3
    total: NDArray[np.float64] = _weighted_sum(x, x, w, w) - np.square(w) @ itself
    return total / (np.square(w.sum(axis=1)) - np.square(w).sum(axis=1))


def _weighted_sum(
    a: NDArray[np.float64], b: NDArray[np.float64], w: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """sum_ij w_ri v_rj k(a_i, b_j) of every replicate r; a block of rows at a time, whatever the size of the sets."""
    total = np.zeros(max(len(w), len(v)))
    for start in range(0, len(a), _ROWS):
        block = slice(start, start + _ROWS)
        kernel = (a[block] @ b.T / a.shape[1] + 1) ** 3
        total += ((w[:, block] @ kernel) * v).sum(axis=1)
    return total
