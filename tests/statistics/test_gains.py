from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import GATE_LEVEL, Measured, gate_gain, interval, paired_gain


def measured(points: list[float], cluster_sd: float, seed: int = 0, clusters: int | None = 66) -> Measured:
    """Repetitions whose replicates move together."""
    moves = cluster_sd * np.random.default_rng(seed).normal(size=2000)
    return Measured(np.array(points), np.array(points)[:, None] + moves, clusters)


def test_identical_methods_gain_nothing_with_an_interval_of_no_width() -> None:
    same = measured([0.5, 0.7, 0.6], 0.05)
    for gain in (paired_gain(same, same), gate_gain(same, same)):
        assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_pairing_removes_what_both_methods_share() -> None:
    control = measured([0.6, 0.5, 0.7], 0.05)
    method = Measured(control.points + 0.1, control.replicates + 0.1, 66)
    gain = paired_gain(method, control)
    assert gain.value == pytest.approx(0.1)
    assert gain.high - gain.low < 1e-9


def test_methods_that_share_nothing_have_the_interval_of_their_difference() -> None:
    method, control = measured([0.6, 0.7, 0.8], 0.05, seed=1), measured([0.5, 0.5, 0.6], 0.04, seed=2)
    difference = Measured(method.points - control.points, method.replicates - control.replicates, 66)
    assert paired_gain(method, control) == interval(difference)
    assert paired_gain(method, control, level=0.9) == interval(difference, level=0.9)


def test_gains_of_other_repetitions_or_resamplings_cannot_be_paired() -> None:
    method = measured([0.6, 0.7], 0.05)
    with pytest.raises(ValueError, match="cannot pair"):
        paired_gain(method, measured([0.6, 0.7, 0.8], 0.05))
    with pytest.raises(ValueError, match="cannot pair"):
        gate_gain(method, Measured(method.points, method.replicates[:, :10]))


def test_of_two_numbers_of_clusters_the_smaller_counts() -> None:
    few = paired_gain(measured([0.6], 0.05, 1, clusters=10), measured([0.5], 0.05, 2, clusters=400))
    assert few == paired_gain(measured([0.6], 0.05, 1, clusters=10), measured([0.5], 0.05, 2, clusters=10))


def test_the_gate_sees_a_small_drop_that_every_seed_shows() -> None:
    baseline = measured([0.50, 0.65, 0.80], 0.001)
    run = measured([0.47, 0.6201, 0.7699], 0.001, seed=0)
    gain = gate_gain(run, baseline)
    assert gain.high < -0.02
    assert gain.level == GATE_LEVEL


def test_the_gate_sees_a_large_drop_over_seeds_that_have_nothing_in_common() -> None:
    baseline, run = measured([0.70, 0.75, 0.80], 0.001), measured([0.45, 0.40, 0.35], 0.001)
    assert paired_gain(run, baseline, level=GATE_LEVEL).high > 0
    assert gate_gain(run, baseline).high < 0


def test_seeds_taken_as_independent_by_hand() -> None:
    # Nothing varies over clusters: t with 4 degrees of freedom at 1 - 0.9 * 0.01 / 2, and s^2 / 3 of both, added.
    rows = [Measured(np.array(points), np.repeat(np.array(points)[:, None], 5, axis=1), 66) for points in
            ([0.45, 0.40, 0.35], [0.70, 0.75, 0.80])]  # fmt: skip
    gain = gate_gain(rows[0], rows[1])
    assert gain.se == pytest.approx((2 * 0.0025 / 3) ** 0.5)
    assert gain.high - gain.value == pytest.approx(4.7439 * (2 * 0.0025 / 3) ** 0.5, rel=1e-3)


def test_the_gate_has_one_interval_for_one_repetition() -> None:
    run, baseline = measured([0.6], 0.05, 1), measured([0.7], 0.05, 2)
    assert gate_gain(run, baseline) == paired_gain(run, baseline, level=GATE_LEVEL)


def test_what_is_undefined_stays_none_at_the_gate() -> None:
    lost = Measured(np.array([0.5, np.nan]), np.full((2, 10), 0.5), 66)
    gain = gate_gain(lost, Measured(np.zeros(2), np.zeros((2, 10)), 66))
    assert (gain.value, gain.low, gain.reason) == (None, None, "undefined in at least one repetition")
