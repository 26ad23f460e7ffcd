"""Scores of the parts of a target with intervals: per class, per centre, worst centre, gap, class-matched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.statistics import cluster_counts
from benchmark.utility.confusions import Array
from benchmark.utility.readings import Reading
from benchmark.utility.slices import (
    CENTER_METRICS,
    CLASS_METRICS,
    center_accuracy,
    center_metrics,
    centers_share_clusters,
    class_clusters,
    class_metrics,
    gap_of,
    shared_classes,
    worst_of,
)
from benchmark.utility.values import Value, value_of

NO_CENTERS = "no image has a centre: the column `center` is empty"
SHARED_CLUSTERS = "a cluster has images of two centres, so centres cannot be resampled one by one"
_LOW = "the lowest of noisy numbers is biased low: centres that are equal in truth show a worst one, too"
_HIGH = "the distance of the extremes of noisy numbers is biased high: centres that are equal in truth show one, too"


@dataclass(frozen=True)
class ClassScores:
    """One class against the rest in the open reading; `n_predicted` counts the images that are taken for it."""

    n: int
    n_predicted: int
    values: dict[str, Value]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the metrics stand beside the numbers."""
        return {"n": self.n, "n_predicted": self.n_predicted, **_plain(self.values)}


@dataclass(frozen=True)
class CenterScores:
    """One centre; macro averages run over `classes_present`, the classes that it has."""

    n_images: int
    n_clusters: int
    classes_present: tuple[str, ...]
    values: dict[str, Value]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the metrics stand beside the numbers."""
        numbers = {"n_images": self.n_images, "n_clusters": self.n_clusters}
        return {**numbers, "classes_present": list(self.classes_present), **_plain(self.values)}


@dataclass(frozen=True)
class Extreme:
    """What the accuracies of centres come to: `names` are the worst centre, or the best and the worst."""

    names: dict[str, str]
    found: Value
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.names, "metric": "accuracy", **self.found.to_json(), "notes": [self.note]}


@dataclass(frozen=True)
class ClassMatched:
    """Accuracy of each centre on the images of the classes that every centre has."""

    classes: tuple[str, ...]
    per_center: dict[str, CenterScores]
    worst: Extreme
    gap: Extreme

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "classes": list(self.classes),
            "per_center": _plain(self.per_center),
            "worst": self.worst.to_json(),
            "gap": self.gap.to_json(),
        }


@dataclass(frozen=True)
class CenterTable:
    """All that is said of centres; `class_matched` is `None` where no class is in every centre."""

    per_center: dict[str, CenterScores]
    worst: Extreme
    gap: Extreme
    class_matched: ClassMatched | None


def score_classes(reading: Reading, counts: NDArray[Any]) -> dict[str, ClassScores]:
    """Precision, recall, F1 and AUROC of every class of the vocabulary, with intervals from (R, C) counts.

    Every interval counts on the clusters that carry its metric alone (`class_clusters`).
    """
    own = class_metrics(reading, np.ones((1, reading.n_clusters)))
    samples = class_metrics(reading, counts)
    carried = class_clusters([reading])
    found = {}
    for code, name in enumerate(CLASSES):
        n, predicted = (int(np.count_nonzero(codes == code)) for codes in (reading.labels, reading.predicted))
        values = {
            metric: value_of(
                float(own[metric][0, code]),
                samples[metric][:, code],
                carried[metric][code],
                _why_undefined(metric, code, reading, n),
            )
            for metric in CLASS_METRICS
        }
        found[name] = ClassScores(n, predicted, values)
    return found


def _why_undefined(metric: str, code: int, reading: Reading, n: int) -> str:
    if n == 0:
        return f"no image is {CLASSES[code]}"
    if metric == "auroc" and code not in reading.outputs:
        return f"the classifier has no output for {CLASSES[code]}"
    if metric == "auroc":
        return f"all images are {CLASSES[code]}: nothing to tell apart"
    return f"{CLASSES[code]} is never predicted: 0/0 (counts 0 in macro averages)"


def score_centers(reading: Reading, replicates: int, seed: int) -> CenterTable | None:
    """Scores of centres, with intervals from R resamplings within each centre; `None` without any centre."""
    if not reading.center_names:
        return None
    counts: NDArray[Any] = np.ones((0, reading.n_clusters))
    reason = None
    if centers_share_clusters(reading):
        reason = f"no interval: {SHARED_CLUSTERS}"
    elif replicates:
        counts = cluster_counts(reading.clusters, replicates, seed, reading.centers)
    ones = np.ones((1, reading.n_clusters))
    own, samples = center_metrics(reading, ones), center_metrics(reading, counts)
    per_center = {}
    for name in reading.center_names:
        part = reading.take(reading.centers == name)
        values = {
            metric: _value(float(own[name][metric][0]), samples[name][metric], part, reason)
            for metric in CENTER_METRICS
        }
        per_center[name] = _center(part, values)
    accuracies = [{name: values["accuracy"] for name, values in table.items()} for table in (own, samples)]
    worst, gap = _extremes(per_center, accuracies[0], accuracies[1])
    return CenterTable(per_center, worst, gap, _class_matched(reading, counts, reason))


def _class_matched(reading: Reading, counts: NDArray[Any], reason: str | None) -> ClassMatched | None:
    classes = shared_classes(reading)
    if not classes:
        return None
    own = center_accuracy(reading, np.ones((1, reading.n_clusters)), classes)
    samples = center_accuracy(reading, counts, classes)
    per_center = {}
    for name, value in own.items():
        part = reading.take((reading.centers == name) & np.isin(reading.labels, classes))
        per_center[name] = _center(part, {"accuracy": _value(float(value[0]), samples[name], part, reason)})
    return ClassMatched(_names(classes), per_center, *_extremes(per_center, own, samples))


def _center(part: Reading, values: dict[str, Value]) -> CenterScores:
    return CenterScores(len(part.labels), part.n_clusters, _names(part.present), values)


def _value(value: float, samples: Array, part: Reading, reason: str | None) -> Value:
    """A value of one centre, whose images are `part`; `reason` says why no centre can be resampled."""
    silent = [CLASSES[code] for code in part.present if code not in part.outputs]
    undefined = f"the classifier has no output for {', '.join(silent)}" if silent else "the centre has one class alone"
    found = value_of(value, samples, part.n_clusters, undefined)
    return found if reason is None or found.value is None else Value(found.value, reason=reason)


def _extremes(
    per_center: Mapping[str, CenterScores], own: Mapping[str, Array], samples: Mapping[str, Array]
) -> tuple[Extreme, Extreme]:
    """The worst centre and the gap. Both are taken anew in every replicate, so the worst may be another centre.

    The degrees of freedom are those of the named centres alone; of two, those of the one with fewer clusters.
    """
    shown = {name: float(value[0]) for name, value in own.items()}
    best = max(shown, key=shown.__getitem__)
    worst = min([name for name in shown if name != best] or [best], key=shown.__getitem__)
    unsure = [f"{name}: {c.values['accuracy'].reason}" for name, c in per_center.items() if c.values["accuracy"].reason]
    few = min(per_center[best].n_clusters, per_center[worst].n_clusters)
    lowest = value_of(shown[worst], worst_of(samples), per_center[worst].n_clusters, "")
    width = value_of(shown[best] - shown[worst], gap_of(samples), few, "", limits=None)
    if width.ci_low is not None and width.ci_high is not None:
        width = Value(width.value, max(width.ci_low, 0.0), min(width.ci_high, 1.0))
    if unsure:
        lowest, width = (Value(found.value, reason="; ".join(unsure)) for found in (lowest, width))
    if len(shown) == 1:
        width = Value(None, reason="there is one centre alone: nothing to compare it with")
    return Extreme({"name": worst}, lowest, _LOW), Extreme({"best": best, "worst": worst}, width, _HIGH)


def _names(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(CLASSES[code] for code in codes)


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry.to_json() for name, entry in table.items()}
