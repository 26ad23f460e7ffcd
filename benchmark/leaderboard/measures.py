"""Scores with intervals, recomputed from stored predictions; every method sees the same resamplings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import BenchError
from benchmark.keys import named_seed
from benchmark.leaderboard.tables import Estimate
from benchmark.leaderboard.views import RunView, Series
from benchmark.statistics import Interval, Measured, bootstrap_interval, cluster_counts, paired_gain, stack
from benchmark.utility.confusions import accuracy
from benchmark.utility.definitions import PROTOCOLS, metric_definitions
from benchmark.utility.predictions import cluster_of, read_predictions
from benchmark.utility.readings import open_reading
from benchmark.utility.resampled import confusion, resampled

REPLICATES = 1000
HELDOUT = "heldout"
NO_RESULT = "no repetition of this row is ok"
LIMITS = {metric.name: metric.limits for protocol in PROTOCOLS for metric in metric_definitions(protocol)}


@dataclass(frozen=True)
class Center:
    """Accuracy of one centre's images, with their number and that of their clusters."""

    name: str
    n_images: int
    n_clusters: int
    accuracy: Estimate


@dataclass(frozen=True)
class _Scored:
    """Metrics of one predictions file: the point (NaN where undefined) and R replicates of each."""

    points: dict[str, float]
    replicates: dict[str, NDArray[np.float64]]


class Measures:
    """The scores of one run. Files are read and resampled once, when they are first asked for."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._series = view.utility()
        self._scored: dict[tuple[Path, str], _Scored] = {}
        self._frames: dict[Path, pd.DataFrame] = {}
        self._images: dict[str, tuple[Path, frozenset[tuple[str, str, str]]]] = {}

    def estimate(self, series: Series, track: str, metric: str) -> Estimate:
        """A metric of a row on a track as a fraction; on `HELDOUT` only the accuracy is known."""
        gathered = self._gather(series, track, metric, self._repetitions(series, track))
        return _estimate(bootstrap_interval(gathered, LIMITS[metric])) if gathered else Estimate(None, reason=NO_RESULT)

    def gain(self, series: Series, control: Series | None, track: str, metric: str) -> Estimate:
        """The paired difference to the control, over the repetitions that both have."""
        if control == series:
            return Estimate(None, reason="this row is the control")
        if control is None:
            return Estimate(None, reason="this run has no real-only control of the same classifier")
        both = sorted(set(self._repetitions(series, track)) & set(self._repetitions(control, track)))
        method = self._gather(series, track, metric, both)
        reference = self._gather(control, track, metric, both)
        if method is None or reference is None:
            return Estimate(None, reason="no repetition is ok in this row and in real-only alike")
        return _difference(paired_gain(method, reference), metric)

    def gap(self, series: Series, track: str) -> Estimate:
        """Accuracy on the source's held-out part minus that on a target track; each is resampled for itself."""
        both = sorted(set(self._repetitions(series, HELDOUT)) & set(self._repetitions(series, track)))
        near, far = (self._gather(series, part, "accuracy", both) for part in (HELDOUT, track))
        if near is None or far is None:
            return Estimate(None, reason=NO_RESULT)
        return _difference(paired_gain(near, far), "accuracy")

    def centers(self, series: Series, track: str) -> list[Center]:
        """Accuracy for every centre of a track by name; clusters are resampled within the centre."""
        repetitions = self._repetitions(series, track)
        if not repetitions:
            return []
        first = self._frame(self._path(series, track, repetitions[0]))
        found = []
        for name in sorted(set(first["center"]) - {""}):
            own = first[first["center"] == name]
            gathered = self._gather(series, track, "accuracy", repetitions, name)
            if gathered:
                estimate = _estimate(bootstrap_interval(gathered, LIMITS["accuracy"]))
                found.append(Center(name, len(own), len(set(cluster_of(own))), estimate))
        return found

    def _repetitions(self, series: Series, track: str) -> list[int]:
        """The repetitions that are ok and predicted this track."""
        cells = self._series.get(series, [])
        return [t.cell.repetition for t in cells if t.record is not None and t.ok and track in t.record.scores]

    def _path(self, series: Series, track: str, repetition: int) -> Path:
        for tried in self._series[series]:
            if tried.ok and tried.folder and tried.cell.repetition == repetition:
                return tried.folder / "predictions" / f"{track}.csv"
        raise KeyError(repetition)

    def _gather(
        self, series: Series, track: str, metric: str, repetitions: list[int], center: str = ""
    ) -> Measured | None:
        if not repetitions:
            return None
        scored = [self._score(self._path(series, track, repetition), track, center) for repetition in repetitions]
        return stack([one.points[metric] for one in scored], [one.replicates[metric] for one in scored])

    def _frame(self, path: Path) -> pd.DataFrame:
        if path not in self._frames:
            if not path.is_file():
                raise BenchError(
                    f"{path} is missing although its record is ok. Remove that attempt's folder and run again."
                )
            self._frames[path] = read_predictions(path)
        return self._frames[path]

    def _score(self, path: Path, track: str, center: str) -> _Scored:
        key = (path, center)
        if key not in self._scored:
            frame = self._frame(path)
            self._check_images(path, track, frame)
            part = frame[frame["center"] == center] if center else frame
            self._scored[key] = _score(part, track, everything=not center and track != HELDOUT)
        return self._scored[key]

    def _check_images(self, path: Path, track: str, frame: pd.DataFrame) -> None:
        """Pairs are made by position in the resampling, so every file of a track must hold the same images."""
        images = frozenset(zip(frame["image_id"], frame["label"], cluster_of(frame), strict=True))
        known_path, known = self._images.setdefault(track, (path, images))
        if images != known:
            raise BenchError(
                f"{path} and {known_path} hold predictions for different images of track {track}, "
                "so nothing can be paired. Run the profile again with --recompute all."
            )


def _score(frame: pd.DataFrame, track: str, everything: bool) -> _Scored:
    """All metrics of both protocols, or the accuracy alone, which is all that parts of a track are shown with."""
    reading = open_reading(frame)
    once = np.ones((1, reading.n_clusters), dtype=np.uint32)
    weights = cluster_counts(reading.clusters, REPLICATES, named_seed("leaderboard", track))

    def metrics(counts: NDArray[np.uint32]) -> dict[str, NDArray[np.float64]]:
        if not everything:
            return {"accuracy": accuracy(confusion(reading, counts))}
        return {name: value for protocol in PROTOCOLS for name, value in resampled(reading, protocol, counts).items()}

    return _Scored({name: float(value[0]) for name, value in metrics(once).items()}, metrics(weights))


def _estimate(interval: Interval) -> Estimate:
    return Estimate(
        interval.value, interval.low, interval.high, interval.seed_sd, interval.repetitions, reason=interval.reason
    )


def _difference(interval: Interval, metric: str) -> Estimate:
    """A difference cannot leave minus to plus the metric's range, though few repetitions may stretch its interval."""
    width = LIMITS[metric][1] - LIMITS[metric][0]
    low = None if interval.low is None else max(interval.low, -width)
    high = None if interval.high is None else min(interval.high, width)
    return _estimate(replace(interval, low=low, high=high))
