"""Parts of a target: each class, each centre, the worst centre, the gap, and classes that all centres have.

All functions take cluster counts (R, C), clusters in the order of `reading.cluster_names`, and give (R,) or (R, 5) with
NaN where undefined. For centres the counts are drawn within each centre (`cluster_counts(reading.clusters, R, seed,
strata=reading.centers)`), so that each keeps its number of clusters. Rows of ones give the values of the sample itself.
With several repetitions on shared counts, take `worst_of` and `gap_of` of the mean over repetitions, never the mean of
each repetition's worst: the worst of noisy numbers is biased low, and more so the noisier each of them is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
