"""Features -> FID and KID, against closed forms and torch-fidelity's own functions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from benchmark.fidelity.distance import (
    cross_trace_from_covariances,
    cross_trace_from_samples,
    frechet_distance,
    kernel_distance,
)
from benchmark.fidelity.statistics import feature_statistics


def features(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(d, d)) / np.sqrt(d)
    return (random.normal(size=(n, d)) @ mixing + shift).astype(np.float32)


@pytest.mark.parametrize(("n1", "n2", "d"), [(12, 9, 40), (300, 200, 24), (8, 400, 32), (33, 33, 32)])
def test_both_forms_of_the_trace_agree(n1: int, n2: int, d: int):
    first, second = feature_statistics(features(n1, d, 0)), feature_statistics(features(n2, d, 1))
    from_samples = cross_trace_from_samples(first, second)
    assert cross_trace_from_covariances(first, second) == pytest.approx(from_samples, rel=1e-6)


@pytest.mark.parametrize(("n1", "n2", "d"), [(40, 50, 200), (300, 40, 64), (200, 300, 24)])
def test_frechet_distance_equals_the_symmetric_form_in_double_precision(n1: int, n2: int, d: int):
    a, b = (features(n, d, i, shift=0.3 * i).astype(np.float64) for i, n in enumerate((n1, n2)))
    values, vectors = scipy.linalg.eigh(np.cov(a.T))
    root = vectors @ np.diag(np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(scipy.linalg.eigvalsh(root @ np.cov(b.T) @ root).clip(min=0)).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    expected = shift + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(400, 16), (120, 64)])
def test_frechet_distance_equals_torch_fidelitys(n: int, d: int):
    a, b = features(n, d, 0), features(n + 30, d, 1, shift=0.3)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(torch.from_numpy(a)), fid_features_to_statistics(torch.from_numpy(b)), verbose=False
    )
    assert frechet_distance(a, b) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)


def test_frechet_distance_of_two_known_gaussians_is_the_closed_form():
    sample = features(500, 3, 0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(sample.T)), (sample - sample.mean(0)).T).T
    stretched = white * np.array([1.0, 2.0, 3.0]) + np.array([0.5, 0.0, 0.0])
    assert frechet_distance(white, stretched) == pytest.approx(0.25 + 1.0 + 4.0, abs=1e-5)


@pytest.mark.parametrize(("n", "d"), [(20, 64), (200, 16)])
def test_identical_sets_have_distance_zero(n: int, d: int):
    a = features(n, d, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("subset_size", [10, 25, 40])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_kernel_distance_equals_torch_fidelitys_at_equal_subsets_and_seed(subset_size: int, scale: float):
    a, b = scale * features(40, 32, 0), scale * features(55, 32, 1, shift=0.1)
    theirs = kid_features_to_metric(
        torch.from_numpy(a),
        torch.from_numpy(b),
        kid_subsets=7,
        kid_subset_size=subset_size,
        rng_seed=11,
        verbose=False,
    )
    ours = kernel_distance(a, b, subsets=7, subset_size=subset_size, seed=11)
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert ours.std == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-6)


def test_kernel_distance_lowers_its_subsets_to_the_smaller_set_and_says_so():
    assert kernel_distance(features(12, 8, 0), features(30, 8, 1), subsets=3).subset_size == 12


def test_kernel_distance_of_two_draws_of_one_distribution_is_zero_on_average():
    both = features(1200, 8, 0)
    found = kernel_distance(both[:600], both[600:], subsets=50, subset_size=100, seed=0)
    assert abs(found.value) < 3 * found.std / np.sqrt(6)
