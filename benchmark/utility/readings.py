"""Predictions as arrays, in the open reading (all outputs) and the closed one (renormalised to present classes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.utility.predictions import cluster_of

NO_PREDICTION = len(CLASSES)
"""Code of a prediction without any mass on the classes that are asked for; it equals no label."""


@dataclass(frozen=True)
class Reading:
    """n predictions of C clusters; classes are positions in `CLASSES`.

    Attributes:
        labels: (n,) true classes.
        predicted: (n,) most probable class, ties to the first in canonical order, or `NO_PREDICTION`.
        probabilities: (n, 5); 0 for what is no output of the reading, a row of zeros where there is no prediction.
        present: classes over which macro averages run.
        outputs: classes that can be predicted.
        clusters: (n,) unit of resampling.
        centers: (n,) name of the centre, "" where it is not known.
    """

    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    present: tuple[int, ...]
    outputs: tuple[int, ...]
    clusters: NDArray[np.str_]
    centers: NDArray[np.str_]

    @cached_property
    def cluster_names(self) -> NDArray[np.str_]:
        """(C,) the clusters, sorted: the order of the columns of cluster counts."""
        return np.unique(self.clusters)

    @cached_property
    def cluster_codes(self) -> NDArray[np.int64]:
        """(n,) position of each image's cluster in `cluster_names`."""
        return np.searchsorted(self.cluster_names, self.clusters)

    @property
    def n_clusters(self) -> int:
        """Number C of clusters."""
        return len(self.cluster_names)

    @property
    def center_names(self) -> tuple[str, ...]:
        """The centres, sorted; images without a centre belong to none."""
        return tuple(str(name) for name in np.unique(self.centers) if name)

    @property
    def n_without_mass(self) -> int:
        """Number of images without a prediction."""
        return int(np.count_nonzero(self.predicted == NO_PREDICTION))

    def take(self, rows: NDArray[np.bool_]) -> Reading:
        """The reading of some of the images, (n,) marked; the classes present are those of these images."""
        return Reading(
            labels=self.labels[rows],
            predicted=self.predicted[rows],
            probabilities=self.probabilities[rows],
            present=_present(self.labels[rows]),
            outputs=self.outputs,
            clusters=self.clusters[rows],
            centers=self.centers[rows],
        )


def open_reading(frame: pd.DataFrame) -> Reading:
    """All outputs of the classifier as they are."""
    labels = np.array([CLASSES.index(label) for label in frame["label"]], dtype=np.int64)
    outputs = tuple(code for code, name in enumerate(CLASSES) if f"p_{name}" in frame.columns)
    probabilities = np.zeros((len(frame), len(CLASSES)))
    for code in outputs:
        probabilities[:, code] = frame[f"p_{CLASSES[code]}"].to_numpy(dtype=np.float64)
    centers = np.array([str(center) for center in frame["center"]])
    predicted = _top(probabilities, outputs)
    return Reading(labels, predicted, probabilities, _present(labels), outputs, cluster_of(frame), centers)


def closed_reading(reading: Reading, kept: Sequence[int]) -> Reading:
    """Renormalise to the `kept` classes; an image without mass on them has no prediction and counts as wrong."""
    outputs = tuple(code for code in reading.outputs if code in kept)
    masked = np.zeros_like(reading.probabilities)
    masked[:, outputs] = reading.probabilities[:, outputs]
    mass = masked.sum(axis=1, keepdims=True)
    probabilities = np.divide(masked, mass, out=np.zeros_like(masked), where=mass > 0)
    predicted = np.where(mass[:, 0] > 0, _top(probabilities, outputs), NO_PREDICTION)
    return replace(reading, predicted=predicted, probabilities=probabilities, outputs=outputs)


def _present(labels: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(code) for code in np.unique(labels))


def _top(probabilities: NDArray[np.float64], outputs: Sequence[int]) -> NDArray[np.int64]:
    if not outputs:
        return np.full(len(probabilities), NO_PREDICTION, dtype=np.int64)
    return np.asarray(outputs, dtype=np.int64)[np.argmax(probabilities[:, outputs], axis=1)]
