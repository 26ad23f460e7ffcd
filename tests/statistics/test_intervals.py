from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from benchmark.statistics import Interval, Measured, cluster_counts, interval, stack


def normal_replicates(spread: float, draws: int = 2000, repetitions: int = 1, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return 0.5 + spread * generator.normal(size=(repetitions, draws))


def test_by_hand() -> None:
    # Both repetitions move together: mean 0.6, 0.8, 0.6, 0.8, variance 0.04 / 3 times 5 / 4 for five clusters = 1 / 60,
    # all of it shared. Points 0.6 and 0.8: s^2 = 0.02, s^2 / 2 = 0.01.
    rows = np.array([[0.5, 0.7, 0.5, 0.7], [0.7, 0.9, 0.7, 0.9]])
    found = interval(Measured(np.array([0.6, 0.8]), rows, clusters=5))
    total = 1 / 60 + 0.01
    satterthwaite = student.ppf(0.975, total**2 / ((1 / 60) ** 2 / 4 + 0.01**2 / 1)) * total**0.5
    mover = (2.7764451**2 / 60 + 12.7062047**2 * 0.01) ** 0.5
    assert found.value == pytest.approx(0.7)
    assert found.se == pytest.approx(total**0.5)
    assert found.seed_sd == pytest.approx(0.02**0.5)
    assert found.high - found.value == pytest.approx((satterthwaite + mover) / 2, rel=1e-6)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert student.ppf(0.975, found.df) * found.se == pytest.approx(found.high - found.value)


def test_repetitions_alone_give_the_textbook_t_interval() -> None:
    points = np.array([0.5, 0.6, 0.8])
    found = interval(Measured(points, np.repeat(points[:, None], 10, axis=1), clusters=66))
    half = student.ppf(0.975, 2) * np.std(points, ddof=1) / 3**0.5
    assert (found.low, found.high) == pytest.approx((points.mean() - half, points.mean() + half))
    assert found.df == pytest.approx(2)


def test_clusters_alone_give_the_textbook_t_interval_of_their_means() -> None:
    generator = np.random.default_rng(1)
    means = generator.normal(0.5, 0.1, 40)
    rows = cluster_counts(np.arange(40), 40_000, 0) @ means / 40
    found = interval(Measured(np.array([means.mean()]), rows[None], clusters=40))
    half = student.ppf(0.975, 39) * np.std(means, ddof=1) / 40**0.5
    assert found.high - found.value == pytest.approx(half, rel=0.02)
    assert found.covers == "clusters"
    assert found.seed_sd is None


def test_one_cluster_that_carries_everything_leaves_few_degrees_of_freedom() -> None:
    even = np.where(np.arange(60) % 2, 0.4, 0.6)
    alone = np.where(np.arange(60) == 7, 0.0, 1.0)
    counts = cluster_counts(np.arange(60), 20_000, 3)
    shown = [
        interval(Measured(np.array([own.mean()]), (counts @ own / 60)[None], clusters=60)) for own in (even, alone)
    ]
    assert shown[0].df == pytest.approx(59, rel=0.1)
    assert shown[1].df == pytest.approx(2, abs=0.3)


def test_noise_that_each_repetition_has_for_itself_is_counted_once() -> None:
    # Independent replicates of four repetitions: nothing is shared, and all of it shows in the points.
    rows = normal_replicates(0.1, 20_000, repetitions=4)
    points = np.array([0.3, 0.5, 0.7, 0.5])
    found = interval(Measured(points, rows, clusters=1000))
    assert found.se == pytest.approx(np.std(points, ddof=1) / 2, rel=0.02)


def test_points_that_agree_by_chance_keep_the_image_noise() -> None:
    rows = normal_replicates(0.1, 20_000, repetitions=4)
    found = interval(Measured(np.full(4, 0.5), rows, clusters=1000))
    assert found.se == pytest.approx(0.1 / 2, rel=0.02)


@pytest.mark.parametrize(("value", "spread"), [(0.5, 0.05), (0.93, 0.02), (0.04, 0.01)])
def test_bounds_within_limits_solve_the_score_equation(value: float, spread: float) -> None:
    rows = value + normal_replicates(spread) - 0.5
    found = interval(Measured(np.array([value]), rows, clusters=66), (0.0, 1.0))
    images = value * (1 - value) / found.se**2
    quantile = student.ppf(0.975, found.df)
    for bound in (found.low, found.high):
        assert abs(value - bound) == pytest.approx(quantile * (bound * (1 - bound) / images) ** 0.5)
    assert 0 < found.low < value < found.high < 1


def test_limits_of_another_range_only_stretch_the_interval() -> None:
    rows, points = normal_replicates(0.05, repetitions=3, seed=2), np.array([0.45, 0.6, 0.55])
    narrow = interval(Measured(points, rows, clusters=66), (0.0, 1.0))
    wide = interval(Measured(2 * points - 1, 2 * rows - 1, clusters=66), (-1.0, 1.0))
    assert (wide.low, wide.high) == pytest.approx((2 * narrow.low - 1, 2 * narrow.high - 1))


def test_when_all_is_right_the_number_of_clusters_bounds_the_value() -> None:
    found = interval(Measured(np.ones(3), np.ones((3, 100)), clusters=66), (0.0, 1.0))
    assert found.high == 1.0
    assert found.low == pytest.approx(66 / (66 + student.ppf(0.975, 65) ** 2))
    unknown = interval(Measured(np.ones(3), np.ones((3, 100))), (0.0, 1.0))
    assert (unknown.low, unknown.high) == (None, None)
    assert "number of clusters" in str(unknown.reason)


def test_a_higher_level_is_wider_and_keeps_the_standard_error() -> None:
    measured = Measured(np.array([0.5, 0.55, 0.6]), normal_replicates(0.05, repetitions=3), clusters=66)
    usual, sure = interval(measured), interval(measured, level=0.99)
    assert sure.low < usual.low < usual.high < sure.high
    assert sure.se == usual.se
    assert (usual.level, sure.level) == (0.95, 0.99)


def test_a_single_cluster_has_no_interval() -> None:
    found = interval(Measured(np.array([0.5, 0.6]), np.full((2, 50), 0.5), clusters=1))
    assert found.value == pytest.approx(0.55)
    assert found.low is None
    assert "single cluster" in str(found.reason)


def test_what_is_undefined_is_none_with_a_reason() -> None:
    rows = [np.full(10, 0.5), np.full(10, np.nan)]
    lost = interval(stack([0.5, None], rows))
    assert (lost.value, lost.low, lost.reason) == (None, None, "undefined in at least one repetition")
    wide = interval(stack([0.5, 0.6], rows))
    assert wide.value == pytest.approx(0.55)
    assert wide.low is None
    assert wide.reason == "undefined in too many bootstrap replicates"


@pytest.mark.parametrize("draws", [0, 1])
def test_too_few_replicates_are_not_called_undefined(draws: int) -> None:
    found = interval(Measured(np.array([0.5]), np.full((1, draws), 0.5), clusters=9))
    assert (found.value, found.low) == (0.5, None)
    assert found.reason == "fewer than two bootstrap replicates: nothing tells how the value varies"


def test_a_tenth_of_the_replicates_may_be_undefined_and_is_left_out() -> None:
    rows = normal_replicates(0.1, 1000)
    holed = rows.copy()
    holed[0, ::10] = np.nan
    kept = rows[:, np.isfinite(holed[0])]
    point = np.array([0.5])
    assert interval(Measured(point, holed, 66)) == interval(Measured(point, kept, 66))
    holed[0, 1] = np.nan
    assert interval(Measured(point, holed, 66)).low is None


def test_shapes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="2 repetitions have points, 3 have replicates"):
        Measured(np.zeros(2), np.zeros((3, 5)))
    with pytest.raises(ValueError, match="S >= 1"):
        Measured(np.zeros(0), np.zeros((0, 5)))


def test_an_interval_can_be_made_by_hand_without_what_it_does_not_have() -> None:
    assert Interval(0.5, None, None, 1, None, "clusters", "no images").se is None
