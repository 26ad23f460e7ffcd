"""Memorisation: a copier is found out, unseen real images are not accused, and every figure has its yardstick."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from baselines.classical_copy import CopyParameters, augmented
from benchmark.cohorts.phantom import draw_phantom
from benchmark.cohorts.registry import load_cohort, prepare
from benchmark.fidelity import Memorisation, Views, memorisation
from benchmark.leaderboard.views import COPY_LIMIT
from benchmark.methods import get_method

PER_SET = 30
REAL_DATA = "FULORA_BENCH_REAL_DATA"


def views(pixels: np.ndarray) -> Views:
    """Small area means stand in for an extractor's features."""
    means = pixels.reshape(len(pixels), 8, pixels.shape[1] // 8, 8, pixels.shape[2] // 8).mean(axis=(2, 4))
    return Views(pixels, means.reshape(len(pixels), 64).astype(np.float32))


def classical_copies(pixels: np.ndarray, n: int) -> np.ndarray:
    """As the shipped method makes them, with its default amounts."""
    defaults = CopyParameters.model_validate(get_method("classical_copy").parameters)
    return np.stack([augmented(pixels[i % len(pixels)], defaults, np.random.default_rng(i)) for i in range(n)])


@pytest.fixture(scope="module")
def parts() -> dict[str, np.ndarray]:
    """Phantom images of different patients: for training, held out, and a second set of unseen ones."""
    cohort = draw_phantom("phantom-source", images=220)
    pixels, patients = np.asarray(cohort.pixels), cohort.table["patient_id"].to_numpy()
    groups = np.array_split(np.unique(patients), 3)
    return {
        name: pixels[np.isin(patients, group)]
        for name, group in zip(("train", "heldout", "unseen"), groups, strict=True)
    }  # fmt: skip


def judged(synthetic: np.ndarray, parts: dict[str, np.ndarray]) -> Memorisation:
    return memorisation(views(synthetic), views(parts["train"][:PER_SET]), views(parts["heldout"]))


@pytest.fixture(scope="module")
def copied(parts: dict[str, np.ndarray]) -> Memorisation:
    return judged(classical_copies(parts["train"][:PER_SET], 60), parts)


def test_classical_copies_of_the_phantom_are_flagged_far_above_the_limit_of_the_board(copied: Memorisation):
    metrics = copied.to_metrics()
    assert metrics["near_copies"]["value"] > 0.9 > COPY_LIMIT
    assert metrics["near_copies"]["flagged"] == np.flatnonzero(copied.copies.is_copy).tolist()
    assert metrics["exact_copies"]["value"] == 0


def test_classical_copies_are_matched_with_their_originals(copied: Memorisation):
    assert (copied.copies.match == np.arange(60) % PER_SET).mean() > 0.95


def test_phantom_images_of_other_patients_are_not_accused(parts: dict[str, np.ndarray]):
    found = judged(parts["unseen"], parts).to_metrics()
    assert found["near_copies"]["value"] <= 0.02 < COPY_LIMIT
    assert found["exact_copies"]["value"] == 0
    assert found["nn_ratio"]["value"] == pytest.approx(1, abs=0.15)
    assert found["authenticity"]["value"] == pytest.approx(found["heldout_authenticity"]["value"], abs=0.2)


def test_training_images_given_back_are_exact_copies_at_distance_0_and_not_authentic(parts: dict[str, np.ndarray]):
    train = parts["train"][:PER_SET]
    found = judged(np.concatenate([train[:5], train[5:10, :, ::-1], parts["unseen"][:10]]), parts).to_metrics()
    assert found["exact_copies"]["value"] == 0.5
    assert found["exact_copies"]["flagged"] == list(range(10))
    assert found["near_copies"]["value"] == 0.5
    only = judged(train, parts).to_metrics()
    assert (only["nn_ratio"]["value"], only["authenticity"]["value"]) == (0, 0)


def test_the_closest_pairs_are_the_most_alike_first_each_with_its_own_distance(parts: dict[str, np.ndarray]):
    train = parts["train"][:PER_SET]
    synthetic = np.concatenate([parts["unseen"][:10], train[[7]], classical_copies(train[[3]], 1)])
    pairs = judged(synthetic, parts).to_metrics()["closest_pairs"]["pairs"]
    assert [(pair["synthetic"], pair["train"]) for pair in pairs[:2]] == [(10, 7), (11, 3)]
    assert len(pairs) == 8 and len({pair["synthetic"] for pair in pairs}) == 8
    correlations = [pair["correlation"] for pair in pairs]
    assert correlations == sorted(correlations, reverse=True) and correlations[0] == pytest.approx(1, abs=1e-5)
    features = {name: views(images).features for name, images in (("s", synthetic), ("t", train))}
    held = views(parts["heldout"]).features
    usual = np.median([min(np.linalg.norm(a - b) for b in features["t"]) for a in held])
    for pair in pairs:
        distance = np.linalg.norm(features["s"][pair["synthetic"]] - features["t"][pair["train"]])
        assert pair["distance_ratio"] == pytest.approx(distance / usual, rel=1e-5)


def test_distances_and_authenticity_equal_plain_loops(parts: dict[str, np.ndarray]):
    synthetic, train = classical_copies(parts["train"][:PER_SET], 12), parts["train"][:PER_SET]
    found = judged(synthetic, parts).to_metrics()
    x, t, h = (views(images).features.astype(float) for images in (synthetic, train, parts["heldout"]))
    to_train = [min(np.linalg.norm(a - b) for b in t) for a in x]
    held = [min(np.linalg.norm(a - b) for b in t) for a in h]
    assert found["nn_ratio"]["value"] == pytest.approx(np.median(to_train) / np.median(held))
    assert found["nn_ratio"]["quartiles"] == pytest.approx(np.percentile(to_train, [25, 50, 75]).tolist())
    assert found["nn_ratio"]["quartiles_of_heldout"] == pytest.approx(np.percentile(held, [25, 50, 75]).tolist())
    for name, queries in (("authenticity", x), ("heldout_authenticity", h)):
        count = 0
        for query in queries:
            closest = min(range(len(t)), key=lambda j, query=query: np.linalg.norm(query - t[j]))
            own = min(np.linalg.norm(t[closest] - t[j]) for j in range(len(t)) if j != closest)
            count += np.linalg.norm(query - t[closest]) > own
        assert found[name]["value"] == pytest.approx(count / len(queries))
        assert found[name]["n"] == len(queries)


def test_every_metric_says_what_it_is_and_a_record_can_hold_it(copied: Memorisation):
    metrics = copied.to_metrics()
    names = ["near_copies", "exact_copies", "nn_ratio", "authenticity", "heldout_authenticity", "closest_pairs"]
    assert list(metrics) == names
    assert all({"value", "direction", "definition", "n"} <= set(entry) for entry in metrics.values())
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_of_an_empty_set_every_figure_is_undefined_with_a_reason(parts: dict[str, np.ndarray]):
    metrics = judged(parts["train"][:0], parts).to_metrics()
    for name in ("near_copies", "exact_copies", "nn_ratio", "authenticity", "closest_pairs"):
        assert metrics[name]["value"] is None and metrics[name]["reason"] == "there is no synthetic image"
    assert metrics["heldout_authenticity"]["value"] is not None
    assert metrics["closest_pairs"]["pairs"] == []


def test_where_held_out_images_coincide_with_training_images_ratios_are_undefined(parts: dict[str, np.ndarray]):
    train = views(parts["train"][:10])
    metrics = memorisation(views(parts["unseen"][:5]), train, train).to_metrics()
    assert metrics["nn_ratio"]["value"] is None and "coincide" in metrics["nn_ratio"]["reason"]
    assert metrics["closest_pairs"]["pairs"][0]["distance_ratio"] is None
    assert metrics["near_copies"]["value"] == 0


def test_one_training_or_held_out_image_is_too_few(parts: dict[str, np.ndarray]):
    some, one = views(parts["unseen"][:4]), views(parts["train"][:1])
    with pytest.raises(ValueError, match="two training images; there are 1"):
        memorisation(some, one, some)
    with pytest.raises(ValueError, match="two held-out images; there are 1"):
        memorisation(some, some, one)


@pytest.mark.skipif(REAL_DATA not in os.environ, reason=f"{REAL_DATA} names no folder of real images")
def test_classical_copies_of_spanish_images_are_flagged_and_other_patients_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each patient stands on one side only."""
    monkeypatch.setenv("FULORA_BENCH_CACHE", str(tmp_path))
    prepare("spain", Path(os.environ[REAL_DATA]))
    spain = load_cohort("spain", 64)
    pixels, patients = np.asarray(spain.pixels), spain.table["patient_id"].to_numpy()
    train, heldout, unseen = (
        pixels[np.isin(patients, group)] for group in np.array_split(np.unique(patients), [40, 60])
    )
    copies = memorisation(views(classical_copies(train, 100)), views(train), views(heldout)).to_metrics()
    others = memorisation(views(unseen), views(train), views(heldout)).to_metrics()
    assert copies["near_copies"]["value"] > 0.9
    assert others["near_copies"]["value"] == 0
