"""A number with its 95 % interval over clusters, as every part of a score gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.statistics import Measured, interval
from benchmark.utility.confusions import Array

FRACTION = (0.0, 1.0)


@dataclass(frozen=True)
class Value:
    """A value with its interval; `None` with a reason where the value or its bounds are undefined."""

    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "value": self.value,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "reason": self.reason,
        }


def value_of(
    value: float,
    samples: Array | None,
    n_clusters: int,
    undefined: str,
    limits: tuple[float, float] | None = FRACTION,
) -> Value:
    """A value with the default interval of `benchmark.statistics` for one set of predictions: over clusters alone.

    Args:
        value: NaN where undefined.
        samples: (R,) replicates; `None` or empty: no interval was asked for.
        n_clusters: number of clusters with an image that the value counts; one alone gives no interval.
        undefined: the reason that is told if `value` is NaN.
        limits: range of the metric, which shapes the interval near it; `None` for a difference.
    """
    if not np.isfinite(value):
        return Value(None, reason=undefined)
    if samples is None or not len(samples):
        return Value(value)
    if n_clusters < 2:
        return Value(
            value, reason="no interval: all images that count are of one cluster, which says nothing about others"
        )
    found = interval(Measured(np.array([value]), samples[None, :], n_clusters), limits)
    return Value(value, found.low, found.high, f"no interval: {found.reason}" if found.reason else None)
