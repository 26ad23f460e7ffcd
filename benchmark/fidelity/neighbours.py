"""Nearest neighbours: which synthetic images copy training images, held-out real images being the yardstick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.fidelity.registration import best_correlation

FALSE_ALARMS = 0.001
"""Expected share of unseen real images that would be called copies."""
LOWEST_LIMIT = 0.9
"""No image is a copy below this correlation, however unlike the held-out images are."""
YARDSTICK = 500
"""Held-out images that the limit is taken from, at most."""

_HIGHEST = 0.9999
"""Correlations are cut here before Fisher's z, which is infinite at 1."""


@dataclass(frozen=True)
class Views:
    """A set as both kinds of comparison see it: grey images uint8 (n, h, w), features float32 (n, d)."""

    images: NDArray[np.uint8]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class NearCopies:
    """For every synthetic image the training image that it is most like, and whether it is a copy of it.

    Attributes:
        correlation: float64 (n,), the largest correlation under registration with any training image, 0 to 1.
        match: int64 (n,), the position of that training image.
        is_copy: bool (n,), correlation above `limit`, or pixel-identical, also mirrored.
        is_exact: bool (n,), pixel-identical to a training image, also mirrored.
        limit: of the correlation, see `copy_limit`.
        heldout_correlation: float64 (m,), the same correlation for held-out images: what unseen real images reach.
    """

    correlation: NDArray[np.float64]
    match: NDArray[np.int64]
    is_copy: NDArray[np.bool_]
    is_exact: NDArray[np.bool_]
    limit: float
    heldout_correlation: NDArray[np.float64]


def near_copies(synthetic: NDArray[np.uint8], train: NDArray[np.uint8], heldout: NDArray[np.uint8]) -> NearCopies:
    """Compare synthetic with training images by pixels; grey images uint8 (n, h, w), of one size.

    At most `YARDSTICK` held-out images, evenly spaced, set the limit. Raises ValueError with fewer than two.
    """
    correlation, match = best_correlation(synthetic, train)
    spaced = np.linspace(0, len(heldout) - 1, min(len(heldout), YARDSTICK)).round().astype(np.int64)
    of_heldout, _ = best_correlation(heldout[spaced], train)
    limit = copy_limit(of_heldout)
    exact = exact_copies(synthetic, train)
    return NearCopies(correlation, match, (correlation > limit) | exact, exact, limit, of_heldout)


def copy_limit(heldout_correlation: NDArray[np.float64]) -> float:
    """The correlation with a training image that an unseen real image exceeds with a probability of 0.1 %.

    The upper prediction limit for one further image, mean + t(0.999; n - 1) s sqrt(1 + 1/n), of Fisher's z of the
    held-out images' correlations, taken as normal (Hahn and Meeker 1991, section 4.8); at least 0.9. It widens by
    itself where the held-out images are few, or like the training images. Raises ValueError with fewer than two.
    """
    n = len(heldout_correlation)
    if n < 2:
        raise ValueError(f"the limit of copies needs two held-out images; there are {n}")
    z = np.arctanh(np.clip(heldout_correlation, -_HIGHEST, _HIGHEST))
    reach = stats.t.ppf(1 - FALSE_ALARMS, n - 1) * z.std(ddof=1) * np.sqrt(1 + 1 / n)
    return max(LOWEST_LIMIT, float(np.tanh(z.mean() + reach)))


def exact_copies(queries: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each query (n, h, w) is pixel for pixel one of the reference images, as it is or mirrored either way."""
    upright = (reference, reference[:, :, ::-1])
    known = {image.tobytes() for turned in (*upright, *(view[:, ::-1] for view in upright)) for image in turned}
    return np.array([image.tobytes() in known for image in queries], dtype=bool)


def nearest(
    queries: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Euclidean distance of every query (n, d) to the nearest row of `reference` (m, d), and its position."""
    a, b = queries.astype(np.float64), reference.astype(np.float64)
    where = _squares(a, b).argmin(axis=1)
    # The expanded square cancels where the distance is small, so the distance itself is taken afresh.
    return np.linalg.norm(a - b[where], axis=1), where.astype(np.int64)


def nearest_other(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean distance of every row (n, d), n >= 2, to the nearest other row; 0 for one that stands twice."""
    rows = points.astype(np.float64)
    squares = _squares(rows, rows)
    np.fill_diagonal(squares, np.inf)
    return np.asarray(np.linalg.norm(rows - rows[squares.argmin(axis=1)], axis=1))


def authentic(queries: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each query (n, d) is authentic with regard to the training features `reference` (m, d), m >= 2.

    It is not where it lies as near to its nearest training image as that one's nearest other training image does
    (Alaa et al. 2022, "How Faithful is your Synthetic Data?", section 4.3).
    """
    distance, where = nearest(queries, reference)
    return distance > nearest_other(reference)[where]


def _squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
