"""Scores of a run, recomputed from stored predictions; every row of the board sees the same resamplings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import BenchError
from benchmark.keys import named_seed
from benchmark.leaderboard.views import RunView, Series
from benchmark.statistics import Measured, cluster_counts, stack
from benchmark.utility.definitions import PROTOCOLS, metric_definitions
from benchmark.utility.predictions import cluster_of, read_predictions
from benchmark.utility.readings import Reading, open_reading
from benchmark.utility.resampled import resampled
from benchmark.utility.slices import (
    CLASS_METRICS,
    center_accuracy,
    centers_share_clusters,
    class_clusters,
    class_metrics,
)

REPLICATES = 2000
HELDOUT = "heldout"
"""Predictions on the source images that no method saw are kept as those on a track of this name."""

LIMITS = {metric.name: metric.limits for protocol in PROTOCOLS for metric in metric_definitions(protocol)}
_PROTOCOL_OF = {metric.name: name for name in reversed(PROTOCOLS) for metric in metric_definitions(name)}
_TOGETHER = (
    ("accuracy", "f1_macro_present", "auroc_ovr_macro_present", "other_rate", "brier", "ece"),
    ("accuracy_closed", "f1_macro_present_closed"),
    ("f1_paper", "precision_paper", "recall_paper", "auc_paper"),
)
"""Metrics that the tables show, in groups that share work; any other is computed for itself."""

Array = NDArray[np.float64]


@dataclass
class _File:
    """One predictions file: its reading, images in the order of their ids, and what was computed of it.

    Arrays are (1 + R, ...): the first row is the sample itself, the others are the resamplings of its track.
    """

    reading: Reading
    metrics: dict[str, Array] = field(default_factory=dict)
    classes: dict[str, Array] | None = None
    centers: dict[tuple[int, ...] | None, dict[str, Array]] = field(default_factory=dict)


class Measures:
    """The scores of one run. Files are read and resampled once, when they are first asked for.

    Points and replicates of any row, track and metric, whoever asks:

        view = open_runs([folder])[0]
        measures = Measures(view)
        for series in view.utility():
            measured = measures.measured(series, "official-233", "accuracy")
            if measured is not None:
                measured.points       # (S,) fractions, one for each repetition that is ok
                measured.replicates   # (S, R); column r of every row and metric of a track is one resampling

    Seeds depend on the track and its clusters alone, so that rows of two runs on the same target are paired as well.
    `repetitions` names what the S are, `right` and `clusters` are what permutation tests need. Metrics are those of
    both protocols (`benchmark.utility.definitions`); `HELDOUT` is a track like others, with its own clusters.
    """

    def __init__(self, view: RunView, replicates: int = REPLICATES) -> None:
        self.view = view
        self.replicates = replicates
        self._series = view.utility()
        self._files: dict[Path, _File] = {}
        self._images: dict[str, tuple[Path, frozenset[tuple[str, str, str]]]] = {}
        self._counts: dict[tuple[str, bool], Array] = {}

    def repetitions(self, series: Series, track: str) -> list[int]:
        """The repetitions of a row that are ok and predicted this track, ascending."""
        cells = self._series.get(series, [])
        return [t.cell.repetition for t in cells if t.record is not None and t.ok and track in t.record.scores]

    def shared(self, one: Series, other: Series, track: str) -> list[int]:
        """The repetitions that two rows both have: those that a difference is taken over."""
        return sorted(set(self.repetitions(one, track)) & set(self.repetitions(other, track)))

    def measured(
        self, series: Series, track: str, metric: str, repetitions: Sequence[int] | None = None
    ) -> Measured | None:
        """Points (S,) and replicates (S, R) of a metric, as fractions; `None` where no repetition is ok.

        Args:
            series: a row of this run.
            track: a target track, or `HELDOUT`.
            metric: of `suite-v1` or `paper-2407.20072`.
            repetitions: of the row, in the order of S; default: all that are ok.

        Raises:
            BenchError: a predictions file is missing, damaged, or holds other images than the others of its track.
        """
        files = self._open(series, track, repetitions)
        return _stacked([self._metric(one, track, metric) for one in files], files) if files else None

    def right(self, series: Series, track: str, repetitions: Sequence[int] | None = None) -> NDArray[np.bool_]:
        """(S, n) whether each image is right (open reading), images in the order of `clusters`."""
        files = self._open(series, track, repetitions)
        return np.array([one.reading.predicted == one.reading.labels for one in files])

    def clusters(self, series: Series, track: str) -> NDArray[np.str_]:
        """(n,) cluster of each image of a track, in the order of the images' ids; a row gives the file to read."""
        return self._open(series, track, None)[0].reading.clusters

    def readings(self, series: Series, track: str) -> list[Reading]:
        """The predictions of each repetition that is ok, images in the order of `clusters`."""
        return [one.reading for one in self._open(series, track, None)]

    def class_measured(self, series: Series, track: str) -> dict[str, list[Measured]]:
        """{metric of `CLASS_METRICS`: five `Measured` in canonical order of the classes}; empty without a result.

        `clusters` of each are those that carry this metric of this class (`class_clusters`), not those of the track.
        """
        files = self._open(series, track, None)
        if not files:
            return {}
        for one in files:
            if one.classes is None:
                one.classes = class_metrics(one.reading, self._counts_of(one.reading, track))
        carried = class_clusters([one.reading for one in files])
        found = {}
        for name in CLASS_METRICS:
            tables = [one.classes[name] for one in files if one.classes is not None]
            found[name] = [
                _stacked([table[:, code] for table in tables], files, clusters)
                for code, clusters in enumerate(carried[name])
            ]
        return found

    def center_measured(
        self, series: Series, track: str, classes: tuple[int, ...] | None = None
    ) -> dict[str, Measured]:
        """Accuracy of each centre, clusters resampled within centres; of images of some `classes` alone if given.

        Where a cluster has images of two centres there are no replicates (R = 0), so no interval can be made.
        """
        files = self._open(series, track, None)
        if not files:
            return {}
        tables = [self._centers(one, track, classes) for one in files]
        first = files[0].reading
        return {
            name: _stacked([table[name] for table in tables], files, _clusters_of(first, name, classes))
            for name in tables[0]
        }

    def _metric(self, one: _File, track: str, metric: str) -> Array:
        if metric not in one.metrics:
            group = next((group for group in _TOGETHER if metric in group), (metric,))
            counts = self._counts_of(one.reading, track)
            one.metrics |= resampled(one.reading, _PROTOCOL_OF[metric], counts, metrics=group)
        return one.metrics[metric]

    def _centers(self, one: _File, track: str, classes: tuple[int, ...] | None) -> dict[str, Array]:
        if classes not in one.centers:
            counts = self._counts_of(one.reading, track, by_center=True)
            one.centers[classes] = center_accuracy(one.reading, counts, classes)
        return one.centers[classes]

    def _counts_of(self, reading: Reading, track: str, by_center: bool = False) -> Array:
        """(1 + R, C) a row of ones, the sample itself, above the counts of the track's resamplings."""
        key = (track, by_center)
        if key not in self._counts:
            seed = named_seed("leaderboard", track)
            none = by_center and centers_share_clusters(reading)
            strata = reading.centers if by_center and not none else None
            drawn = cluster_counts(reading.clusters, self.replicates, seed, strata)
            once = np.ones((1, reading.n_clusters))
            self._counts[key] = once if none else np.concatenate([once, drawn])
        return self._counts[key]

    def _open(self, series: Series, track: str, repetitions: Sequence[int] | None) -> list[_File]:
        wanted = self.repetitions(series, track) if repetitions is None else repetitions
        folders = {t.cell.repetition: t.folder for t in self._series.get(series, []) if t.ok and t.folder is not None}
        return [self._read(folders[repetition] / "predictions" / f"{track}.csv", track) for repetition in wanted]

    def _read(self, path: Path, track: str) -> _File:
        if path not in self._files:
            if not path.is_file():
                raise BenchError(
                    f"{path} is missing although its record is ok. Remove that attempt's folder and run again."
                )
            frame = read_predictions(path)
            self._check_images(path, track, frame)
            self._files[path] = _File(open_reading(frame.sort_values("image_id", kind="stable")))
        return self._files[path]

    def _check_images(self, path: Path, track: str, frame: pd.DataFrame) -> None:
        """Images are paired by their order, so every file of a track must hold the same ones."""
        images = frozenset(zip(frame["image_id"], frame["label"], cluster_of(frame), strict=True))
        known_path, known = self._images.setdefault(track, (path, images))
        if images != known:
            raise BenchError(
                f"{path} and {known_path} hold predictions for different images of track {track}, "
                "so nothing can be paired. Run the profile again with --recompute all."
            )


def _stacked(tables: Sequence[Array], files: Sequence[_File], clusters: int | None = None) -> Measured:
    known = files[0].reading.n_clusters if clusters is None else clusters
    return stack([float(table[0]) for table in tables], [table[1:] for table in tables], known)


def _clusters_of(reading: Reading, center: str, classes: tuple[int, ...] | None) -> int:
    inside = reading.centers == center
    if classes is not None:
        inside &= np.isin(reading.labels, classes)
    return len(np.unique(reading.clusters[inside]))
