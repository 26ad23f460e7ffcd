"""Metrics the slow way, for comparison: scikit-learn on images that really stand several times, and plain loops."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES

Rows = NDArray[np.float64]


class Sample:
    """Images of one replicate: labels, probabilities of the outputs, and what the whole target fixes."""

    def __init__(self, labels: Sequence[int], rows: Rows, present: Sequence[int], outputs: Sequence[int]) -> None:
        self.labels = [int(label) for label in labels]
        self.rows = rows
        self.present = list(present)
        self.outputs = list(outputs)
        self.predicted = [self._argmax(row) for row in rows]

    def _argmax(self, row: Sequence[float]) -> int:
        best = len(CLASSES)
        for code in self.outputs:
            if row[code] > (row[best] if best < len(CLASSES) else 0.0):
                best = code
        return best

    @property
    def held(self) -> list[int]:
        """Classes that this replicate has an image of."""
        return sorted(set(self.labels))

    def closed(self) -> Sample:
        outputs = [code for code in self.outputs if code in self.present]
        rows = np.zeros_like(self.rows)
        for place, row in enumerate(self.rows):
            mass = sum(row[code] for code in outputs)
            for code in outputs:
                rows[place, code] = row[code] / mass if mass > 0 else 0.0
        return Sample(self.labels, rows, self.present, outputs)


def _f1(sample: Sample, classes: Sequence[int]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(sample.labels, sample.predicted, labels=list(classes), average="macro", zero_division=0))


def f1_all(sample: Sample) -> float:
    lost = set(sample.present) - set(sample.held)
    return _f1(sample, sorted(({*sample.present, *sample.outputs}) - lost))


def accuracy(sample: Sample) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(sample.labels, sample.predicted))


def precision(sample: Sample) -> float:
    from sklearn.metrics import precision_score

    found = precision_score(sample.labels, sample.predicted, labels=sample.held, average="macro", zero_division=0)
    return float(found)


def recall(sample: Sample) -> float:
    from sklearn.metrics import balanced_accuracy_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # predictions of an absent class
        return float(balanced_accuracy_score(sample.labels, sample.predicted))


def area(sample: Sample, code: int) -> float:
    """One class against the rest by scikit-learn; NaN without an output, a positive or a negative."""
    from sklearn.metrics import roc_auc_score

    positive = [label == code for label in sample.labels]
    if code not in sample.outputs or all(positive) or not any(positive):
        return math.nan
    return float(roc_auc_score(positive, sample.rows[:, code]))


def area_by_pairs(sample: Sample, code: int) -> float:
    """The same by counting pairs."""
    pairs = [
        0.5 if up == down else float(up > down)
        for up, true in zip(sample.rows[:, code], sample.labels, strict=True)
        if true == code
        for down, other in zip(sample.rows[:, code], sample.labels, strict=True)
        if other != code
    ]
    return sum(pairs) / len(pairs) if pairs and code in sample.outputs else math.nan


def auroc(sample: Sample) -> float:
    if not set(sample.present) <= set(sample.outputs):
        return math.nan
    return sum(area(sample, code) for code in sample.held) / len(sample.held)


def mcc(sample: Sample) -> float:
    from sklearn.metrics import matthews_corrcoef

    if len(set(sample.labels)) == 1 or len(set(sample.predicted)) == 1:
        return math.nan  # 0/0, which scikit-learn gives as 0
    return float(matthews_corrcoef(sample.labels, sample.predicted))


def brier(sample: Sample) -> float:
    total = 0.0
    for label, row in zip(sample.labels, sample.rows, strict=True):
        total += sum((row[code] - (code == label)) ** 2 for code in range(len(CLASSES)))
    return total / len(sample.labels)


def ece(sample: Sample) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for label, guess, row in zip(sample.labels, sample.predicted, sample.rows, strict=True):
        top = max(row)
        place = next(k for k in range(1, 16) if top <= k / 15 or k == 15)
        bins.setdefault(place, []).append((top, guess == label))
    gaps = [abs(sum(right for _, right in inside) - sum(top for top, _ in inside)) for inside in bins.values()]
    return sum(gaps) / len(sample.labels)


def other_rate(sample: Sample) -> float:
    return sum(guess == 0 for guess in sample.predicted) / len(sample.labels) if 0 in sample.outputs else math.nan


def auc_paper(sample: Sample) -> float:
    """The notebook's: a sample is negative for a class where another present class is predicted."""
    areas = []
    for code in sample.held:
        others = [other for other in sample.present if other != code]
        of_class = [
            guess in others for guess, true in zip(sample.predicted, sample.labels, strict=True) if true == code
        ]
        of_rest = [
            guess in others for guess, true in zip(sample.predicted, sample.labels, strict=True) if true in others
        ]
        if not of_rest:
            return math.nan
        areas.append((1 - sum(of_class) / len(of_class) + sum(of_rest) / len(of_rest)) / 2)
    return sum(areas) / len(areas)


ORACLES: dict[str, Callable[[Sample], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": recall,
    "f1_macro_present": lambda sample: _f1(sample, sample.held),
    "f1_macro_all": f1_all,
    "precision_macro_present": precision,
    "recall_macro_present": recall,
    "auroc_ovr_macro_present": auroc,
    "mcc": mcc,
    "brier": brier,
    "ece": ece,
    "other_rate": other_rate,
    "f1_paper": lambda sample: _f1(sample, sample.held),
    "precision_paper": precision,
    "recall_paper": recall,
    "auc_paper": auc_paper,
}
