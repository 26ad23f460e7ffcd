"""An interval of a class counts on the clusters that carry it, not on all that the target has."""

from __future__ import annotations

from collections.abc import Callable
from statistics import harmonic_mean

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from benchmark.classes import CLASSES
from benchmark.utility.readings import Reading, open_reading
from benchmark.utility.scores import score
from benchmark.utility.slices import class_clusters

Build = Callable[..., pd.DataFrame]
THORAX = CLASSES.index("thorax")


def _rare(frame_of: Build, thorax: int, predicted: int = THORAX) -> pd.DataFrame:
    """66 patients with a brain each; the first of them also with a thorax, predicted as told."""
    labels = ["brain"] * 66 + ["thorax"] * thorax
    patients = [f"p{place}" for place in [*range(66), *range(thorax)]]
    return frame_of(labels, np.eye(5)[[2] * 66 + [predicted] * thorax], patients)


def _reading(frame_of: Build, labels: list[int], predicted: list[int], patients: list[str]) -> Reading:
    return open_reading(frame_of([CLASSES[code] for code in labels], np.eye(5)[predicted], patients))


def test_three_right_images_in_three_of_66_clusters_are_worth_three(frame_of: Build) -> None:
    found = score(_rare(frame_of, 3), replicates=1000).per_class
    assert found is not None
    lowest = 3 / (3 + student.ppf(0.975, 2) ** 2)
    for name in ("recall", "precision", "f1", "auroc"):
        assert (found["thorax"].values[name].ci_low, found["thorax"].values[name].ci_high) == pytest.approx((lowest, 1))
    brain = found["brain"].values
    assert brain["recall"].ci_low == pytest.approx(66 / (66 + student.ppf(0.975, 65) ** 2))
    assert brain["auroc"].ci_low == pytest.approx(lowest)  # against three clusters with an image to tell it from


def test_a_class_that_is_never_right_is_bounded_by_its_own_clusters_too(frame_of: Build) -> None:
    found = score(_rare(frame_of, 3, predicted=0), replicates=1000).per_class
    assert found is not None
    recall = found["thorax"].values["recall"]
    assert (recall.ci_low, recall.ci_high) == pytest.approx((0, 1 - 3 / (3 + student.ppf(0.975, 2) ** 2)))


def test_a_class_of_one_cluster_has_no_interval_however_many_clusters_there_are(frame_of: Build) -> None:
    found = score(_rare(frame_of, 1), replicates=100).per_class
    assert found is not None
    for value in found["thorax"].values.values():
        assert (value.value, value.ci_low) == (1.0, None)
        assert value.reason == "no interval: all images that count are of one cluster, which says nothing about others"


def test_each_metric_is_carried_by_the_clusters_of_its_denominator(frame_of: Build) -> None:
    # Clusters a, a, b, b, c, d, e: thorax is held by a and b, predicted in b, c and d.
    reading = _reading(frame_of, [4, 4, 4, 2, 2, 2, 2], [2, 2, 4, 4, 4, 4, 2], list("aabbcde"))
    found = class_clusters([reading])
    assert {name: counts[THORAX] for name, counts in found.items()} == {
        "precision": 3,
        "recall": 2,
        "f1": 4,
        "auroc": 2,
    }
    assert found["auroc"][2] == 2  # brain is held by b, c, d and e, any other class by a and b
    assert {counts[CLASSES.index("femur")] for counts in found.values()} == {0}


def test_over_repetitions_predictions_count_by_the_harmonic_mean(frame_of: Build) -> None:
    labels, patients = [4] * 12, [f"p{place}" for place in range(12)]
    often = _reading(frame_of, labels, [4] * 12, patients)
    seldom = _reading(frame_of, labels, [4] * 2 + [0] * 10, patients)
    never = _reading(frame_of, labels, [0] * 12, patients)
    found = class_clusters([often, seldom, seldom])
    assert found["precision"][THORAX] == int(harmonic_mean([12, 2, 2])) == 2
    assert found["recall"][THORAX] == found["f1"][THORAX] == 12
    assert class_clusters([often, never])["precision"][THORAX] == 0
    assert class_clusters([often] * 3)["precision"][THORAX] == 12
