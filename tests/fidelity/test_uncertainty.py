"""Standard errors by leaving out a fifth, and FID over 1/n."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.fidelity import FeatureSet, FidelityOptions, fidelity_from_features
from benchmark.fidelity.distance import frechet_distance
from benchmark.fidelity.extrapolation import frechet_infinity
from benchmark.fidelity.uncertainty import spreads, subsets

EXTRACTOR: dict[str, str | int] = {"name": "test", "weights_sha256": "0" * 64, "dimension": 3}


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_replicates_keep_four_fifths_of_the_patients_whole():
    clusters = np.repeat(np.arange(10), 3)
    kept = subsets(clusters, 50, np.random.default_rng(0))
    assert set(kept.sum(axis=1)) == {24.0}
    assert all(len(set(row[clusters == name])) == 1 for row in kept for name in range(10))
    assert len(np.unique(kept, axis=0)) > 20


def test_the_standard_error_is_that_of_new_draws():
    values, errors = [], []
    for seed in range(60):
        real, made = normal(80, 3, 2 * seed), normal(120, 3, 2 * seed + 1, shift=1.5)
        values.append(frechet_distance(real, made))
        found = spreads(real, made, np.arange(80), 60, seed)
        assert not isinstance(found, str)
        errors.append(found[0].sd)
        assert found[0].sd_reference < found[0].sd
    assert np.mean(errors) / np.std(values) == pytest.approx(1.0, abs=0.25)


def test_patients_with_several_images_widen_the_interval():
    real = np.repeat(normal(20, 3, 0), 5, axis=0) + 0.01 * normal(100, 3, 1)
    made = normal(400, 3, 2, shift=1.5)
    by_image = spreads(real, made, np.arange(100), 100, 0)
    by_patient = spreads(real, made, np.repeat(np.arange(20), 5), 100, 0)
    assert not isinstance(by_image, str) and not isinstance(by_patient, str)
    assert by_patient[0].sd_reference > 1.5 * by_image[0].sd_reference
    assert by_patient[0].df == 19


def test_the_interval_holds_the_value_is_seeded_and_told():
    sets = [FeatureSet(normal(n, 3, n, shift).astype(np.float32)) for n, shift in ((40, 0.0), (50, 1.0))]
    one, two = (fidelity_from_features(*sets, EXTRACTOR, FidelityOptions(replicates=40)).pooled for _ in range(2))
    assert one == two
    for metric in (one.fid, one.kid):
        assert metric.value is not None and metric.ci_low is not None and metric.ci_high is not None
        assert metric.ci_low < metric.value < metric.ci_high
        assert metric.replicates == 40
    few = FeatureSet(sets[0].features, clusters=["a", "b"] * 20)
    told = fidelity_from_features(few, sets[1], EXTRACTOR).pooled.fid
    assert told.ci_low is None and "fewer than 5 patients" in (told.interval or "")


def test_extrapolation_comes_closer_to_the_truth_than_the_value_and_refuses_where_no_line_fits():
    truth = 0.0
    real, made = normal(400, 20, 0), normal(500, 20, 1)
    found = frechet_infinity(real, made, seed=0)
    assert not isinstance(found, str)
    assert (found.n_low, found.n_high) == (200, 400)
    assert abs(found.value - truth) < abs(frechet_distance(real, made) - truth) / 3
    assert found.r_squared > 0.9
    assert "needs more than 20 images" in str(frechet_infinity(real[:40], made, seed=0))
