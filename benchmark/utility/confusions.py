"""Metrics of confusion matrices, R matrices at once.

A matrix is (R, 5, 6): rows true, columns predicted, the last column `NO_PREDICTION`. NaN marks a matrix in which a
metric is undefined. A class that a replicate lost altogether is left out of that replicate's macro averages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES

Array = NDArray[np.float64]
_K = len(CLASSES)


def accuracy(matrix: Array) -> Array:
    """(R,) share of the diagonal."""
    return ratio(_hits(matrix).sum(axis=1), matrix.sum(axis=(1, 2)), np.nan)


def macro_recall(matrix: Array, classes: tuple[int, ...]) -> Array:
    """(R,) mean over `classes` of true positives by support."""
    support = matrix.sum(axis=2)
    return macro(ratio(_hits(matrix), support, 0.0), support, classes)


def macro_precision(matrix: Array, classes: tuple[int, ...]) -> Array:
    """(R,) mean over `classes` of true positives by predictions; a class never predicted counts 0."""
    return macro(ratio(_hits(matrix), _predictions(matrix), 0.0), matrix.sum(axis=2), classes)


def macro_f1(matrix: Array, classes: tuple[int, ...], present: tuple[int, ...]) -> Array:
    """(R,) mean over `classes` of 2 TP / (support + predictions), 0 for a class with neither."""
    support = matrix.sum(axis=2)
    f1 = ratio(2 * _hits(matrix), support + _predictions(matrix), 0.0)
    counted = support.copy()
    counted[:, [code for code in classes if code not in present]] = 1  # an absent class is never "lost": it counts
    return macro(f1, counted, classes)


def class_ratios(matrix: Array) -> dict[str, Array]:
    """`precision`, `recall`, `f1` of each class, (R, 5); NaN where the class has no image or, for precision, no
    prediction."""
    support, predictions, hits = matrix.sum(axis=2), _predictions(matrix), _hits(matrix)
    held = support > 0
    found = {
        "precision": ratio(hits, predictions, np.nan),
        "recall": ratio(hits, support, np.nan),
        "f1": ratio(2 * hits, support + predictions, np.nan),
    }
    return {name: np.where(held, values, np.nan) for name, values in found.items()}


def matthews(matrix: Array) -> Array:
    """(R,) multi-class Matthews correlation, in [-1, 1] (Gorodkin 2004); undefined for one class or one prediction."""
    true, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    total, correct = matrix.sum(axis=(1, 2)), _hits(matrix).sum(axis=1)
    covariance = correct * total - (true * predicted[:, :_K]).sum(axis=1)
    product = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return ratio(covariance, np.sqrt(product), np.nan)


def paper_areas(matrix: Array, present: tuple[int, ...]) -> Array:
    """(R, 5) the study's AUC of hard labels (FU-LoRA notebook): per present class (sensitivity + specificity) / 2.

    A sample is negative only if one of the *other present* classes is predicted, so that a prediction of an absent
    class counts as positive for every class.
    """
    areas = np.zeros((len(matrix), _K))
    support = matrix.sum(axis=2)
    for code in present:
        others = [other for other in present if other != code]
        negative = matrix[:, :, others].sum(axis=2)
        rest = support[:, others].sum(axis=1)
        sensitivity = 1 - ratio(negative[:, code], support[:, code], 0.0)
        specificity = ratio(negative[:, others].sum(axis=1), rest, np.nan)
        areas[:, code] = (sensitivity + specificity) / 2
    return areas


def macro(values: Array, support: Array, classes: tuple[int, ...]) -> Array:
    """(R,) mean of (R, 5) values over the `classes` that have support in the row; NaN where none has."""
    held = support[:, classes] > 0
    total = np.where(held, values[:, classes], 0).sum(axis=1)
    return ratio(total, held.sum(axis=1).astype(np.float64), np.nan)


def ratio(above: Array, below: Array, undefined: float) -> Array:
    """`above / below`, and `undefined` where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), undefined), where=below > 0)


def _hits(matrix: Array) -> Array:
    return np.diagonal(matrix[:, :, :_K], axis1=1, axis2=2)


def _predictions(matrix: Array) -> Array:
    return np.asarray(matrix[:, :, :_K].sum(axis=1))
