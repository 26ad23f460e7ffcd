"""Memorisation: does a synthetic set repeat the images that its generator was given?

Every figure stands beside what unseen real images give in the same comparison, because images of one plane are alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.fidelity.neighbours import FALSE_ALARMS, NearCopies, Views, authentic, near_copies, nearest

CLOSEST = 8
"""Pairs that are kept for review by people."""

NEAR_COPIES = (
    "share of synthetic images that are copies of a training image, also turned, zoomed, moved, mirrored, negative or "
    "brighter: "
    f"correlation above what {100 * FALSE_ALARMS:g} % of unseen real images exceed"
)
EXACT_COPIES = "share of synthetic images that are pixel for pixel a training image, as it is or mirrored either way"
NN_RATIO = (
    "median feature distance of synthetic images to the nearest training image over that of held-out real images; "
    "1 is as near as unseen real images, well below 1 is copying, above 1 is unlike the training images"
)
AUTHENTICITY = (
    "share of synthetic images that lie farther from their nearest training image than its nearest other training "
    "image does (Alaa et al. 2022)"
)
HELDOUT_AUTHENTICITY = "the same share for held-out real images: the yardstick of authenticity"
CLOSEST_PAIRS = "largest correlation under registration of a synthetic with a training image; the closest pairs, by it"


@dataclass(frozen=True)
class ClosestPair:
    """One synthetic image and the training image that it is most like.

    Attributes:
        synthetic, train: positions in the two sets.
        correlation: under registration, -1 to 1.
        distance_ratio: their distance in feature space over the median distance of held-out images to their nearest
            training image; `None` where that median is 0.
    """

    synthetic: int
    train: int
    correlation: float
    distance_ratio: float | None


@dataclass(frozen=True)
class Memorisation:
    """What a synthetic set repeats of its training images.

    Attributes:
        copies: the comparison by pixels, image by image.
        distance: float64 (n,), feature distance of each synthetic image to the nearest training image.
        heldout_distance: float64 (m,), the same of the held-out images.
        authentic, heldout_authentic: bool (n,) and (m,), see `benchmark.fidelity.neighbours.authentic`.
        closest: the closest pairs, the most alike first, one per synthetic image.
    """

    copies: NearCopies
    distance: NDArray[np.float64]
    heldout_distance: NDArray[np.float64]
    authentic: NDArray[np.bool_]
    heldout_authentic: NDArray[np.bool_]
    closest: tuple[ClosestPair, ...]

    def to_metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics of a fidelity record, each with value, direction, definition and n.

        A value that is undefined is None, and `reason` says why.
        """
        copies, n = self.copies, len(self.distance)
        ratio = _over(self.distance, usual_distance(self.heldout_distance))
        near = {
            "flagged": [int(position) for position in np.flatnonzero(copies.is_copy)],
            "limit": copies.limit,
            "n_heldout": len(copies.heldout_correlation),
            "largest_correlation": _largest(copies.correlation),
            "largest_correlation_of_heldout": _largest(copies.heldout_correlation),
            "share_of_heldout_above_limit": _share(copies.heldout_correlation > copies.limit),
            "median_distance_ratio": ratio,
        }
        exact = {"flagged": [int(position) for position in np.flatnonzero(copies.is_exact)]}
        distances = {
            "quartiles": _quartiles(self.distance),
            "quartiles_of_heldout": _quartiles(self.heldout_distance),
            "n_heldout": len(self.heldout_distance),
        }
        pairs = {"pairs": [asdict(pair) for pair in self.closest]}
        return {
            "near_copies": _entry(_share(copies.is_copy), "lower", NEAR_COPIES, n) | near,
            "exact_copies": _entry(_share(copies.is_exact), "lower", EXACT_COPIES, n) | exact,
            "nn_ratio": _entry(ratio, "none", NN_RATIO, n) | distances,
            "authenticity": _entry(_share(self.authentic), "none", AUTHENTICITY, n),
            "heldout_authenticity": _entry(
                _share(self.heldout_authentic), "none", HELDOUT_AUTHENTICITY, len(self.heldout_authentic)
            ),
            "closest_pairs": _entry(_largest(copies.correlation), "none", CLOSEST_PAIRS, n) | pairs,
        }


def memorisation(synthetic: Views, train: Views, heldout: Views) -> Memorisation:
    """Compare synthetic with training images by pixels and by features, held-out images being the yardstick.

    Args:
        synthetic: the set that is judged; may be empty.
        train: the images that its generator was given.
        heldout: real images of the same source that it was not given.

    Raises:
        ValueError: fewer than two training or held-out images.
    """
    if len(train.images) < 2:
        raise ValueError(f"memorisation needs two training images; there are {len(train.images)}")
    copies = near_copies(synthetic.images, train.images, heldout.images)
    heldout_distance, _ = nearest(heldout.features, train.features)
    return Memorisation(
        copies=copies,
        distance=nearest(synthetic.features, train.features)[0],
        heldout_distance=heldout_distance,
        authentic=authentic(synthetic.features, train.features),
        heldout_authentic=authentic(heldout.features, train.features),
        closest=_closest(copies, synthetic.features, train.features, usual_distance(heldout_distance)),
    )


def usual_distance(heldout_distance: NDArray[np.float64]) -> float:
    """Median of the held-out images' distances: as far as unseen real images lie from the training images."""
    return float(np.median(heldout_distance))


def _closest(
    copies: NearCopies, synthetic: NDArray[np.float32], train: NDArray[np.float32], usual: float
) -> tuple[ClosestPair, ...]:
    pairs = []
    for position in np.argsort(-copies.correlation, kind="stable")[:CLOSEST]:
        match = int(copies.match[position])
        distance = np.linalg.norm(synthetic[position].astype(np.float64) - train[match].astype(np.float64))
        ratio = float(distance) / usual if usual > 0 else None
        pairs.append(ClosestPair(int(position), match, float(copies.correlation[position]), ratio))
    return tuple(pairs)


def _entry(value: float | None, direction: str, definition: str, n: int) -> dict[str, Any]:
    found = {"value": value, "direction": direction, "definition": definition, "n": n}
    if value is not None:
        return found
    reason = "held-out images coincide with training images in feature space" if n else "there is no synthetic image"
    return {**found, "reason": reason}


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _largest(values: NDArray[np.float64]) -> float | None:
    return float(values.max()) if len(values) else None


def _quartiles(values: NDArray[np.float64]) -> list[float] | None:
    """First quartile, median and third quartile."""
    return [float(value) for value in np.quantile(values, [0.25, 0.5, 0.75])] if len(values) else None


def _over(distance: NDArray[np.float64], usual: float) -> float | None:
    return float(np.median(distance)) / usual if len(distance) and usual > 0 else None
