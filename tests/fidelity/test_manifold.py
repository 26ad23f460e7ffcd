"""Precision, recall, density, coverage: against torch-fidelity, plain loops and cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full

from benchmark.fidelity import FeatureSet, FidelityOptions, fidelity_from_features
from benchmark.fidelity.manifold import manifold

EXTRACTOR: dict[str, str | int] = {"name": "test", "weights_sha256": "0" * 64, "dimension": 4}


def normal(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, d)) + shift


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_torch_fidelitys(k: int):
    real, synthetic = normal(70, 4, 0), normal(50, 4, 1, shift=0.8, scale=0.7)
    precision, recall = calculate_precision_recall_full(torch.from_numpy(synthetic), torch.from_numpy(real), k)
    found = manifold(real, synthetic, k)
    assert (found.precision, found.recall) == pytest.approx((precision, recall), abs=1e-6)
    assert 0 < recall < precision < 1


def test_density_and_coverage_are_those_of_plain_loops():
    real, synthetic, k = normal(30, 3, 0), normal(40, 3, 1, shift=0.5), 4

    def radius(i: int) -> float:
        return sorted(float(np.linalg.norm(real[i] - other)) for j, other in enumerate(real) if j != i)[k - 1]

    inside = [[float(np.linalg.norm(x - y)) <= radius(i) for y in synthetic] for i, x in enumerate(real)]
    found = manifold(real, synthetic, k)
    assert found.density == pytest.approx(sum(map(sum, inside)) / (k * len(synthetic)))
    assert found.coverage == pytest.approx(sum(map(any, inside)) / len(real))


def test_all_four_by_hand_on_a_line():
    real, synthetic = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [9.0], [9.5]])
    # Real radii 1, 1, 2: the balls [-1, 1], [0, 2], [1, 5] hold 0.5 twice; synthetic radii 8.5, 0.5, 0.5.
    found = manifold(real, synthetic, k=1)
    assert (found.precision, found.recall) == pytest.approx((1 / 3, 1.0))
    assert (found.density, found.coverage) == pytest.approx((2 / 3, 2 / 3))


def test_identical_sets_lie_in_and_fill_each_other():
    found = manifold(normal(60, 5, 0), normal(60, 5, 0))
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # Each ball holds its own centre beside its k neighbours.
    assert found.density == pytest.approx(6 / 5, abs=1e-9)


def test_another_draw_of_the_real_distribution_has_a_density_near_one():
    assert manifold(normal(800, 3, 0), normal(800, 3, 1)).density == pytest.approx(1, abs=0.1)


def test_a_collapsed_mode_has_high_precision_and_low_recall_and_coverage():
    real = normal(400, 4, 0)
    collapsed = normal(400, 4, 1, scale=0.05)
    found = manifold(real, collapsed)
    assert found.precision > 0.95
    assert found.recall < 0.05
    assert found.coverage < 0.2
    assert found.density > 1


def test_images_far_from_all_real_ones_have_low_precision_whatever_they_span():
    found = manifold(normal(200, 4, 0), normal(200, 4, 1, scale=8.0))
    assert found.precision < 0.2
    assert found.recall > 0.9


def test_outliers_among_the_real_images_inflate_precision_and_not_density():
    real = np.concatenate([normal(198, 4, 0), normal(2, 4, 1, shift=6.0)])
    scattered = normal(200, 4, 2, shift=6.0, scale=3.0)
    found = manifold(real, scattered)
    assert found.precision > 0.5
    assert found.density < 0.5


@pytest.mark.parametrize(("n", "m", "k"), [(5, 20, 5), (20, 5, 5), (20, 20, 0)])
def test_too_few_images_or_no_neighbour_is_an_error(n: int, m: int, k: int):
    with pytest.raises(ValueError, match="neighbours need more than"):
        manifold(normal(n, 2, 0), normal(m, 2, 1), k)


def test_the_result_states_k_and_says_why_a_small_set_has_none():
    sets = [FeatureSet(normal(n, 4, n).astype(np.float32)) for n in (30, 6)]
    options = FidelityOptions(replicates=0, floor_splits=0, k=5)
    told = fidelity_from_features(*sets, EXTRACTOR, options).to_json()["metrics"]
    assert told["precision"]["value"] is not None
    assert (told["coverage"]["k"], told["coverage"]["direction"]) == (5, "higher")
    few = FeatureSet(sets[1].features[:5])
    told = fidelity_from_features(sets[0], few, EXTRACTOR, options).to_json()["metrics"]
    assert told["recall"]["value"] is None
    assert "more than 5 images" in told["recall"]["reason"]
