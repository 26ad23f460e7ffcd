"""Brier score and reliability: how far probabilities can be taken at their word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.utility.confusions import Array
from benchmark.utility.readings import Reading

ECE_BINS = 15
_EDGES = np.arange(ECE_BINS + 1) / ECE_BINS


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose top probability lies in (low, high], the first bin with 0; means are `None` in an empty bin."""

    low: float
    high: float
    n: int
    mean_confidence: float | None
    accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def brier_of_each(reading: Reading) -> Array:
    """(n,) squared distance of the probabilities to the one-hot label, summed over classes, 0 to 2 (Brier 1950)."""
    distance = reading.probabilities.copy()
    distance[np.arange(len(distance)), reading.labels] -= 1
    return (distance**2).sum(axis=1)


def confidence_bins(reading: Reading) -> NDArray[np.int64]:
    """(n,) bin of the top probability among 15 equal ones, each with its upper edge (Guo et al. 2017, section 2)."""
    confidence = reading.probabilities.max(axis=1)
    return np.minimum(np.searchsorted(_EDGES[1:], confidence, side="left"), ECE_BINS - 1)


def confidence_gaps(reading: Reading) -> Array:
    """(n,) right (1 or 0) minus top probability: what adds up, bin by bin, to the expected calibration error."""
    return (reading.predicted == reading.labels) - reading.probabilities.max(axis=1)


def reliability(reading: Reading) -> tuple[ReliabilityBin, ...]:
    """The table behind the expected calibration error: ECE = sum of n |accuracy - mean confidence| / n images.

    An image without a prediction has confidence 0 and is wrong.
    """
    bins, confidence = confidence_bins(reading), reading.probabilities.max(axis=1)
    right = reading.predicted == reading.labels
    table = []
    for place in range(ECE_BINS):
        inside = bins == place
        filled = bool(inside.any())
        table.append(
            ReliabilityBin(
                low=float(_EDGES[place]),
                high=float(_EDGES[place + 1]),
                n=int(inside.sum()),
                mean_confidence=float(confidence[inside].mean()) if filled else None,
                accuracy=float(right[inside].mean()) if filled else None,
            )
        )
    return tuple(table)
