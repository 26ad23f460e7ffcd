"""The floor splits by patient at one n, and the ratio is only told where the floor can be told from 0."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.fidelity import FeatureSet, FidelityOptions, fidelity_from_features
from benchmark.fidelity.floor import MOST, draw_splits, floor

EXTRACTOR: dict[str, str | int] = {"name": "test", "weights_sha256": "0" * 64, "dimension": 4}


def test_no_patient_lies_in_both_halves_and_all_sides_have_one_n():
    clusters = np.repeat(np.arange(20).astype(str), [1, 2, 3, 4] * 5)
    for split in draw_splits(clusters, n_reference=60, n_synthetic=17, splits=6, seed=0):
        assert not set(clusters[split.half]) & set(clusters[split.other])
        assert len(split.half) == len(split.other) == len(split.reference) == len(split.synthetic) == 17


def test_halves_are_halves_unless_a_set_is_smaller_and_never_above_the_limit():
    clusters = np.arange(40).astype(str)
    assert len(draw_splits(clusters, 100, 100, 1, seed=0)[0].half) == 20
    assert len(draw_splits(clusters, 7, 100, 1, seed=0)[0].half) == 7
    many = np.arange(3000).astype(str)
    assert len(draw_splits(many, 3000, 3000, 1, seed=0)[0].half) == MOST
    assert draw_splits(np.array(["a"] * 9), 9, 9, 3, seed=0) == []
    assert len(draw_splits(np.array(["a"] * 90 + ["b"] * 2), 9, 9, 1, seed=0)[0].half) == 2


def test_floor_and_ratio_by_hand():
    pool = np.array([[0.0], [10.0]], dtype=np.float32)
    reference, synthetic = np.array([[0.0]], dtype=np.float32), np.array([[30.0]], dtype=np.float32)
    splits = [s for s in draw_splits(np.array(["a", "b"] * 2), 4, 4, 2, seed=0)]
    pool, reference, synthetic = (np.repeat(part, 4 // len(part), axis=0) for part in (pool, reference, synthetic))
    pool = np.array([[0.0], [10.0], [0.0], [10.0]], dtype=np.float32)
    found = floor(pool, reference, synthetic, splits, lambda a, b: float(abs(a.mean() - b.mean())))
    assert (found.n, found.splits, found.real, found.real_sd, found.synthetic) == (2, 2, 10.0, 0.0, 30.0)
    assert found.ratio == pytest.approx(3)


def test_the_pool_is_what_is_halved_and_a_floor_around_zero_gives_no_ratio():
    random = np.random.default_rng(0)
    sets = [FeatureSet(random.normal(size=(n, 4)).astype(np.float32)) for n in (40, 60, 200)]
    real, synthetic, pool = sets
    found = fidelity_from_features(real, synthetic, EXTRACTOR, FidelityOptions(replicates=0), pool).pooled
    assert found.fid.floor_n == 40
    assert found.fid.ratio == pytest.approx(1, abs=0.5)
    assert found.kid.floor is not None and found.kid.floor_sd is not None
    assert (found.kid.ratio is None) == (found.kid.floor <= found.kid.floor_sd) == (found.kid.ratio_reason is not None)
    alone = fidelity_from_features(real, synthetic, EXTRACTOR, FidelityOptions(replicates=0)).pooled
    assert alone.fid.floor_n == 20
