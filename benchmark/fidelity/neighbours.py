"""Nearest neighbours: is the synthetic set nearer to its training images than unseen real images are?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32
SHIFTS = 2
"""Images are compared at 32 x 32 pixels, displaced by up to 2 of them, as they are and mirrored."""

CORRELATION_LIMIT = 0.97
CORRELATION_SUSPECT = 0.93
DISTANCE_RATIO_LIMIT = 0.35


@dataclass(frozen=True)
class NearCopies:
    """For every synthetic image its nearest training image, and whether it is a near-copy of one.

    Attributes:
        correlation: float64 (n,), the largest normalised cross-correlation with any training image, -1 to 1.
        correlation_match: int64 (n,), the position of that training image.
        distance_ratio: float64 (n,), distance in feature space to the nearest training image over the median
            of the same distance for held-out real images: 1 is as near as an unseen real image.
        distance_match: int64 (n,), the position of the nearest training image in feature space.
        is_copy: bool (n,), correlation above 0.97, or above 0.93 with a distance ratio below 0.35.
        heldout_correlation: float64 (m,), the same for the held-out images: what unseen real images reach.
    """

    correlation: NDArray[np.float64]
    correlation_match: NDArray[np.int64]
    distance_ratio: NDArray[np.float64]
    distance_match: NDArray[np.int64]
    is_copy: NDArray[np.bool_]
    heldout_correlation: NDArray[np.float64]


@dataclass(frozen=True)
class Views:
    """A set as both kinds of comparison see it: grey images uint8 (n, h, w), features float32 (n, d)."""

    images: NDArray[np.uint8]
    features: NDArray[np.float32]


def nearest(
    queries: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Euclidean distance of every query (n, d) to the nearest row of `reference` (m, d), and its position."""
    a, b = queries.astype(np.float64), reference.astype(np.float64)
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
    where = squares.argmin(axis=1)
    # The expanded square cancels where the distance is small, so the distance itself is taken afresh.
    return np.linalg.norm(a - b[where], axis=1), where.astype(np.int64)


def near_copies(synthetic: Views, train: Views, heldout: Views) -> NearCopies:
    """Compare synthetic with training images by pixels and by features, held-out images being the yardstick.

    All images must have one size, and all features come from one extractor.
    """
    correlation, match = best_correlation(synthetic.images, train.images)
    heldout_correlation, _ = best_correlation(heldout.images, train.images)
    distance, position = nearest(synthetic.features, train.features)
    usual = float(np.median(nearest(heldout.features, train.features)[0]))
    ratio = distance / max(usual, np.finfo(np.float64).tiny)
    suspect = (correlation > CORRELATION_SUSPECT) & (ratio < DISTANCE_RATIO_LIMIT)
    is_copy = (correlation > CORRELATION_LIMIT) | suspect
    return NearCopies(correlation, match, ratio, position, is_copy, heldout_correlation)


def best_correlation(
    queries: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest normalised cross-correlation of every query with any reference image, and its position.

    Over displacements of up to 2 pixels at 32 x 32 and mirroring left to right. A featureless image has 0.
    """
    fixed = _unit_vectors(_shrink(reference)[:, SHIFTS:-SHIFTS, SHIFTS:-SHIFTS])
    small = _shrink(queries)
    best = np.full((len(small), len(fixed)), -1.0)
    inner = SIDE - 2 * SHIFTS
    for turned in (small, small[:, :, ::-1]):
        for dy in range(2 * SHIFTS + 1):
            for dx in range(2 * SHIFTS + 1):
                moved = _unit_vectors(turned[:, dy : dy + inner, dx : dx + inner])
                np.maximum(best, moved @ fixed.T, out=best)
    where = best.argmax(axis=1)
    return best[np.arange(len(best)), where], where.astype(np.int64)


def _shrink(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Area means of the image on a grid of 32 x 32; images smaller than that are repeated first."""
    height, width = images.shape[1:]
    wide = np.repeat(np.repeat(images, -(-SIDE // height), axis=1), -(-SIDE // width), axis=2).astype(np.float64)
    rows = np.linspace(0, wide.shape[1], SIDE + 1).astype(int)[:-1]
    columns = np.linspace(0, wide.shape[2], SIDE + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(wide, rows, axis=1), columns, axis=2)
    ones = np.ones(wide.shape[1:])
    return sums / np.add.reduceat(np.add.reduceat(ones, rows, axis=0), columns, axis=1)


def _unit_vectors(images: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-9)
