from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.statistics import Interval, Measured, holm, interval, interval_p, letters, mcnemar, separated, swap_test


def test_few_clusters_are_permuted_completely() -> None:
    generator = np.random.default_rng(0)
    clusters = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 6])
    method, control = generator.random((2, 10)), generator.random((2, 10))
    sums = np.array([np.sum((method - control)[:, clusters == name]) for name in range(7)])
    signs = np.array(list(product([-1, 1], repeat=7)))
    expected = np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12)
    assert swap_test(method, control, clusters) == pytest.approx(expected)


def test_swaps_by_hand() -> None:
    # The sums of the clusters are 2, 1 and -1, together 2. With all signs |2 + 1 + 1|, |2 + 1 - 1|, |2 - 1 + 1|,
    # |2 - 1 - 1| = 4, 2, 2, 0, and their mirror images: 6 of 8 reach 2.
    method = np.array([[1, 1, 1, 0]])
    control = np.array([[0, 0, 0, 1]])
    assert swap_test(method, control, ["a", "a", "b", "c"]) == pytest.approx(6 / 8)


def test_six_clusters_all_in_favour_of_one_method_are_the_fewest_that_can_be_significant() -> None:
    for count, expected in ((5, 2 / 32), (6, 2 / 64)):
        assert swap_test(np.ones((3, count)), np.zeros((3, count)), np.arange(count)) == pytest.approx(expected)


def test_random_swaps_agree_with_all_swaps() -> None:
    generator = np.random.default_rng(5)
    method, control = generator.random((3, 40)) + 0.1, generator.random((3, 40))
    clusters = np.repeat(np.arange(14), 3)[:40]
    everything = swap_test(method, control, clusters, permutations=2**14)
    drawn = swap_test(method, control, clusters, permutations=9999, seed=1)
    assert drawn == pytest.approx(everything, abs=4 * np.sqrt(everything / 9999))
    assert drawn != everything


def test_the_two_methods_may_be_exchanged_and_images_and_repetitions_reordered() -> None:
    generator = np.random.default_rng(6)
    method, control = generator.random((3, 30)), generator.random((3, 30))
    clusters = generator.integers(0, 9, 30)
    order = generator.permutation(30)
    p = swap_test(method, control, clusters)
    assert swap_test(control, method, clusters) == p
    assert swap_test(method[::-1][:, order], control[:, order], clusters[order]) == p


def test_identical_methods_have_p_one_and_a_clear_gain_the_smallest_that_the_draws_allow() -> None:
    generator = np.random.default_rng(7)
    right = generator.random((3, 200)) < 0.5
    assert swap_test(right, right, np.arange(200)) == 1.0
    assert swap_test(np.ones((1, 200)), np.zeros((1, 200)), np.arange(200), permutations=999) == 1 / 1000


def test_thousands_of_clusters_are_tested_like_any_others() -> None:
    assert swap_test(np.ones((1, 1100)), np.zeros((1, 1100)), np.arange(1100), permutations=199) == 1 / 200


def test_copies_of_every_image_change_nothing_when_they_share_a_cluster() -> None:
    generator = np.random.default_rng(8)
    method, control = generator.random((1, 12)) < 0.9, generator.random((1, 12)) < 0.4
    twice = swap_test(np.tile(method, 3), np.tile(control, 3), np.tile(np.arange(12), 3))
    assert twice == swap_test(method, control, np.arange(12))
    assert mcnemar(np.tile(method, 3)[0], np.tile(control, 3)[0]) < mcnemar(method[0], control[0])


def test_scores_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="scores must be"):
        swap_test(np.ones((2, 3)), np.ones((3, 3)), np.arange(3))
    with pytest.raises(ValueError, match="scores must be"):
        swap_test(np.ones((2, 3)), np.ones((2, 3)), np.arange(4))
    with pytest.raises(ValueError, match="not finite"):
        swap_test(np.array([[np.nan]]), np.ones((1, 1)), ["a"])


def test_mcnemar_by_hand_and_by_statsmodels() -> None:
    # 6 images gained, 1 lost: 2 * (C(7,0) + C(7,1)) / 2^7 = 16/128.
    method = np.array([1] * 6 + [0] + [1] * 5 + [0] * 3)
    control = np.array([0] * 6 + [1] + [1] * 5 + [0] * 3)
    assert mcnemar(method, control) == pytest.approx(0.125)
    generator = np.random.default_rng(1)
    for _ in range(20):
        ours, theirs = generator.random(60) < 0.7, generator.random(60) < 0.6
        table = [[np.sum(ours & theirs), np.sum(ours & ~theirs)], [np.sum(~ours & theirs), np.sum(~ours & ~theirs)]]
        assert mcnemar(ours, theirs) == pytest.approx(reference_mcnemar(table, exact=True).pvalue)


