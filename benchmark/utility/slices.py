"""Parts of a target: each class, each centre, the worst centre, the gap, and classes that all centres have.

All functions take cluster counts (R, C), clusters in the order of `reading.cluster_names`, and give (R,) or (R, 5) with
NaN where undefined. For centres the counts are drawn within each centre (`cluster_counts(reading.clusters, R, seed,
strata=reading.centers)`), so that each keeps its number of clusters. Rows of ones give the values of the sample itself.
With several repetitions on shared counts, take `worst_of` and `gap_of` of the mean over repetitions, never the mean of
each repetition's worst: the worst of noisy numbers is biased low, and more so the noisier each of them is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import harmonic_mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.utility.confusions import Array, class_ratios, ratio
from benchmark.utility.readings import Reading
from benchmark.utility.resampled import class_areas, confusion, resampled

CLASS_METRICS = ("precision", "recall", "f1", "auroc")
CENTER_METRICS = ("accuracy", "f1_macro_present", "auroc_ovr_macro_present")


def class_metrics(reading: Reading, counts: NDArray[Any]) -> dict[str, Array]:
    """`precision`, `recall`, `f1` and `auroc` (one against the rest, of the scores) of each class.

    Returns:
        {name: (R, 5)} in canonical order of the classes; NaN where the replicate has no image of the class, precision
        also where the class is never predicted, the area also where nothing is left to compare with.
    """
    return {**class_ratios(confusion(reading, counts)), "auroc": class_areas(reading, counts)}


def class_clusters(readings: Sequence[Reading]) -> dict[str, tuple[int, ...]]:
    """How many clusters carry each of `class_metrics`: what its interval may count on, however many others there are.

    Recall: clusters that hold the class. Precision: clusters with an image that is predicted as it. F1, whose
    denominator adds the two: clusters with either. AUROC: the clusters with positives or those with negatives,
    whichever are fewer. Predictions differ between repetitions; there it is the harmonic mean, rounded down, because
    the variance of a mean of S shares that err on the same patients goes with the mean of 1 / clusters. So one
    repetition that predicts the class in two clusters is not made up for by others that predict it in sixty.

    Args:
        readings: S >= 1 repetitions on the same images.

    Returns:
        {name of `CLASS_METRICS`: five numbers in canonical order of the classes}; 0 where nothing carries it.
    """
    each = [_carriers(reading) for reading in readings]
    return {
        name: tuple(int(harmonic_mean([one[name][code] for one in each])) for code in range(len(CLASSES)))
        for name in CLASS_METRICS
    }


def _carriers(reading: Reading) -> dict[str, list[int]]:
    held, taken, rest = (np.zeros((reading.n_clusters, len(CLASSES) + 1), dtype=bool) for _ in range(3))
    held[reading.cluster_codes, reading.labels] = True
    taken[reading.cluster_codes, reading.predicted] = True
    for code in range(len(CLASSES)):
        rest[reading.cluster_codes[reading.labels != code], code] = True
    recall, precision, f1, negative = (
        part[:, : len(CLASSES)].sum(axis=0) for part in (held, taken, held | taken, rest)
    )
    found = {"precision": precision, "recall": recall, "f1": f1, "auroc": np.minimum(recall, negative)}
    return {name: [int(count) for count in counts] for name, counts in found.items()}


def center_accuracy(reading: Reading, counts: NDArray[Any], classes: Sequence[int] | None = None) -> dict[str, Array]:
    """Accuracy of the images of each centre, by its name; images without a centre are left out.

    Args:
        reading: open or closed.
        counts: (R, C), drawn within centres.
        classes: only images whose label is one of these, as `shared_classes` gives them; default: all images.

    Returns:
        {centre: (R,)} in the order of the names; NaN where a replicate has none of the images.
    """
    asked = np.ones(len(reading.labels), dtype=bool) if classes is None else np.isin(reading.labels, list(classes))
    weights = np.asarray(counts, dtype=np.float64)
    found = {}
    for name in reading.center_names:
        inside = asked & (reading.centers == name)
        right = inside & (reading.predicted == reading.labels)
        sizes, hits = (np.bincount(reading.cluster_codes, mask, reading.n_clusters) for mask in (inside, right))
        found[name] = ratio(weights @ hits, weights @ sizes, np.nan)
    return found


def center_metrics(
    reading: Reading, counts: NDArray[Any], metrics: Sequence[str] = CENTER_METRICS
) -> dict[str, dict[str, Array]]:
    """Metrics of `suite-v1` on the images of each centre: {centre: {metric: (R,)}}.

    Macro averages run over the classes that the centre has; the closed reading keeps the classes of the whole target.
    """
    found = {}
    for name in reading.center_names:
        part = reading.take(reading.centers == name)
        columns = np.searchsorted(reading.cluster_names, part.cluster_names)
        found[name] = resampled(part, "suite-v1", counts[:, columns], closed_to=reading.present, metrics=metrics)
    return found


def shared_classes(reading: Reading) -> tuple[int, ...]:
    """The classes of which every centre has an image: what centres can be compared on."""
    held = [set(reading.labels[reading.centers == name].tolist()) for name in reading.center_names]
    return tuple(sorted(set.intersection(*held))) if held else ()


def centers_share_clusters(reading: Reading) -> bool:
    """Whether a cluster has images of more than one centre, so that centres cannot be resampled one by one."""
    pairs = {(cluster, center) for cluster, center in zip(reading.clusters, reading.centers, strict=True)}
    return len(pairs) > reading.n_clusters


def worst_of(accuracies: Mapping[str, Array]) -> Array:
    """(R,) the lowest centre of each replicate, NaN where a centre is undefined. Biased low, see above."""
    return np.min(np.stack(list(accuracies.values())), axis=0)


def gap_of(accuracies: Mapping[str, Array]) -> Array:
    """(R,) the highest minus the lowest centre of each replicate, NaN where a centre is undefined. Biased high."""
    return np.ptp(np.stack(list(accuracies.values())), axis=0)
