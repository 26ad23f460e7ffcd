"""Differences of two methods on the same images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.statistics.intervals import Interval, Measured, interval
from benchmark.statistics.spread import spread_of

GATE_LEVEL = 0.99
"""Level at which the gate calls a metric worse: identical runs fire in at most 1 % (`docs/statistics.md`)."""
PAIRED_SHARE = 0.1
"""Share of the gate's error that is spent on the interval with paired repetitions."""


def paired_gain(method: Measured, control: Measured, level: float = 0.95) -> Interval:
    """Mean difference method - control, with its interval over shared clusters and repetitions.

    Repetition s of both shares its utility seed and column r its resampling, so both are paired.

    Raises:
        ValueError: repetitions or replicates differ in number; pass the repetitions that both have.
    """
    return interval(_difference(method, control), level=level)


def gate_gain(run: Measured, baseline: Measured, level: float = GATE_LEVEL) -> Interval:
    """Mean difference run - baseline, with the interval by which the gate decides.

    Three paired repetitions leave two degrees of freedom, whose 99 % quantile is 9.9: hardly any possible drop is seen
    through such an interval. So two are made and the narrower is given. One pairs the repetitions, as `paired_gain`
    does: it is narrow where a run repeats its baseline with the same seeds. The other takes their seeds as independent
    (variance (s_run^2 + s_baseline^2) / S with 2 (S - 1) degrees of freedom). Their chances to miss, a tenth of
    1 - level and the rest, add up to 1 - level (Bonferroni), so the narrower one covers at least as often as it says.
    Clusters are paired in both. One repetition has one interval, over clusters alone.

    Raises:
        ValueError: repetitions or replicates differ in number; pass the repetitions that both have.
    """
    difference = _difference(run, baseline)
    count = len(difference.points)
    if count == 1:
        return interval(difference, level=level)
    paired = interval(difference, level=1 - PAIRED_SHARE * (1 - level))
    if paired.value is None or paired.low is None or paired.high is None:
        return replace(paired, level=level)
    replicates = difference.replicates[:, np.all(np.isfinite(difference.replicates), axis=0)]
    of_seeds = float(np.var(run.points, ddof=1) + np.var(baseline.points, ddof=1)) / count
    spread = spread_of(replicates, difference.clusters or replicates.shape[1], of_seeds, 2 * (count - 1))
    independent = spread.reach(1 - (1 - PAIRED_SHARE) * (1 - level))
    if independent.half >= paired.high - paired.value:
        return replace(paired, level=level)
    low, high = paired.value - independent.half, paired.value + independent.half
    return replace(paired, low=low, high=high, se=independent.se, df=independent.df, level=level)


def _difference(method: Measured, control: Measured) -> Measured:
    if method.replicates.shape != control.replicates.shape:
        raise ValueError(f"cannot pair {method.replicates.shape} with {control.replicates.shape} replicates")
    return Measured(
        method.points - control.points,
        method.replicates - control.replicates,
        min((known for known in (method.clusters, control.clusters) if known), default=None),
    )