def test_mcnemar_of_methods_that_never_differ_is_one_and_of_other_images_an_error() -> None:
    assert mcnemar([1, 0, 1], [1, 0, 1]) == 1.0
    with pytest.raises(ValueError, match="same images"):
        mcnemar([1, 0, 1], [1, 0])


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04; never falling: 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_holm_leaves_out_what_is_unknown_and_keeps_the_order() -> None:
    adjusted = holm([None, 0.01, None, 0.04])
    assert adjusted[0] is None
    assert adjusted[2] is None
    assert [adjusted[1], adjusted[3]] == pytest.approx([0.02, 0.04])
    assert holm([]) == []
    assert holm([None]) == [None]


def test_holm_rejects_what_statsmodels_rejects() -> None:
    generator = np.random.default_rng(2)
    for size in (1, 2, 7, 20):
        p = generator.random(size) ** 3
        rejected, expected, *_ = multipletests(p, alpha=0.05, method="holm")
        assert holm(list(p)) == pytest.approx(list(expected))
        assert [value <= 0.05 for value in holm(list(p))] == list(rejected)


def test_the_p_of_an_interval_by_hand() -> None:
    # t = 2.2281 standard errors with 10 degrees of freedom: the 97.5th percentile.
    shown = Interval(-0.022281, -0.05, 0.0, 3, 0.01, "clusters and repetitions", None, 0.01, 10.0)
    assert interval_p(shown) == pytest.approx(0.05, abs=1e-5)
    assert interval_p(Interval(0.1, None, None, 1, None, "clusters", "lost")) is None
    assert interval_p(Interval(0.0, 0.0, 0.0, 3, 0.0, "clusters and repetitions", None, 0.0, 2.0)) == 1.0


@pytest.mark.parametrize("seed", range(10))
def test_the_p_of_an_interval_is_small_exactly_where_it_leaves_out_zero(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(0.08, 0.05, 3)
    found = interval(Measured(points, points[:, None] + 0.02 * generator.normal(size=(3, 300)), 66))
    assert (interval_p(found) <= 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(
    ("p", "low", "high", "expected"),
    [
        (0.01, 0.02, 0.2, True),
        (0.05, -0.2, -0.02, True),
        (0.06, 0.02, 0.2, False),
        (0.01, -0.02, 0.2, False),
        (0.01, 0.0, 0.2, False),
        (None, 0.02, 0.2, False),
        (0.01, None, None, False),
    ],
)
def test_a_difference_needs_both_the_permutation_and_the_interval(
    p: float | None, low: float | None, high: float | None, expected: bool
) -> None:
    assert separated(p, Interval(0.1, low, high, 3, 0.01, "clusters and repetitions")) is expected


def groups_of(shown: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(n for n in shown if letter in shown[n]) for letter in set("".join(shown.values()))}


def test_letters_by_hand() -> None:
    assert letters(["a", "b", "c"], set()) == {"a": "a", "b": "a", "c": "a"}
    assert letters(["a", "b", "c"], {frozenset("ac")}) == {"a": "a", "b": "ab", "c": "b"}
    everything = {frozenset(pair) for pair in combinations("abc", 2)}
    assert letters(["c", "a", "b"], everything) == {"c": "a", "a": "b", "b": "c"}
    assert letters([], set()) == {}


@pytest.mark.parametrize("seed", range(30))
def test_two_names_share_a_letter_exactly_where_they_are_not_separated(seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = [f"m{index}" for index in range(int(generator.integers(2, 9)))]
    apart = {frozenset(pair) for pair in combinations(names, 2) if generator.random() < generator.random()}
    shown = letters(names, apart)
    for first, second in combinations(names, 2):
        assert bool(set(shown[first]) & set(shown[second])) == (frozenset((first, second)) not in apart)
    tied = [
        set(part)
        for size in range(1, len(names) + 1)
        for part in combinations(names, size)
        if not any(frozenset(pair) in apart for pair in combinations(part, 2))
    ]
    largest = {frozenset(part) for part in tied if not any(part < other for other in tied)}
    assert groups_of(shown) == largest


def test_the_best_row_gets_the_first_letter_and_after_z_comes_a1() -> None:
    names = [f"m{index:02}" for index in range(28)]
    shown = letters(names, {frozenset(pair) for pair in combinations(names, 2)})
    assert [shown[name] for name in (names[0], names[25], names[26], names[27])] == ["a", "z", "a1", "b1"]


def test_a_pair_of_strangers_or_a_name_that_stands_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="two of the names"):
        letters(["a", "b"], {frozenset({"a", "x"})})
    with pytest.raises(ValueError, match="stands twice"):
        letters(["a", "a"], set())
