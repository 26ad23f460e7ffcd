"""Every metric on R resamplings of the clusters at once: what a bootstrap needs to be fast.

A replicate is a row of counts, how often each cluster enters it. Confusion matrices, Brier score, calibration error
and other-rate are linear in sums over clusters, areas under ROC curves are quadratic (`benchmark.utility.ranking`), so
all replicates are a few matrix products. NaN marks a replicate in which a metric is undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.utility.calibration import ECE_BINS, brier_of_each, confidence_bins, confidence_gaps
from benchmark.utility.confusions import (
    Array,
    accuracy,
    macro,
    macro_f1,
    macro_precision,
    macro_recall,
    matthews,
    paper_areas,
    ratio,
)
from benchmark.utility.definitions import CLOSED, metric_definition, metric_definitions
from benchmark.utility.ranking import pair_matrix, paired_auroc, pairs_are_faster, weighted_auroc
from benchmark.utility.readings import Reading, closed_reading

_CHUNK = 4_000_000
_K = len(CLASSES)
_OTHER = CLASSES.index("other")


def resampled(
    reading: Reading,
    protocol: str,
    counts: NDArray[Any],
    closed_to: tuple[int, ...] | None = None,
    metrics: Sequence[str] | None = None,
) -> dict[str, Array]:
    """Metrics of a protocol on every resampling of the clusters.

    Args:
        reading: the open reading.
        protocol: `suite-v1` or `paper-2407.20072`.
        counts: (R, C) how often each cluster enters each replicate, clusters in the order of `reading.cluster_names`
            (`benchmark.statistics.cluster_counts` of `reading.clusters`). A row of ones is the sample itself.
        closed_to: classes of the closed reading; default: those present in `reading`.
        metrics: names to compute, and nothing else; default: all of the protocol.

    Returns:
        {name: (R,)}, NaN where undefined.

    Raises:
        UnknownNameError: no such protocol or metric.
        ValueError: counts do not have one column a cluster.
    """
    asked = [metric.name for metric in metric_definitions(protocol)] if metrics is None else list(metrics)
    names = [metric_definition(name, protocol).name for name in asked]
    shown = {"": reading}
    if any(name.endswith(CLOSED) for name in names):
        shown[CLOSED] = closed_reading(reading, reading.present if closed_to is None else closed_to)
    sums = {suffix: ClusterSums(one, len(counts)) for suffix, one in shown.items()}
    found: dict[str, list[Array]] = {name: [] for name in names}
    for part in chunks(reading, counts):
        draws = {suffix: Draws(one, part) for suffix, one in sums.items()}
        for name in names:
            suffix = CLOSED if name.endswith(CLOSED) else ""
            found[name].append(_FORMULAS[name.removesuffix(CLOSED)](draws[suffix]))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def chunks(reading: Reading, counts: NDArray[Any]) -> Iterator[Array]:
    """The (R, C) counts as floats, in parts that keep the memory of any step to some tens of megabytes.

    Raises:
        ValueError: counts do not have one column a cluster.
    """
    if counts.ndim != 2 or counts.shape[1] != reading.n_clusters:
        raise ValueError(f"counts must be (R, {reading.n_clusters}), one column a cluster, not {counts.shape}")
    rows = max(1, _CHUNK // max(len(reading.labels), _K * (_K + 1)))
    for start in range(0, max(1, len(counts)), rows):
        yield np.asarray(counts[start : start + rows], dtype=np.float64)


def confusion(reading: Reading, counts: NDArray[Any]) -> Array:
    """(R, 5, 6) confusion matrices of (R, C) counts: rows true, columns predicted, the last `NO_PREDICTION`."""
    sums = ClusterSums(reading, len(counts))
    return np.concatenate([Draws(sums, part).matrix for part in chunks(reading, counts)])


def class_areas(reading: Reading, counts: NDArray[Any]) -> Array:
    """(R, 5) one-vs-rest area under the ROC curve of the scores of each class, on (R, C) counts.

    NaN where the replicate has no image of the class or none of any other, or the class is no output.
    """
    sums = ClusterSums(reading, len(counts))
    return np.concatenate([Draws(sums, part).areas for part in chunks(reading, counts)])


class ClusterSums:
    """What metrics need of a reading, added up within its C clusters, once for all replicates."""

    def __init__(self, reading: Reading, replicates: int) -> None:
        self.reading = reading
        self.by_pairs = pairs_are_faster(len(reading.labels), reading.n_clusters, replicates)

    @cached_property
    def cells(self) -> Array:
        """(C, 30) confusion matrix of each cluster."""
        return self._add(self.reading.labels * (_K + 1) + self.reading.predicted, _K * (_K + 1))

    @cached_property
    def brier(self) -> Array:
        """(C,) sum of squared distances."""
        return self._add(np.zeros_like(self.reading.labels), 1, brier_of_each(self.reading))[:, 0]

    @cached_property
    def gaps(self) -> Array:
        """(C, 15) sum over each bin of confidence of right minus confidence."""
        return self._add(confidence_bins(self.reading), ECE_BINS, confidence_gaps(self.reading))

    @cached_property
    def pairs(self) -> dict[int, Array]:
        """{class: (C, C)} won pairs of each class that is present and an output."""
        reading = self.reading
        codes, n_clusters = reading.cluster_codes, reading.n_clusters
        return {
            code: pair_matrix(reading.probabilities[:, code], reading.labels == code, codes, n_clusters)
            for code in reading.present
            if code in reading.outputs
        }

    def _add(self, places: NDArray[np.int64], width: int, values: Array | None = None) -> Array:
        cells = self.reading.cluster_codes * width + places
        added = np.bincount(cells, values, self.reading.n_clusters * width)
        return np.asarray(added, dtype=np.float64).reshape(self.reading.n_clusters, width)


@dataclass(frozen=True)
class Draws:
    """A reading under (R, C) counts; each part is computed when a metric first asks for it."""

    sums: ClusterSums
    counts: Array

    @property
    def reading(self) -> Reading:
        """The reading that is resampled."""
        return self.sums.reading

    @cached_property
    def matrix(self) -> Array:
        """(R, 5, 6) confusion matrices."""
        return (self.counts @ self.sums.cells).reshape(len(self.counts), _K, _K + 1)

    @cached_property
    def n_images(self) -> Array:
        """(R,) number of images in each replicate."""
        return np.asarray(self.matrix.sum(axis=(1, 2)))

    @cached_property
    def areas(self) -> Array:
        """(R, 5) area of each class, NaN where undefined."""
        reading, areas = self.reading, np.full((len(self.counts), _K), np.nan)
        support = self.matrix.sum(axis=2)
        weights = None if self.sums.by_pairs else self.counts[:, reading.cluster_codes]
        for code in reading.present:
            if code not in reading.outputs:
                continue
            if weights is None:
                rest = self.n_images - support[:, code]
                areas[:, code] = paired_auroc(self.sums.pairs[code], support[:, code], rest, self.counts)
            else:
                areas[:, code] = weighted_auroc(reading.probabilities[:, code], reading.labels == code, weights)
        return areas


def _recall(draws: Draws) -> Array:
    return macro_recall(draws.matrix, draws.reading.present)


def _precision(draws: Draws) -> Array:
    return macro_precision(draws.matrix, draws.reading.present)


def _f1(draws: Draws) -> Array:
    return macro_f1(draws.matrix, draws.reading.present, draws.reading.present)


def _f1_all(draws: Draws) -> Array:
    present = draws.reading.present
    return macro_f1(draws.matrix, tuple(sorted({*present, *draws.reading.outputs})), present)


def _auroc(draws: Draws) -> Array:
    if any(code not in draws.reading.outputs for code in draws.reading.present):
        return np.full(len(draws.counts), np.nan)
    return macro(draws.areas, draws.matrix.sum(axis=2), draws.reading.present)


def _auc_paper(draws: Draws) -> Array:
    areas = paper_areas(draws.matrix, draws.reading.present)
    return macro(areas, draws.matrix.sum(axis=2), draws.reading.present)


def _calibration_error(draws: Draws) -> Array:
    return ratio(np.abs(draws.counts @ draws.sums.gaps).sum(axis=1), draws.n_images, np.nan)


def _other_rate(draws: Draws) -> Array:
    if _OTHER not in draws.reading.outputs:
        return np.full(len(draws.counts), np.nan)
    return ratio(draws.matrix[:, :, _OTHER].sum(axis=1), draws.n_images, np.nan)


_FORMULAS: dict[str, Callable[[Draws], Array]] = {
    "accuracy": lambda draws: accuracy(draws.matrix),
    "balanced_accuracy": _recall,
    "f1_macro_present": _f1,
    "f1_macro_all": _f1_all,
    "precision_macro_present": _precision,
    "recall_macro_present": _recall,
    "auroc_ovr_macro_present": _auroc,
    "mcc": lambda draws: matthews(draws.matrix),
    "brier": lambda draws: ratio(draws.counts @ draws.sums.brier, draws.n_images, np.nan),
    "ece": _calibration_error,
    "other_rate": _other_rate,
    "f1_paper": _f1,
    "precision_paper": _precision,
    "recall_paper": _recall,
    "auc_paper": _auc_paper,
}
