"""The jackknife over clusters against formulas written out, scipy, and the cluster bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics import Interval, Measured, cluster_counts, gate_gain, interval, paired_gain, stack
from benchmark.statistics.jackknife import from_influences, from_repetitions, influences


def leave_one_out(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Means of images without each cluster, by going through them one by one."""
    return np.array([values[clusters != name].mean() for name in np.unique(clusters)])


def sample(seed: int, repetitions: int = 3, n_clusters: int = 66) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong images (S, n) of clusters of 1 to 4 that are right together, and their clusters."""
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(n_clusters), random.integers(1, 5, n_clusters))
    chance = random.beta(3, 1, n_clusters)[clusters]
    return (random.random((repetitions, len(clusters))) < chance).astype(float), clusters.astype(str)


def test_influences_of_a_mean_of_equal_clusters_are_the_deviations_of_the_cluster_means():
    values, clusters = np.array([1.0, 3.0, 5.0, 5.0, 0.0, 4.0]), np.array(list("aabbcc"))
    assert influences(leave_one_out(values, clusters)) == pytest.approx([2 - 3, 5 - 3, 2 - 3])


def test_influences_sum_to_zero_and_give_the_jackknife_variance():
    values, clusters = sample(1, repetitions=1)
    without = leave_one_out(values[0], clusters)
    found, count = influences(without), len(without)
    assert found.sum() == pytest.approx(0, abs=1e-9)
    textbook = (count - 1) / count * np.sum((without - without.mean()) ** 2)
    assert np.sum(found**2) / (count * (count - 1)) == pytest.approx(textbook)


def test_an_undefined_leave_one_out_value_leaves_no_influence_defined():
    assert np.isnan(influences([0.5, np.nan, 0.7])).all()


def test_the_standard_error_from_influences_is_the_jackknifes():
    values, clusters = sample(2, repetitions=1)
    found = influences(leave_one_out(values[0], clusters))
    measured = from_influences([values.mean()], found[None], seed=0, replicates=20_000)
    expected = np.sqrt(np.sum(found**2) / (len(found) * (len(found) - 1)))
    assert interval(measured).se == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("repetitions", [1, 3, 5])
@pytest.mark.parametrize("gain", [paired_gain, gate_gain])
def test_paired_intervals_from_influences_agree_with_those_of_the_bootstrap(
    repetitions: int, gain: Callable[[Measured, Measured], Interval]
):
    values, clusters = sample(3, repetitions)
    other = np.where(np.random.default_rng(4).random(values.shape) < 0.2, 1 - values, values)
    counts = cluster_counts(clusters, 20_000, seed=5)
    sizes = np.array([np.sum(clusters == name) for name in np.unique(clusters)])

    def bootstrapped(right: np.ndarray) -> Measured:
        hits = np.array([[np.sum(row[clusters == name]) for name in np.unique(clusters)] for row in right])
        return stack(list(right.mean(axis=1)), list((counts @ hits.T).T / (counts @ sizes)), len(sizes))

    def jackknifed(right: np.ndarray) -> Measured:
        effects = np.array([influences(leave_one_out(row, clusters)) for row in right])
        return from_influences(right.mean(axis=1), effects, seed=5, replicates=20_000)

    ours = gain(jackknifed(values), jackknifed(other))
    theirs = gain(bootstrapped(values), bootstrapped(other))
    assert ours.value == pytest.approx(theirs.value)
    assert ours.se == pytest.approx(theirs.se, rel=0.03)
    assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.05)


def test_a_metric_of_which_repetitions_alone_vary_has_the_paired_t_interval():
    ours, theirs = np.array([12.0, 13.5, 11.0, 14.0]), np.array([11.0, 13.0, 11.5, 12.0])
    found = paired_gain(from_repetitions(ours), from_repetitions(theirs))
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_equal_seeds_pair_and_a_metric_with_itself_differs_by_exactly_zero():
    values, clusters = sample(6)
    effects = np.array([influences(leave_one_out(row, clusters)) for row in values])
    points = values.mean(axis=1)
    found = paired_gain(from_influences(points, effects, 7), from_influences(points, effects, 7))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must be"):
        from_influences([0.5, 0.6], [[0.1, -0.1]], seed=0)
