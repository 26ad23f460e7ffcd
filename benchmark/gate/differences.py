"""The difference of one metric between two runs on the same images, with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from benchmark.gate.scores import Score
from benchmark.keys import named_seed
from benchmark.statistics import Interval, Measured
from benchmark.statistics.jackknife import from_influences, from_repetitions

Gain = Callable[[Measured, Measured], Interval]
ALONE = "one repetition whose record tells no spread: there is no interval, and a gate goes by the tolerance alone"

NO_INFLUENCE = "undefined without one of the clusters, so there is no interval, and a gate goes by the tolerance alone"


@dataclass(frozen=True)
class Difference:
    """New minus old, in the metric's unit, over the repetitions that both have.

    Attributes:
        value: mean difference; `None` where no repetition is shared.
        low, high: its interval; `None` where none can be made.
        new, old: the means.
        repetitions: how many are shared.
        covers: what varies in the interval.
        center: the centre that the numbers belong to, `old -> new` where it is another one.
        note: why something is missing, or what to mind.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    new: float | None = None
    old: float | None = None
    repetitions: int = 0
    covers: str = ""
    center: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Every field in full precision."""
        return {
            "new": self.new,
            "old": self.old,
            "difference": self.value,
            "ci_low": self.low,
            "ci_high": self.high,
            "repetitions": self.repetitions,
            "covers": self.covers,
            "center": self.center,
            "note": self.note,
        }


def difference(new: Score, old: Score, gain: Gain, level: float) -> Difference:
    """The paired difference of a metric.

    Utility is paired by image and repetition. Fidelity has no shared images: it is paired by repetition, and one
    repetition has the independent spreads that the records tell, if both do.

    Args:
        new, old: the metric in both runs, on the same target.
        gain: how repetitions and clusters make an interval, at `level`.
        level: nominal coverage, for the interval from the records' own spreads.
    """
    shared = sorted(set(new.points) & set(old.points))
    if not shared:
        return Difference(None, note="no repetition has a result in both")
    points = [np.array([score.points[number] for number in shared]) for score in (new, old)]
    means = [float(np.mean(values)) for values in points]
    center = new.center if new.center == old.center else f"{old.center} -> {new.center}"
    bare = Difference(means[0] - means[1], new=means[0], old=means[1], repetitions=len(shared), center=center)
    if all(number in score.influence for score in (new, old) for number in shared):
        found = gain(*(_measured(score, shared) for score in (new, old)))
        covers = found.covers
    elif new.utility or old.utility:
        return replace(bare, note=NO_INFLUENCE)
    elif len(shared) > 1:
        found = gain(*(from_repetitions(values) for values in points))
        covers = "repetitions"
    else:
        return _independent(bare, new, old, shared[0], level)
    note = found.reason or ("one repetition: the interval covers clusters alone" if len(shared) == 1 else "")
    return replace(bare, low=found.low, high=found.high, covers=covers, note=note)


def _measured(score: Score, repetitions: list[int]) -> Measured:
    """Clusters of one centre, or of all, have one order and one seed, so that equal ones are paired."""
    points = [score.points[number] for number in repetitions]
    return from_influences(
        points, [score.influence[number] for number in repetitions], named_seed("gate", score.center)
    )


def _independent(bare: Difference, new: Score, old: Score, repetition: int, level: float) -> Difference:
    if bare.value is None or repetition not in new.sd or repetition not in old.sd:
        return replace(bare, note=ALONE)
    half = float(ndtri((1 + level) / 2)) * float(np.hypot(new.sd[repetition], old.sd[repetition]))
    return replace(bare, low=bare.value - half, high=bare.value + half, covers="images of the sets, as independent")
