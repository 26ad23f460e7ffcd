"""What a fidelity result says, and what it does where something is undefined."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmark.fidelity import FeatureSet, FidelityOptions, fidelity_from_features

EXTRACTOR: dict[str, str | int] = {
    "name": "test",
    "weights_sha256": "0" * 64,
    "dimension": 6,
    "backend": "none",
    "backend_version": "1",
    "resize": "none",
}


def feature_set(counts: dict[str, int], seed: int) -> FeatureSet:
    random = np.random.default_rng(seed)
    labels = [label for label, n in counts.items() for _ in range(n)]
    return FeatureSet(random.normal(size=(len(labels), 6)).astype(np.float32), labels)


def test_json_names_what_it_was_measured_by_and_how_many_images():
    found = fidelity_from_features(feature_set({"brain": 30}, 0), feature_set({"brain": 40}, 1), EXTRACTOR).to_json()
    assert (found["extractor"], found["weights_sha256"], found["n_real"], found["n_synthetic"]) == (
        "test",
        "0" * 64,
        30,
        40,
    )
    assert found["metrics"]["kid"]["subset_size"] == 30
    assert found["metrics"]["fid"]["floor_n"] in range(2, 16)
    assert "lower" in found["metrics"]["fid"]["direction"]
    json.dumps(found, allow_nan=False)


def test_a_class_with_too_few_images_is_null_with_a_reason_and_a_warning():
    real, synthetic = feature_set({"brain": 30, "femur": 1}, 0), feature_set({"brain": 40, "thorax": 9}, 1)
    found = fidelity_from_features(real, synthetic, EXTRACTOR).to_json()
    assert found["per_class"]["brain"]["fid"]["value"] is not None
    for label in ("femur", "thorax"):
        assert found["per_class"][label]["fid"]["value"] is None
        assert "two images" in found["per_class"][label]["kid"]["reason"]
        assert any(f"class {label}" in warning for warning in found["warnings"])


def test_a_method_that_yields_nothing_has_no_fidelity_rather_than_zero():
    empty = FeatureSet(np.empty((0, 6), dtype=np.float32), [])
    found = fidelity_from_features(feature_set({"brain": 30}, 0), empty, EXTRACTOR).to_json()
    assert found["metrics"]["fid"]["value"] is None
    assert found["metrics"]["kid"]["value"] is None


def test_small_sets_are_warned_of():
    found = fidelity_from_features(feature_set({"brain": 30}, 0), feature_set({"brain": 30}, 1), EXTRACTOR)
    assert any("small n (30 images)" in warning for warning in found.warnings)
    assert any("std is 0 by construction" in warning for warning in found.warnings)


def test_a_second_draw_of_the_real_distribution_lies_at_the_floor():
    found = fidelity_from_features(feature_set({"brain": 400}, 0), feature_set({"brain": 400}, 1), EXTRACTOR)
    assert found.pooled.fid.ratio == pytest.approx(1, abs=0.35)


def test_the_floor_can_be_left_out():
    found = fidelity_from_features(
        feature_set({"brain": 30}, 0), feature_set({"brain": 30}, 1), EXTRACTOR, FidelityOptions(floor_splits=0)
    )
    assert found.pooled.fid.floor is None


def test_labels_that_do_not_match_the_images_are_refused():
    with pytest.raises(ValueError, match="1 labels for 2 images"):
        FeatureSet(np.zeros((2, 6), dtype=np.float32), ["brain"])
