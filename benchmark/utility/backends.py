"""The value of a metric on all images by scikit-learn, where it has the metric; replicates are computed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmark.utility.readings import Reading


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


SKLEARN_VALUES: dict[str, Callable[[Reading], float]] = {
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
"""Functions of an open or closed reading, by the metric's name without `_closed`."""
