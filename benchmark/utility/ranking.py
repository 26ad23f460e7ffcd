"""The area under the ROC curve on R resamplings of clusters, by pairs of clusters or by one sort of the images.

Mann and Whitney 1947: the area is the share of (positive, negative) pairs in which the positive has the higher score,
ties half. A cluster that is drawn c times brings its images c times, so with W[g, h] = won pairs of the positives of
cluster g against the negatives of cluster h the area of counts c is c' W c / (positives x negatives).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.utility.confusions import Array, ratio

_PAIRS = 4_000_000
_MOST_CLUSTERS = 2000


def pairs_are_faster(n_images: int, n_clusters: int, replicates: int) -> bool:
    """Whether the matrix of cluster pairs beats a sort of the images; it never takes more than 32 MB.

    Measured on one core: 0.1 ns for each replicate and pair of clusters, 10 ns for each pair of images (once), and
    25 ns for each replicate and image of the sort.
    """
    by_pairs = replicates * n_clusters**2 + 100 * n_images**2
    return n_clusters <= _MOST_CLUSTERS and by_pairs <= 250 * replicates * n_images


def pair_matrix(scores: Array, positive: NDArray[np.bool_], codes: NDArray[np.int64], n_clusters: int) -> Array:
    """(C, C) won pairs, ties half, of the positives of the row's cluster against the negatives of the column's."""
    winners, losers = np.flatnonzero(positive), np.flatnonzero(~positive)
    won = np.zeros(n_clusters**2)
    step = max(1, _PAIRS // max(1, len(losers)))
    for start in range(0, len(winners), step):
        some = winners[start : start + step]
        above, below = scores[some, None], scores[None, losers]
        wins = (above > below) + (above == below) / 2
        places = codes[some, None] * n_clusters + codes[None, losers]
        won += np.bincount(places.ravel(), weights=wins.ravel(), minlength=n_clusters**2)
    return won.reshape(n_clusters, n_clusters)


def paired_auroc(pairs: Array, positives: Array, negatives: Array, counts: Array) -> Array:
    """(R,) areas of (R, C) counts from the (C, C) pair matrix and the (R,) numbers of positives and negatives."""
    won = np.einsum("rc,rc->r", counts @ pairs, counts)
    return ratio(won, positives * negatives, np.nan)


def weighted_auroc(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """(R,) areas of (R, n) weights of the images, by one sort: P(score+ > score-) + P(equal) / 2."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    sorted_weights = weights[:, order]
    up = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    down = np.add.reduceat(sorted_weights * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    won = (up * (below + down / 2)).sum(axis=1)
    return ratio(won, up.sum(axis=1) * down.sum(axis=1), np.nan)
