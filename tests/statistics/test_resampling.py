from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import cluster_counts


def test_as_many_clusters_are_drawn_as_there_are() -> None:
    counts = cluster_counts(np.array(["a", "b", "a", "c", "b", "a"]), 200, seed=1)
    assert counts.shape == (200, 3)
    assert np.all(counts.sum(axis=1) == 3)


def test_the_columns_are_the_clusters_in_the_order_of_their_names_as_text() -> None:
    numbers, texts = (cluster_counts(np.array(ids), 100, seed=3) for ids in ([10, 9, 9, 100], ["10", "9", "100"]))
    assert numbers.shape == (100, 3)
    assert np.array_equal(numbers, texts)
    strata = cluster_counts(np.array([10, 9, 100]), 100, 0, np.array(["x", "y", "x"]))
    assert np.all(strata[:, 2] == 1)  # "9" comes last as text, and is alone in its stratum
    assert len(np.unique(strata[:, 0])) == 3


def test_the_draw_follows_the_names_of_the_clusters_and_not_the_order_of_the_images() -> None:
    ids = np.array(["a", "b", "c", "d", "b"])
    assert np.array_equal(cluster_counts(ids, 50, 3), cluster_counts(ids[[4, 2, 0, 3, 1]], 50, 3))


def test_every_cluster_enters_once_on_average_with_the_variance_of_a_multinomial() -> None:
    counts = cluster_counts(np.arange(20), 20_000, seed=0).astype(float)
    assert np.allclose(counts.mean(axis=0), 1, atol=0.03)
    assert np.allclose(counts.var(axis=0), 1 - 1 / 20, atol=0.06)
    assert np.cov(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(-1 / 20, abs=0.02)


def test_a_cluster_of_one_image_weighs_as_much_in_the_draw_as_a_cluster_of_many() -> None:
    ids = np.array(["single"] + ["many"] * 9)
    counts = cluster_counts(ids, 4000, seed=2).astype(float)
    assert counts.mean(axis=0) == pytest.approx([1, 1], abs=0.05)


def test_a_stratum_keeps_its_number_of_clusters() -> None:
    ids, strata = np.array(list("abcdef")), np.array([0, 0, 0, 0, 1, 1])
    counts = cluster_counts(ids, 100, 0, strata)
    assert np.all(counts[:, :4].sum(axis=1) == 4)
    assert np.all(counts[:, 4:].sum(axis=1) == 2)
    assert len(np.unique(counts[:, 4])) == 3


def test_a_cluster_in_two_strata_and_an_empty_set_are_errors() -> None:
    with pytest.raises(ValueError, match="more than one stratum"):
        cluster_counts(np.array(["a", "a"]), 10, 0, np.array([0, 1]))
    with pytest.raises(ValueError, match="non-empty"):
        cluster_counts(np.array([]), 10, 0)
