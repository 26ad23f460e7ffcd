"""Short runs of the simulations, and that they simulate what the suite computes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from benchmark.statistics import GATE_LEVEL, Measured, gate_gain, interval, paired_gain, smallest_detectable
from tests.simulation import fast
from tests.simulation.candidates import Sample, default
from tests.simulation.coverage import DEFAULT, IMAGES_PERCENTILES, rare_recall, simulate
from tests.simulation.decisions import LEVELS, Setting, detectable, family, gain, gate_half
from tests.simulation.decisions import simulate as decide
from tests.simulation.world import CLASSES, MIX, OTHER, World, draw, layout, true_auroc, true_macro_f


def test_the_target_has_clusters_of_one_to_four_images_in_the_known_mix() -> None:
    present = layout()
    assert tuple(present.sum(axis=0)) == MIX
    assert list(np.bincount(present.sum(axis=1))) == [0, 1, 2, 24, 39]


@pytest.mark.parametrize("icc", [0.0, 0.3, 0.7])
def test_accuracy_correlation_and_seeds_are_what_the_setting_says(icc: float) -> None:
    boards = draw(World((0.75, 0.75), icc, 0.0, 2), 200, np.random.default_rng(0))
    right = boards.right.astype(float)

    def correlation(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])

    assert right.mean() == pytest.approx(0.75, abs=0.01)
    assert correlation(right[:, 0, 0, :, 0], right[:, 0, 0, :, 1]) == pytest.approx(icc, abs=0.03)
    assert correlation(right[:, 0, 0], right[:, 0, 1]) == pytest.approx(0.75, abs=0.03)
    assert correlation(right[:, 0, 0], right[:, 1, 1]) == pytest.approx(0.5625, abs=0.03)
    skill = draw(World((0.75,), icc, 0.08, 5), 400, np.random.default_rng(0)).skill
    assert (skill.mean(), skill.std()) == pytest.approx((0.75, 0.08), abs=0.005)


def test_the_top_score_is_the_prediction_and_most_errors_are_other() -> None:
    boards = draw(World((0.75,), 0.3, 0.05, 1), 50, np.random.default_rng(1))
    rest = 1 - boards.scores.sum(axis=-1)
    everything = np.concatenate([boards.scores, rest[..., None]], axis=-1)
    assert np.array_equal(everything.argmax(axis=-1), boards.predicted)
    assert np.array_equal(boards.predicted == np.arange(CLASSES), boards.right)
    assert np.mean(boards.predicted[~boards.right] == OTHER) == pytest.approx(0.8, abs=0.02)


def test_fast_metrics_are_those_of_scikit_learn_on_resampled_images() -> None:
    boards = draw(World((0.7,), 0.3, 0.05, 2), 3, np.random.default_rng(2))
    labels = np.broadcast_to(np.arange(CLASSES), layout().shape)[layout()]
    for weights, auroc in (
        (fast.of_clusters(2, np.random.default_rng(3)), fast.auroc_of_clusters),
        (fast.of_images(2, np.random.default_rng(3)), fast.auroc),
        (fast.left_out(), fast.auroc_of_clusters),
    ):
        values = [fast.accuracy(boards.right, weights), fast.macro_f(boards, weights), auroc(boards, weights)]
        for trial, row in ((0, 0), (2, 1), (1, 2)):
            times = weights[row][layout()].astype(int)
            predicted = boards.predicted[trial, 0, 1][layout()].repeat(times)
            scores, truth = boards.scores[trial, 0, 1][layout()].repeat(times, axis=0), labels.repeat(times)
            expected = [
                np.mean(truth == predicted),
                f1_score(truth, predicted, labels=range(CLASSES), average="macro"),
                np.mean([roc_auc_score(truth == k, scores[:, k]) for k in range(CLASSES)]),
            ]
            assert [value[trial, 0, 1, row] for value in values] == pytest.approx(expected, abs=1e-5)


def test_the_known_truth_is_the_mean_over_many_trials() -> None:
    boards = draw(World((0.75,), 0.0, 0.0, 1), 600, np.random.default_rng(4))
    once = fast.left_out()[:1]
    level = np.array(0.75)
    assert fast.accuracy(boards.right, once).mean() == pytest.approx(0.75, abs=0.004)
    assert fast.macro_f(boards, once).mean() == pytest.approx(float(true_macro_f(level)), abs=0.005)
    assert fast.auroc_of_clusters(boards, once).mean() == pytest.approx(float(true_auroc(level)), abs=0.002)


@pytest.mark.parametrize("repetitions", [1, 3, 5])
def test_what_is_simulated_is_what_the_suite_computes(repetitions: int) -> None:
    boards = draw(World((0.9, 0.95), 0.3, 0.08, repetitions), 30, np.random.default_rng(5))
    values = fast.accuracy(boards.right, fast.of_clusters(100, np.random.default_rng(6))).astype(np.float64)
    method = Sample(values[:, 0, :, 0], values[:, 0, :, 1:], bounded=True)
    difference = gain(values)
    simulated = zip(
        *default(method), *default(difference), gate_half(values, 0.99), detectable(difference), strict=True
    )
    for trial, expected in enumerate(simulated):
        pair = [Measured(values[trial, one, :, 0], values[trial, one, :, 1:], 66) for one in (0, 1)]
        own, shown, gate = interval(pair[0], (0.0, 1.0)), paired_gain(*pair), gate_gain(*pair)
        found = [own.low, own.high, shown.low, shown.high, gate.high - gate.value, smallest_detectable(shown)]
        assert found == pytest.approx(list(expected), abs=1e-9)


def test_the_default_covers_and_resampling_images_does_not() -> None:
    worlds = [World((0.75, 0.7), 0.3, 0.05, 5), World((0.75, 0.7), 0.7, 0.08, 5)]
    tallies = simulate(worlds, 200).tallies
    for (world, metric, repetitions, name), tally in tallies.items():
        # 200 trials at 95 % stay between 90 and 99 % in all but one of a thousand.
        if name == DEFAULT:
            assert 90 <= tally.coverage <= 99.5, (world, metric, repetitions)
        if name == IMAGES_PERCENTILES:
            assert tally.coverage < 90, (world, metric)


def test_the_recall_of_a_rare_class_is_covered_by_its_own_clusters_and_not_by_all() -> None:
    found = rare_recall(10, 0.9, (1, 0.0), 200)
    assert found["of the class"].coverage >= 95
    assert found["all"].coverage < 75


def test_identical_methods_are_rarely_separated_although_their_permutation_is_often_small() -> None:
    permutation, spread = family(Setting(0.3, 0.08, 3), 1, 400)
    assert np.mean(permutation <= 0.05) > 0.2
    assert np.mean(np.maximum(permutation, spread) <= 0.05) <= 0.09


def test_the_gate_rarely_fires_on_identical_runs_and_does_on_a_clear_drop() -> None:
    setting, level = Setting(0.3, 0.08, 3), LEVELS.index(GATE_LEVEL)
    same = decide(setting, 0.0, 200)
    assert np.mean(same.fires[level]) <= 0.03
    lower = decide(setting, 2 * float(np.median(same.detectable)), 100)
    assert np.mean(lower.fires[level]) >= 0.9


def test_the_permutation_is_exact_where_two_methods_are_exchangeable() -> None:
    p, _ = family(Setting(0.3, 0.0, 1), 1, 400)
    for level in (0.05, 0.25, 0.5):
        assert np.mean(p <= level) <= level + 3 * (level * (1 - level) / 400) ** 0.5
    assert np.mean(p <= 0.5) > 0.35
