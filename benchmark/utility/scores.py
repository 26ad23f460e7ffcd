"""Predictions -> metrics with 95 % intervals over clusters. Works on anybody's predictions, without a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.errors import UsageError
from benchmark.statistics import cluster_counts
from benchmark.utility.backends import SKLEARN_VALUES
from benchmark.utility.calibration import ReliabilityBin, reliability
from benchmark.utility.definitions import CLOSED, OWN, SCORING_VERSION, SKLEARN, MetricDefinition, metric_definitions
from benchmark.utility.readings import Reading, closed_reading, open_reading
from benchmark.utility.resampled import confusion, resampled
from benchmark.utility.slice_scores import NO_CENTERS, CenterTable, ClassScores, score_centers, score_classes
from benchmark.utility.values import value_of

REPLICATES = 1000
SLICED = "suite-v1"
"""The protocol that has scores of classes and centres."""
_OF_CENTERS = ("per_center", "worst_center", "center_gap", "class_matched")


@dataclass(frozen=True)
class MetricValue:
    """One metric with everything needed to read it; `value` or a bound is `None` with a reason where undefined."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    direction: str
    limits: tuple[float, float]
    class_set: tuple[str, ...]
    averaging: str
    n_images: int
    n_clusters: int
    backend: str
    backend_version: str
    reason: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}


@dataclass(frozen=True)
class ScoreResult:
    """Scores of one set of predictions under one protocol.

    `replicates` holds each metric on each resampling of the clusters, (R,): column r of two results with the same
    clusters, seed and R is the same resampling, so `benchmark.statistics` can pair and pool them.
    """

    protocol: str
    n_images: int
    n_clusters: int
    classes_present: tuple[str, ...]
    outputs: tuple[str, ...]
    n_without_mass: int
    confusion: tuple[tuple[int, ...], ...]
    n_replicates: int
    seed: int
    metrics: dict[str, MetricValue]
    replicates: dict[str, NDArray[np.float64]] = field(repr=False)
    per_class: dict[str, ClassScores] | None = None
    reliability: dict[str, tuple[ReliabilityBin, ...]] | None = None
    centers: CenterTable | None = None

    @property
    def reasons(self) -> dict[str, str]:
        """Why a part of the score is `None`, by its name in the JSON."""
        if self.protocol != SLICED:
            return dict.fromkeys(("per_class", "reliability", *_OF_CENTERS), f"part of {SLICED}, not of this protocol")
        if self.centers is None:
            return dict.fromkeys(_OF_CENTERS, NO_CENTERS)
        return {} if self.centers.class_matched else {"class_matched": "no class has images in every centre"}

    def to_json(self) -> dict[str, Any]:
        """The format of `score --json`: everything but the single replicates."""
        return {
            "protocol": self.protocol,
            "scoring_version": SCORING_VERSION,
            "n_images": self.n_images,
            "n_clusters": self.n_clusters,
            "classes_present": list(self.classes_present),
            "outputs": list(self.outputs),
            "n_without_mass_on_present_classes": self.n_without_mass,
            "confusion": {"order": list(CLASSES), "rows": "true", "counts": [list(row) for row in self.confusion]},
            "interval": {"level": 0.95, "unit": "cluster", "replicates": self.n_replicates, "seed": self.seed},
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            **self._slices_to_json(),
            "reasons": self.reasons,
        }

    def _slices_to_json(self) -> dict[str, Any]:
        table, matched = self.centers, self.centers.class_matched if self.centers else None
        return {
            "per_class": _plain(self.per_class),
            "reliability": {name: [one.to_json() for one in bins] for name, bins in self.reliability.items()}
            if self.reliability
            else None,
            "per_center": _plain(table.per_center) if table else None,
            "worst_center": table.worst.to_json() if table else None,
            "center_gap": table.gap.to_json() if table else None,
            "class_matched": matched.to_json() if matched else None,
        }


def score(
    predictions: pd.DataFrame, protocol: str = "suite-v1", replicates: int = REPLICATES, seed: int = 0
) -> ScoreResult:
    """Score validated predictions (`read_predictions` or `prediction_frame`).

    Args:
        predictions: one row per image.
        protocol: `suite-v1` (default) or `paper-2407.20072`.
        replicates: bootstrap replicates over clusters; 0 gives no intervals.
        seed: of the resampling.

    Raises:
        UnknownNameError: no such protocol.
        UsageError: a negative number of replicates.
    """
    metric_definitions(protocol)
    if replicates < 0:
        raise UsageError(f"replicates must be 0 or more, not {replicates}")
    reading = open_reading(predictions)
    counts = cluster_counts(reading.clusters, replicates, seed)
    samples = resampled(reading, protocol, counts)
    return ScoreResult(
        protocol=protocol,
        n_images=len(reading.labels),
        n_clusters=reading.n_clusters,
        classes_present=_names(reading.present),
        outputs=_names(reading.outputs),
        n_without_mass=closed_reading(reading, reading.present).n_without_mass,
        confusion=_confusion(reading),
        n_replicates=replicates,
        seed=seed,
        metrics=_metrics(reading, protocol, samples),
        replicates=samples,
        **_slices(reading, counts, (replicates, seed)) if protocol == SLICED else {},
    )


