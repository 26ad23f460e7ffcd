"""What a target of this size can tell apart."""

from __future__ import annotations

from scipy.special import stdtrit

from benchmark.statistics.intervals import Interval


def smallest_detectable(interval: Interval, power: float = 0.8) -> float | None:
    """The smallest true difference that this comparison finds with the given power at the level of its interval.

    (t_{1 - alpha/2, df} + t_{power, df}) * se, from the standard error and degrees of freedom of a paired interval
    (Bloom, Evaluation Review 19, 1995). In the unit of the metric, above 0.

    Returns:
        `None` where the interval has no standard error, or one of 0 (a method against itself).

    Raises:
        ValueError: a power outside (0.5, 1).
    """
    if not 0.5 < power < 1:
        raise ValueError(f"power must lie between 0.5 and 1, not {power}")
    if not interval.se or interval.df is None:
        return None
    return float(stdtrit(interval.df, (1 + interval.level) / 2) + stdtrit(interval.df, power)) * interval.se
