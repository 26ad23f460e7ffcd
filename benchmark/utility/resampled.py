"""Every metric on R weightings of the same images at once: what a bootstrap needs to be fast.

All functions take weights (R, n) and return (R,); NaN marks a weighting in which the metric is undefined. A class
that a replicate lost altogether is left out of that replicate's macro averages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.utility.definitions import CLOSED, metric_definitions
from benchmark.utility.readings import Reading, closed_reading

Array = NDArray[np.float64]
ECE_BINS = 15
_CHUNK = 4_000_000
_K = len(CLASSES)


def resampled(
    reading: Reading, protocol: str, weights: NDArray[np.uint32], closed_to: tuple[int, ...] | None = None
) -> dict[str, Array]:
    """Every metric of the protocol on every weighting.

    Args:
        reading: the open reading.
        protocol: `suite-v1` or `paper-2407.20072`.
        weights: (R, n) non-negative counts.
        closed_to: classes of the closed reading; default: those present in `reading`.

    Returns:
        {name: (R,)}, NaN where undefined.
    """
    kept = reading.present if closed_to is None else closed_to
    rows = max(1, _CHUNK // max(1, weights.shape[1]))
    parts: list[dict[str, Array]] = []
    for start in range(0, len(weights), rows):
        chunk = weights[start : start + rows].astype(np.float64)
        if protocol == "suite-v1":
            values = _suite(reading, chunk)
            values |= {name + CLOSED: value for name, value in _suite(closed_reading(reading, kept), chunk).items()}
        else:
            values = _paper(reading, chunk)
        parts.append(values)
    names = [metric.name for metric in metric_definitions(protocol)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _suite(reading: Reading, weights: Array) -> dict[str, Array]:
    matrix = confusion(reading, weights)
    recall = macro_recall(matrix, reading.present)
    other = CLASSES.index("other")
    all_classes = tuple(sorted({*reading.present, *reading.outputs}))
    return {
        "accuracy": accuracy(matrix),
        "balanced_accuracy": recall,
        "f1_macro_present": macro_f1(matrix, reading.present, reading.present),
        "f1_macro_all": macro_f1(matrix, all_classes, reading.present),
        "precision_macro_present": macro_precision(matrix, reading.present),
        "recall_macro_present": recall,
        "auroc_ovr_macro_present": macro_auroc(reading, weights),
        "mcc": matthews(matrix),
        "brier": _mean(brier_of_each(reading), weights),
        "ece": calibration_error(reading, weights),
        "other_rate": _mean((reading.predicted == other).astype(np.float64), weights)
        if other in reading.outputs
        else np.full(len(weights), np.nan),
    }


def _paper(reading: Reading, weights: Array) -> dict[str, Array]:
    matrix = confusion(reading, weights)
    return {
        "accuracy": accuracy(matrix),
        "f1_paper": macro_f1(matrix, reading.present, reading.present),
        "precision_paper": macro_precision(matrix, reading.present),
        "recall_paper": macro_recall(matrix, reading.present),
        "auc_paper": _macro(paper_areas(matrix, reading.present), matrix.sum(axis=2), reading.present),
    }


def confusion(reading: Reading, weights: Array) -> Array:
    """(R, 5, 6) weighted counts, rows true, columns predicted; the last column is `NO_PREDICTION`."""
    cells = reading.labels * (_K + 1) + reading.predicted
    onehot = np.zeros((len(cells), _K * (_K + 1)))
    onehot[np.arange(len(cells)), cells] = 1
    return (weights @ onehot).reshape(len(weights), _K, _K + 1)


def accuracy(matrix: Array) -> Array:
    """Share of the diagonal."""
    return _diagonal(matrix).sum(axis=1) / matrix.sum(axis=(1, 2))


def macro_recall(matrix: Array, classes: tuple[int, ...]) -> Array:
    """Mean over `classes` of true positives by support."""
    support = matrix.sum(axis=2)
    return _macro(_ratio(_diagonal(matrix), support), support, classes)


def macro_precision(matrix: Array, classes: tuple[int, ...]) -> Array:
    """Mean over `classes` of true positives by predictions; a class never predicted counts 0."""
    return _macro(_ratio(_diagonal(matrix), matrix[:, :, :_K].sum(axis=1)), matrix.sum(axis=2), classes)


def macro_f1(matrix: Array, classes: tuple[int, ...], present: tuple[int, ...]) -> Array:
    """Mean over `classes` of 2 TP / (support + predictions), 0 for a class with neither."""
    support = matrix.sum(axis=2)
    f1 = _ratio(2 * _diagonal(matrix), support + matrix[:, :, :_K].sum(axis=1))
    counted = support.copy()
    counted[:, [code for code in classes if code not in present]] = 1  # an absent class is never "lost": it counts
    return _macro(f1, counted, classes)


def matthews(matrix: Array) -> Array:
    """Multi-class Matthews correlation, in [-1, 1] (Gorodkin 2004); undefined for one class or one prediction."""
    true, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    total, correct = matrix.sum(axis=(1, 2)), _diagonal(matrix).sum(axis=1)
    covariance = correct * total - (true * predicted[:, :_K]).sum(axis=1)
    product = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return np.divide(covariance, np.sqrt(product), out=np.full(len(matrix), np.nan), where=product > 0)


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
        sensitivity = 1 - _ratio(negative[:, code], support[:, code])
        rejected = negative[:, others].sum(axis=1)
        specificity = np.divide(rejected, rest, out=np.full(len(matrix), np.nan), where=rest > 0)
        areas[:, code] = (sensitivity + specificity) / 2
    return areas


def macro_auroc(reading: Reading, weights: Array) -> Array:
    """Mean one-vs-rest area under the ROC curve of the scores (ties count half); NaN where a present class has no
    output, or nothing to be compared with."""
    if any(code not in reading.outputs for code in reading.present):
        return np.full(len(weights), np.nan)
    areas, support = np.zeros((len(weights), _K)), np.zeros((len(weights), _K))
    for code in reading.present:
        positive = (reading.labels == code).astype(np.float64)
        areas[:, code] = weighted_auroc(reading.probabilities[:, code], positive, weights)
        support[:, code] = weights @ positive
    return _macro(areas, support, reading.present)


def weighted_auroc(scores: Array, positive: Array, weights: Array) -> Array:
    """Area under the ROC curve for each row of weights, by one sort: P(score+ > score-) + P(equal) / 2."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    sorted_weights = weights[:, order]
    up = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    down = np.add.reduceat(sorted_weights * (1 - positive[order]), starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    pairs = up.sum(axis=1) * down.sum(axis=1)
    won = (up * (below + down / 2)).sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def brier_of_each(reading: Reading) -> Array:
    """(n,) squared distance of the probabilities to the one-hot label, summed over classes, 0 to 2."""
    distance = reading.probabilities.copy()
    distance[np.arange(len(distance)), reading.labels] -= 1
    return (distance**2).sum(axis=1)


def calibration_error(reading: Reading, weights: Array) -> Array:
    """Expected calibration error: 15 bins (lower edge open, 0 in the first) of the top probability."""
    confidence = reading.probabilities.max(axis=1)
    gap = (reading.predicted == reading.labels) - confidence
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gaps = np.zeros((len(bins), ECE_BINS))
    gaps[np.arange(len(bins)), bins] = gap
    return np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


def _mean(values: Array, weights: Array) -> Array:
    return weights @ values / weights.sum(axis=1)


def _diagonal(matrix: Array) -> Array:
    return np.diagonal(matrix[:, :, :_K], axis1=1, axis2=2)


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def _macro(values: Array, support: Array, classes: tuple[int, ...]) -> Array:
    """Mean over the `classes` that have support in the row."""
    held = support[:, classes] > 0
    return np.where(held, values[:, classes], 0).sum(axis=1) / held.sum(axis=1)