def _metrics(reading: Reading, protocol: str, samples: dict[str, NDArray[np.float64]]) -> dict[str, MetricValue]:
    closed = closed_reading(reading, reading.present)
    own = resampled(reading, protocol, np.ones((1, reading.n_clusters)))
    metrics = {}
    for metric in metric_definitions(protocol):
        shown = closed if metric.name.endswith(CLOSED) else reading
        value = float(own[metric.name][0])
        if np.isfinite(value) and metric.backend == SKLEARN:
            value = SKLEARN_VALUES[metric.name.removesuffix(CLOSED)](shown)
        metrics[metric.name] = _metric(metric, shown, value, samples[metric.name])
    return metrics


def _confusion(reading: Reading) -> tuple[tuple[int, ...], ...]:
    matrix = confusion(reading, np.ones((1, reading.n_clusters)))[0, :, : len(CLASSES)]
    return tuple(tuple(int(count) for count in row) for row in matrix)


def _slices(reading: Reading, counts: NDArray[np.uint32], draw: tuple[int, int]) -> dict[str, Any]:
    """The fields of `ScoreResult` that tell of parts of the target."""
    shown = {"open": reading, "closed": closed_reading(reading, reading.present)}
    return {
        "per_class": score_classes(reading, counts),
        "reliability": {name: reliability(one) for name, one in shown.items()},
        "centers": score_centers(reading, *draw),
    }


def _metric(definition: MetricDefinition, reading: Reading, value: float, samples: NDArray[np.float64]) -> MetricValue:
    undefined = _why_undefined(definition.name, reading)
    found = value_of(value, samples, reading.n_clusters, undefined, definition.limits)
    direction = definition.direction
    if definition.name == "other_rate" and CLASSES.index("other") in reading.present:
        direction = "none"
    return MetricValue(
        value=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        direction=direction,
        limits=definition.limits,
        class_set=_class_set(definition, reading),
        averaging=definition.averaging,
        n_images=len(reading.labels),
        n_clusters=reading.n_clusters,
        backend=definition.backend,
        backend_version=SCORING_VERSION if definition.backend == OWN else version(SKLEARN),
        reason=found.reason,
        notes=_notes(definition, reading),
    )


def _class_set(definition: MetricDefinition, reading: Reading) -> tuple[str, ...]:
    if definition.classes == "present":
        return _names(reading.present)
    return _names(tuple(sorted({*reading.present, *reading.outputs})))


def _why_undefined(name: str, reading: Reading) -> str:
    base = name.removesuffix(CLOSED)
    silent = [code for code in reading.present if code not in reading.outputs]
    if base == "auroc_ovr_macro_present" and silent:
        return f"the classifier has no output for {', '.join(_names(tuple(silent)))}"
    if base == "other_rate":
        return "the classifier has no output 'other'"
    if len(reading.present) == 1:
        return f"all images are {CLASSES[reading.present[0]]}: nothing to tell apart"
    return "every prediction is the same class: the correlation is 0/0"


def _notes(definition: MetricDefinition, reading: Reading) -> tuple[str, ...]:
    notes = []
    name = definition.name.removesuffix(CLOSED)
    never = [CLASSES[code] for code in reading.present if not np.any(reading.predicted == code)]
    if name.startswith("precision") and never:
        notes.append(f"precision of {', '.join(never)} is undefined (never predicted) and counts 0")
    absent = [CLASSES[code] for code in reading.outputs if code not in reading.present]
    if name == "f1_macro_all" and absent:
        notes.append(f"no image is {', '.join(absent)}: F1 counts 0")
    if definition.name.endswith(CLOSED) and reading.n_without_mass:
        notes.append(f"{reading.n_without_mass} images have no mass on the present classes and count as wrong")
    return tuple(notes)


def _names(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(CLASSES[code] for code in codes)


def _plain(table: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if table is None else {name: entry.to_json() for name, entry in table.items()}
