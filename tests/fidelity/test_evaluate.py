"""What a fidelity result says, and what it does where something is undefined."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmark.fidelity import FeatureSet, FidelityOptions, ImageSet, fidelity, fidelity_from_features, load_extractor

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


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("name", "other"),
        ("weights_sha256", "1" * 64),
        ("backend", "another"),
        ("backend_version", "2"),
        ("resize", "bicubic"),
        ("precision", "fp16"),
    ],
)
def test_whatever_an_extractor_differs_in_makes_figures_incomparable(part: str, value: str):
    sets = feature_set({"brain": 30}, 0), feature_set({"brain": 30}, 1)
    options = FidelityOptions(replicates=0, floor_splits=0, k=0)
    one = fidelity_from_features(*sets, EXTRACTOR, options).comparability
    other = fidelity_from_features(*sets, EXTRACTOR | {part: value}, options).comparability
    assert one != other
    assert value[:12] in other


def test_another_reference_another_n_or_another_size_makes_figures_incomparable():
    def comparability(real: str, synthetic: str, n: int = 30) -> str:
        sets = (
            FeatureSet(feature_set({"brain": 30}, 0).features, described=real),
            FeatureSet(feature_set({"brain": n}, 1).features, described=synthetic),
        )
        options = FidelityOptions(replicates=0, floor_splits=0, k=0)
        return fidelity_from_features(*sets, EXTRACTOR, options).comparability

    texts = [
        comparability("spain 0a, 64x64 pixels", "64x64 pixels"),
        comparability("spain 0b, 64x64 pixels", "64x64 pixels"),
        comparability("spain 0a, 64x64 pixels", "96x96 pixels"),
        comparability("spain 0a, 64x64 pixels", "64x64 pixels", 31),
    ]
    assert len(set(texts)) == 4
    assert "reference: spain 0a, 64x64 pixels; synthetic: 64x64 pixels" in texts[0]


def test_images_of_other_sizes_are_warned_of_and_told():
    random = np.random.default_rng(0)
    real, small = (ImageSet(random.integers(0, 255, (8, side, side), dtype=np.uint8)) for side in (96, 64))
    extractor = load_extractor("ultrasound", None, offline=True, device="cpu")
    options = FidelityOptions(replicates=0, floor_splits=0, k=0)
    found = fidelity(real, small, extractor, options)
    assert "96x96 pixels, synthetic ones 64x64 pixels" in found.warnings[0]
    assert found.comparability.endswith("reference: 96x96 pixels; synthetic: 64x64 pixels")
    assert not any("pixels" in warning for warning in fidelity(small, small, extractor, options).warnings)


def test_one_patient_gives_no_floor_and_says_why():
    one = FeatureSet(feature_set({"brain": 30}, 0).features, clusters=["p"] * 30)
    found = fidelity_from_features(one, feature_set({"brain": 30}, 1), EXTRACTOR).pooled.fid
    assert (found.floor, found.ratio) == (None, None)
    assert "share no patient" in str(found.ratio_reason)


def test_the_floor_is_that_of_the_real_images_whatever_the_seed_of_the_repetition():
    sets = feature_set({"brain": 60}, 0), feature_set({"brain": 60}, 1)
    floors = {
        fidelity_from_features(*sets, EXTRACTOR, FidelityOptions(seed=seed, k=0)).pooled.fid.floor for seed in (1, 2)
    }
    assert len(floors) == 1
