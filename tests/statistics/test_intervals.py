from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import Measured, bootstrap_interval, cluster_weights, paired_gain, stack


def test_images_of_a_cluster_are_drawn_together_and_clusters_as_often_as_there_are() -> None:
    ids = np.array(["a", "b", "a", "c", "b", "a"])
    weights = cluster_weights(ids, 200, seed=1)
    assert weights.shape == (200, 6)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.all(weights[:, 0] + weights[:, 1] + weights[:, 3] == 3)


def test_the_draw_follows_the_names_of_the_clusters_and_not_the_order_of_the_images() -> None:
    ids = np.array(["a", "b", "c", "d", "b"])
    order = np.array([4, 2, 0, 3, 1])
    assert np.array_equal(cluster_weights(ids, 50, 3)[:, order], cluster_weights(ids[order], 50, 3))


def test_a_stratum_keeps_its_number_of_clusters() -> None:
    ids, strata = np.array(list("abcdef")), np.array([0, 0, 0, 0, 1, 1])
    weights = cluster_weights(ids, 100, 0, strata)
    assert np.all(weights[:, 4:].sum(axis=1) == 2)
    with pytest.raises(ValueError, match="more than one stratum"):
        cluster_weights(np.array(["a", "a"]), 10, 0, np.array([0, 1]))


def test_identical_methods_gain_nothing_with_an_interval_of_no_width() -> None:
    generator = np.random.default_rng(0)
    same = Measured(generator.random(3), generator.random((3, 100)))
    gain = paired_gain(same, same)
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_pairing_removes_what_both_methods_share() -> None:
    generator = np.random.default_rng(0)
    control = Measured(np.full(3, 0.6), 0.6 + 0.05 * generator.normal(size=(3, 500)))
    method = Measured(control.points + 0.1, control.replicates + 0.1)
    gain = paired_gain(method, control)
    assert gain.value == pytest.approx(0.1)
    assert gain.high - gain.low < 1e-9
    with pytest.raises(ValueError, match="cannot pair"):
        paired_gain(Measured(control.points[:2], control.replicates[:2]), control)


def test_the_interval_covers_the_truth_when_seeds_and_clusters_both_vary() -> None:
    generator = np.random.default_rng(4)
    clusters, seeds, trials, covered = 60, 3, 300, 0
    for trial in range(trials):
        difficulty = generator.normal(0, 0.25, clusters)
        values = 0.6 + difficulty + generator.normal(0, 0.04, (seeds, 1)) + generator.normal(0, 0.1, (seeds, clusters))
        weights = cluster_weights(np.arange(clusters), 300, trial).astype(float)
        interval = bootstrap_interval(Measured(values.mean(axis=1), values @ weights.T / clusters))
        covered += interval.low <= 0.6 <= interval.high
    assert covered / trials >= 0.93


def test_one_repetition_says_that_it_covers_clusters_alone() -> None:
    generator = np.random.default_rng(0)
    interval = bootstrap_interval(Measured(np.array([0.5]), generator.normal(0.5, 0.1, (1, 400))))
    assert interval.covers == "clusters"
    assert interval.seed_sd is None
    assert interval.low < 0.4
    assert interval.high > 0.6


def test_an_interval_stays_inside_the_range_of_its_metric() -> None:
    interval = bootstrap_interval(Measured(np.array([0.99, 0.9, 1.0]), np.full((3, 10), 0.96)), (0.0, 1.0))
    assert interval.high == 1.0


def test_what_is_undefined_is_none_with_a_reason() -> None:
    rows = [np.full(10, 0.5), np.full(10, np.nan)]
    lost = bootstrap_interval(stack([0.5, None], rows))
    assert (lost.value, lost.low, lost.reason) == (None, None, "undefined in at least one repetition")
    wide = bootstrap_interval(stack([0.5, 0.6], rows))
    assert wide.value == pytest.approx(0.55)
    assert wide.low is None
    assert wide.reason == "undefined in too many bootstrap replicates"
