"""Where it fails: each centre, the worst one, the gap between them, and each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmark.classes import CLASSES
from benchmark.leaderboard.comparisons import NO_RESULT, RunScores, spread_of
from benchmark.leaderboard.rows import ACCURACY, WHERE, Row, finished, headlines, percent, where
from benchmark.leaderboard.tables import Column, Estimate, Table
from benchmark.leaderboard.views import Series
from benchmark.statistics import Measured
from benchmark.utility.readings import Reading
from benchmark.utility.slice_scores import SHARED_CLUSTERS
from benchmark.utility.slices import centers_share_clusters, shared_classes

NO_CENTERS = "the images of this track name no centre"
ONE_CENTER = "the track has one centre alone"
NO_SHARED = "no class is in every centre"
WORST_NOTE = (
    "Clusters are resampled within their centre. Worst and gap (best minus worst) are taken anew in every resampling "
    "of the mean over repetitions. The lowest of noisy numbers is biased low and their gap high: centres that are "
    "equal in truth show a worst one, too."
)
MATCHED_NOTE = (
    "Images of the classes that every centre has: {classes}. What is left of a gap is no longer the class mix."
)
WORST = Column("worst", "worst", "centre with the lowest mean accuracy", "percent")
SPREAD = Column("gap", "gap", "highest minus lowest centre, points of percent", "points")
CLASS_TITLES = {
    "recall": "Per class: recall",
    "precision": "Per class: precision",
    "f1": "Per class: F1",
    "auroc": "Per class: AUROC of the scores",
}
_CLASS_DEFINITIONS = {
    "recall": "share of this class's images that are predicted as it; clusters: those that hold the class",
    "precision": "share of the images predicted as this class that are of it; missing where it is never predicted; "
    "clusters: those with such a prediction (harmonic mean over repetitions)",
    "f1": "2 TP / (images of the class + images predicted as it); clusters: those with either (harmonic mean over "
    "repetitions)",
    "auroc": "one-vs-rest area under the ROC curve of this class's scores; clusters: those that hold the class or "
    "those that hold another, whichever are fewer",
}


def centers_table(runs: list[RunScores]) -> Table:
    """Accuracy of every centre of the primary track, the worst, and the gap."""
    return _centers(runs, "centers", "Per centre", matched=False)


def matched_table(runs: list[RunScores]) -> Table:
    """The same on the classes that every centre has, so that centres are asked the same question."""
    return _centers(runs, "centers_matched", "Per centre, classes that every centre has", matched=True)


def class_tables(runs: list[RunScores]) -> list[Table]:
    """Recall, precision, F1 and AUROC of every class that the target has."""
    return [_classes(runs, metric, title) for metric, title in CLASS_TITLES.items()]


def worst_center(scores: RunScores, series: Series) -> Estimate:
    """The centre with the lowest mean accuracy on the primary track, as a fraction."""
    found = scores.measures.center_measured(series, scores.primary)
    if not found:
        return Estimate(
            None, reason=NO_RESULT if not scores.measures.repetitions(series, scores.primary) else NO_CENTERS
        )
    reading = _reading(scores, series)
    return _unless_shared(extremes(found, _images(reading, None))[0], reading)


def extremes(centers: Mapping[str, Measured], images: Mapping[str, int]) -> tuple[Estimate, Estimate]:
    """The worst centre and the gap, as fractions.

    Which centre is worst, and which best, is decided by the mean over repetitions: once for the value, and anew in
    every replicate. Points are those of the named centres, so that their spread over repetitions enters the interval.
    """
    names = list(centers)
    points = np.stack([centers[name].points for name in names])
    replicates = np.stack([centers[name].replicates for name in names])
    mean = replicates.mean(axis=1)
    low, high = (int(pick(points.mean(axis=1))) for pick in (np.argmin, np.argmax))
    columns = np.arange(replicates.shape[2])
    lowest = replicates[np.argmin(mean, axis=0), :, columns].T
    highest = replicates[np.argmax(mean, axis=0), :, columns].T
    few = min(centers[names[place]].clusters or 0 for place in (low, high))
    worst = Measured(points[low], lowest, centers[names[low]].clusters)
    found = replace(spread_of(worst, images[names[low]]), name=names[low])
    if len(names) == 1:
        return found, Estimate(None, reason=ONE_CENTER)
    between = images[names[low]] + images[names[high]]
    gap = spread_of(Measured(points[high] - points[low], highest - lowest, few), between, limits=None)
    if gap.low is not None and gap.high is not None:
        gap = replace(gap, low=max(gap.low, 0.0), high=min(gap.high, 1.0))
    return found, gap


def _centers(runs: list[RunScores], name: str, title: str, matched: bool) -> Table:
    rows: list[Row] = []
    sizes: dict[str, str] = {}
    shown: dict[str, None] = {}
    for scores, series in headlines(runs):
        row = where(scores, series) | percent(scores, series, scores.primary, accuracy="accuracy")
        if not scores.measures.repetitions(series, scores.primary):
            rows.append(row)
            continue
        reading = _reading(scores, series)
        classes = shared_classes(reading) if matched else None
        if classes is not None and not classes:
            continue
        shown[", ".join(CLASSES[code] for code in classes or ())] = None
        found = scores.measures.center_measured(series, scores.primary, classes)
        images = _images(reading, classes)
        for center, measured in found.items():
            sizes[center] = f"{center} (n={images[center]}, {measured.clusters} clusters)"
            row[f"center_{center}"] = _unless_shared(spread_of(measured, images[center]), reading).scaled(100)
        if found:
            worst, gap = (_unless_shared(end, reading) for end in extremes(found, images))
            row |= {"worst": worst.scaled(100), "gap": gap.scaled(100)}
        rows.append(row)
    if not sizes:
        return Table(name, title, WHERE, (), (NO_SHARED if matched else NO_CENTERS,), markdown=False)
    definition = "accuracy of this centre's images; clusters are resampled within the centre"
    columns = [Column(f"center_{center}", sizes[center], definition, "percent") for center in sorted(sizes)]
    notes = [MATCHED_NOTE.format(classes=" / ".join(filter(None, shown)))] if matched else []
    head = (*WHERE,) if matched else (*WHERE, ACCURACY)
    table = Table(name, title, (*head, *columns, WORST, SPREAD), tuple(rows), (*notes, WORST_NOTE))
    return finished(runs, table)


def _classes(runs: list[RunScores], metric: str, title: str) -> Table:
    rows: list[Row] = []
    sizes: dict[str, int] = {}
    for scores, series in headlines(runs):
        row = where(scores, series)
        found = scores.measures.class_measured(series, scores.primary)
        for code, name in enumerate(CLASSES) if found else ():
            n = int(np.count_nonzero(_reading(scores, series).labels == code))
            if n:
                sizes[name] = n
                row[f"class_{name}"] = spread_of(found[metric][code], n).scaled(100)
        rows.append(row)
    columns = [
        Column(f"class_{name}", f"{name} % (n={sizes[name]})", _CLASS_DEFINITIONS[metric], "percent")
        for name in CLASSES
        if name in sizes
    ]
    return finished(runs, Table(f"class_{metric}", title, (*WHERE, *columns), tuple(rows)))


def _unless_shared(found: Estimate, reading: Reading) -> Estimate:
    """Why a value of centres has no interval where they could not be resampled at all."""
    if found.value is None or not centers_share_clusters(reading):
        return found
    return replace(found, reason=SHARED_CLUSTERS)


def _reading(scores: RunScores, series: Series) -> Reading:
    return scores.measures.readings(series, scores.primary)[0]


def _images(reading: Reading, classes: tuple[int, ...] | None) -> dict[str, int]:
    asked = np.ones(len(reading.labels), dtype=bool) if classes is None else np.isin(reading.labels, classes)
    return {name: int(np.count_nonzero(asked & (reading.centers == name))) for name in reading.center_names}
