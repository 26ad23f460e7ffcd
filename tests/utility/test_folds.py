"""Folds of the upper reference on targets that cannot be cut evenly."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.errors import BenchError
from benchmark.execution.utility_cell import FOLDS, cluster_folds


def _skewed() -> tuple[np.ndarray, list[str]]:
    """Five clusters of one class each, two of them with nearly all images."""
    parts = [(1, 2), (20, 3), (2, 4), (20, 2), (2, 1)]
    labels = np.concatenate([np.full(size, code) for size, code in parts])
    return labels, [f"c{place}" for place, (size, _) in enumerate(parts) for _ in range(size)]


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_no_fold_is_without_images_and_each_image_is_predicted_once() -> None:
    labels, clusters = _skewed()
    folds = list(cluster_folds(labels, clusters, FOLDS, seed=113))
    assert len(folds) == FOLDS - 1
    assert all(len(train) and len(test) for train, test in folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(labels)))


def test_classes_that_are_all_smaller_than_the_folds_say_what_to_do() -> None:
    labels = np.arange(16) % 4
    with pytest.raises(BenchError, match=r"has 4 images, too few for 5 folds\. Leave .*upper_reference=false"):
        list(cluster_folds(labels, [f"c{place}" for place in range(16)], FOLDS, seed=0))
