from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import cluster_counts, cluster_weights


def test_as_many_clusters_are_drawn_as_there_are_and_the_images_of_one_together() -> None:
    ids = np.array(["a", "b", "a", "c", "b", "a"])
    weights = cluster_weights(ids, 200, seed=1)
    assert weights.shape == (200, 6)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.all(weights[:, 0] + weights[:, 1] + weights[:, 3] == 3)


def test_the_columns_of_the_counts_are_the_clusters_in_the_order_of_their_names_as_text() -> None:
    ids = np.array([10, 9, 9, 100])
    counts = cluster_counts(ids, 100, seed=3)
    assert counts.shape == (100, 3)
    columns = {name: counts[:, place] for place, name in enumerate(["10", "100", "9"])}
    expected = np.stack([columns[str(name)] for name in ids], axis=1)
    assert np.array_equal(cluster_weights(ids, 100, seed=3), expected)


def test_the_draw_follows_the_names_of_the_clusters_and_not_the_order_of_the_images() -> None:
    ids = np.array(["a", "b", "c", "d", "b"])
    order = np.array([4, 2, 0, 3, 1])
    assert np.array_equal(cluster_weights(ids, 50, 3)[:, order], cluster_weights(ids[order], 50, 3))
    assert np.array_equal(cluster_counts(ids, 50, 3), cluster_counts(ids[order], 50, 3))


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
