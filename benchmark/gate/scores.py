"""Scores of a row from its predictions: of the sample, and what each cluster does to them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.gate.metrics import PROTOCOL, SCORES, WORST
from benchmark.statistics.jackknife import influences
from benchmark.utility.readings import Reading
from benchmark.utility.resampled import resampled
from benchmark.utility.slices import center_accuracy

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One metric of one row, in the metric's unit.

    Attributes:
        points: the value of each repetition, by its number.
        influence: (C,) what each cluster does to each repetition's value, clusters in sorted order; not for fidelity,
            and not where the metric is undefined without one of the clusters.
        center: the centre that the value belongs to, where it is that of one centre; then C are its clusters.
        sd: standard deviation of each repetition's value over its images, where its record tells one.
        utility: whether it is of shared images, so that only the influences of clusters tell its interval.
    """

    points: dict[int, float]
    influence: dict[int, Array] = field(default_factory=dict)
    center: str = ""
    sd: dict[int, float] = field(default_factory=dict)
    utility: bool = False

    @property
    def mean(self) -> float:
        """Mean over the repetitions."""
        return float(np.mean(list(self.points.values())))


def utility_scores(readings: dict[int, Reading]) -> dict[str, Score]:
    """Every utility metric of one row that is defined in all of its repetitions, in percent.

    Args:
        readings: at least one, by repetition, of the same images.
    """
    values = {number: _values(reading) for number, reading in readings.items()}
    found = {name: _score({number: table[name] for number, table in values.items()}) for name in SCORES}
    found |= {WORST: _worst(readings)}
    return {name: score for name, score in found.items() if score is not None}


def _without_each(reading: Reading) -> Array:
    """(1 + C, C) counts: every cluster once, and without each in turn."""
    clusters = reading.n_clusters
    return np.concatenate([np.ones((1, clusters)), 1 - np.eye(clusters)])


def _values(reading: Reading) -> dict[str, Array]:
    """(1 + C,) each metric of the whole track: of the sample, and without each cluster."""
    return resampled(reading, PROTOCOL, _without_each(reading), metrics=SCORES)


def _score(values: dict[int, Array], scale: float = 100.0, center: str = "") -> Score | None:
    """`None` where a repetition is undefined. Values are (1 + C,): the sample, and without each cluster in turn."""
    if not all(np.isfinite(table[0]) for table in values.values()):
        return None
    points = {number: scale * float(table[0]) for number, table in values.items()}
    effects = {number: scale * influences(table[1:]) for number, table in values.items()}
    known = {number: row for number, row in effects.items() if np.all(np.isfinite(row))}
    return Score(points, known, center, utility=True)


def _worst(readings: dict[int, Reading]) -> Score | None:
    """Accuracy of the centre with the lowest mean over repetitions; `None` where there are not two centres."""
    first = next(iter(readings.values()))
    if len(first.center_names) < 2:
        return None
    tables = {number: center_accuracy(reading, _without_each(reading)) for number, reading in readings.items()}
    means = {name: np.mean([table[name][0] for table in tables.values()]) for name in first.center_names}
    worst = min(means, key=lambda name: means[name])
    own = np.isin(first.cluster_names, first.clusters[first.centers == worst])
    kept = np.concatenate([[True], own])
    return _score({number: table[worst][kept] for number, table in tables.items()}, center=worst)
