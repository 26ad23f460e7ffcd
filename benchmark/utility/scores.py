"""Predictions -> metrics with 95 % intervals over clusters. Works on anybody's predictions, without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.errors import UsageError
from benchmark.statistics import cluster_weights, percentile_interval
from benchmark.utility.definitions import CLOSED, OWN, SCORING_VERSION, SKLEARN, MetricDefinition, metric_definitions
from benchmark.utility.readings import NO_PREDICTION, Reading, closed_reading, open_reading
from benchmark.utility.resampled import resampled

REPLICATES = 1000


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
    return _score(reading, protocol, reading.present, (replicates, seed))


def score_by_center(
    predictions: pd.DataFrame, protocol: str = "suite-v1", replicates: int = REPLICATES, seed: int = 0
) -> dict[str, ScoreResult]:
    """Scores of each centre (country) alone, sorted by its name; images without a centre are left out.

    Macro averages run over the classes that the centre has, the closed reading keeps the classes of the whole target.
    """
    metric_definitions(protocol)
    present = open_reading(predictions).present
    centers = sorted({center for center in predictions["center"] if center})
    rows = {center: predictions[predictions["center"] == center] for center in centers}
    return {center: _score(open_reading(part), protocol, present, (replicates, seed)) for center, part in rows.items()}


def worst_center(by_center: dict[str, ScoreResult], metric: str = "accuracy") -> tuple[str, float] | None:
    """The centre with the worst defined value of a metric, and that value; `None` where no centre has one."""
    values = {center: result.metrics[metric] for center, result in by_center.items()}
    defined = {center: entry.value for center, entry in values.items() if entry.value is not None}
    if not defined:
        return None
    lower = next(iter(values.values())).direction == "lower"
    name = max(defined, key=lambda key: defined[key]) if lower else min(defined, key=lambda key: defined[key])
    return name, defined[name]


def _score(reading: Reading, protocol: str, closed_to: tuple[int, ...], draw: tuple[int, int]) -> ScoreResult:
    replicates, seed = draw
    closed = closed_reading(reading, closed_to)
    ones = np.ones((1, len(reading.labels)), dtype=np.uint32)
    own = {name: float(value[0]) for name, value in resampled(reading, protocol, ones, closed_to).items()}
    weights = cluster_weights(reading.clusters, replicates, seed) if replicates else ones[:0]
    samples = resampled(reading, protocol, weights, closed_to) if replicates else {}
    metrics = {}
    for metric in metric_definitions(protocol):
        shown = closed if metric.name.endswith(CLOSED) else reading
        value = own[metric.name]
        if np.isfinite(value) and metric.backend == SKLEARN:
            value = _SKLEARN[metric.name.removesuffix(CLOSED)](shown)
        metrics[metric.name] = _metric(metric, shown, value, samples.get(metric.name))
    counts = np.zeros((len(CLASSES), len(CLASSES)), dtype=int)
    kept = reading.predicted != NO_PREDICTION
    np.add.at(counts, (reading.labels[kept], reading.predicted[kept]), 1)
    return ScoreResult(
        protocol=protocol,
        n_images=len(reading.labels),
        n_clusters=len(np.unique(reading.clusters)),
        classes_present=_names(reading.present),
        outputs=_names(reading.outputs),
        n_without_mass=closed.n_without_mass,
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        n_replicates=replicates,
        seed=seed,
        metrics=metrics,
        replicates=samples,
    )


def _metric(
    definition: MetricDefinition, reading: Reading, value: float, samples: NDArray[np.float64] | None
) -> MetricValue:
    defined = bool(np.isfinite(value))
    bounds = percentile_interval(samples) if defined and samples is not None else None
    reason = None if defined else _why_undefined(definition.name, reading)
    if defined and samples is not None and bounds is None:
        reason = "no interval: undefined in too many bootstrap replicates"
    direction = definition.direction
    if definition.name == "other_rate" and CLASSES.index("other") in reading.present:
        direction = "none"
    return MetricValue(
        value=value if defined else None,
        ci_low=bounds[0] if bounds else None,
        ci_high=bounds[1] if bounds else None,
        direction=direction,
        limits=definition.limits,
        class_set=_class_set(definition, reading),
        averaging=definition.averaging,
        n_images=len(reading.labels),
        n_clusters=len(np.unique(reading.clusters)),
        backend=definition.backend,
        backend_version=SCORING_VERSION if definition.backend == OWN else version(SKLEARN),
        reason=reason,
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


def _f1(reading: Reading, classes: tuple[int, ...]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(reading.labels, reading.predicted, labels=classes, average="macro", zero_division=0))


def _f1_present(reading: Reading) -> float:
    return _f1(reading, reading.present)


def _f1_all(reading: Reading) -> float:
    return _f1(reading, tuple(sorted({*reading.present, *reading.outputs})))


def _accuracy(reading: Reading) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(reading.labels, reading.predicted))


def _precision(reading: Reading) -> float:
    from sklearn.metrics import precision_score

    options: dict[str, Any] = {"labels": reading.present, "average": "macro", "zero_division": 0}
    return float(precision_score(reading.labels, reading.predicted, **options))


def _recall(reading: Reading) -> float:
    from sklearn.metrics import recall_score

    return float(recall_score(reading.labels, reading.predicted, labels=reading.present, average="macro"))


def _auroc(reading: Reading) -> float:
    from sklearn.metrics import roc_auc_score

    areas = [roc_auc_score(reading.labels == code, reading.probabilities[:, code]) for code in reading.present]
    return float(np.mean(areas))


def _mcc(reading: Reading) -> float:
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(reading.labels, reading.predicted))


_SKLEARN: dict[str, Callable[[Reading], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _recall,
    "f1_macro_present": _f1_present,
    "f1_macro_all": _f1_all,
    "precision_macro_present": _precision,
    "recall_macro_present": _recall,
    "auroc_ovr_macro_present": _auroc,
    "mcc": _mcc,
    "f1_paper": _f1_present,
    "precision_paper": _precision,
    "recall_paper": _recall,
}
