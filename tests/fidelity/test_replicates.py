"""Replicates by weights equal the distances of sets whose images are really repeated."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.fidelity.distance import frechet_distance, squared_mmd
from benchmark.fidelity.resampled import frechet_replicates, kernel_replicates
from benchmark.fidelity.uncertainty import subsets


def features(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)) @ random.normal(size=(d, d)) / np.sqrt(d) + shift


def counts(n: int, replicates: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=replicates)


@pytest.mark.parametrize(("n", "m", "d"), [(14, 11, 40), (60, 50, 12), (9, 200, 30), (33, 32, 32)])
def test_frechet_replicates_are_the_distances_of_repeated_images(n: int, m: int, d: int):
    real, synthetic = features(n, d, 0, shift=100.0), features(m, d, 1, shift=100.5)
    w, v = counts(n, 6, 2), counts(m, 6, 3)
    expected = [
        frechet_distance(np.repeat(real, w[r], axis=0), np.repeat(synthetic, v[r], axis=0)) for r in range(len(w))
    ]
    assert frechet_replicates(real, synthetic, w, v) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("d", [4, 60])
def test_weights_of_one_row_hold_for_every_replicate(d: int):
    real, synthetic = features(20, d, 0), features(25, d, 1)
    w, fixed = counts(20, 5, 2), np.ones((1, 25))
    every = np.ones((5, 25))
    for replicates in (frechet_replicates, kernel_replicates):
        assert replicates(real, synthetic, w, fixed) == pytest.approx(replicates(real, synthetic, w, every), rel=1e-12)


@pytest.mark.parametrize("d", [5, 50])
def test_replicates_without_repeated_images_are_distances_of_the_parts(d: int):
    real, synthetic = features(30, d, 0), features(30, d, 1)
    w, v = (subsets(np.arange(30), 5, np.random.default_rng(seed)) for seed in (2, 3))
    parts = [(real[w[r] > 0], synthetic[v[r] > 0]) for r in range(5)]
    assert frechet_replicates(real, synthetic, w, v) == pytest.approx([frechet_distance(*p) for p in parts], rel=1e-9)
    assert kernel_replicates(real, synthetic, w, v) == pytest.approx([squared_mmd(*p) for p in parts], abs=1e-5)


def test_kernel_replicates_are_the_plain_sum_over_pairs_of_different_images():
    real, synthetic = features(7, 3, 0), features(6, 3, 1)
    w, v = counts(7, 4, 2), counts(6, 4, 3)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    def within(x: np.ndarray, weights: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
        total = sum(weights[i] * weights[j] * kernel(x[i], x[j]) for i, j in pairs)
        return float(total / sum(weights[i] * weights[j] for i, j in pairs))

    expected = []
    for left, right in zip(w, v, strict=True):
        between = sum(
            left[i] * right[j] * kernel(real[i], synthetic[j]) for i in range(len(real)) for j in range(len(synthetic))
        )
        between /= left.sum() * right.sum()
        expected.append(within(real, left) + within(synthetic, right) - 2 * between)
    assert kernel_replicates(real, synthetic, w, v) == pytest.approx(expected, rel=1e-8)


def test_kernel_replicates_do_not_depend_on_how_rows_are_blocked(monkeypatch: pytest.MonkeyPatch):
    real, synthetic = features(40, 6, 0), features(30, 6, 1)
    w, v = counts(40, 3, 2), counts(30, 3, 3)
    whole = kernel_replicates(real, synthetic, w, v)
    monkeypatch.setattr("benchmark.fidelity.resampled._ROWS", 7)
    assert kernel_replicates(real, synthetic, w, v) == pytest.approx(whole, rel=1e-12)
