"""The phantom leaves room to gain: hard across centres, easy within the target and within the source.

FULORA_BENCH_TESTS=full takes more repetitions and folds, for the figures of the documentation. The short form holds to
the same bands with fewer classifiers and, on the target, with two thirds of the images and half of the steps.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from benchmark.cohorts.cohort import Cohort
from benchmark.keys import named_seed
from benchmark.profile import load_profile
from benchmark.protocol import Protocol, load_protocol
from benchmark.utility.backbones import BackboneSpec
from benchmark.utility.recipe import load_recipe
from benchmark.utility.training import Classifier, TrainingOptions, predict, train_classifier
from tests.length import FULL

REPETITIONS, FOLDS = (5, 5) if FULL else (2, 3)
TARGET_STEPS = 600 if FULL else None
"""A classifier trained on the target itself shows what its images hold, so it may take more steps."""


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol("phantom", 64)


def train(part: Cohort, seed: int, steps: int | None = None) -> Classifier:
    plan = load_profile("phantom").utility
    options = TrainingOptions(augmentation=plan.augmentations[0], seed=seed)
    backbone = BackboneSpec(plan.backbones[0].name, plan.backbones[0].weights)
    return train_classifier(np.array(part.pixels), part.labels, load_recipe(plan.recipe, steps), backbone, options)


def accuracy(classifier: Classifier, part: Cohort) -> float:
    return float((predict(classifier, np.array(part.pixels)).argmax(axis=1) == part.labels).mean())


@pytest.mark.slow
def test_real_only_transfers_badly_and_recognises_its_own_hospital(protocol: Protocol):
    target, heldout = [], []
    for repetition in range(REPETITIONS):
        classifier = train(protocol.train, named_seed("discriminates", repetition))
        target.append(accuracy(classifier, protocol.tracks["target"]))
        heldout.append(accuracy(classifier, protocol.heldout))
    print(f"real-only, {REPETITIONS} repetitions: target {np.round(target, 3)} mean {np.mean(target):.3f}, "
          f"held-out source mean {np.mean(heldout):.3f}")  # fmt: skip
    assert 0.45 <= np.mean(target) <= 0.85
    assert np.mean(heldout) >= 0.90


@pytest.mark.slow
def test_a_classifier_trained_on_the_target_itself_recognises_it(protocol: Protocol):
    target = protocol.tracks["target"]
    hits = np.zeros(len(target))
    folds = GroupKFold(n_splits=FOLDS, shuffle=True, random_state=0)
    for fold, (own, other) in enumerate(folds.split(target.labels, groups=target.table["cluster_id"])):
        classifier = train(target.part(own), named_seed("target", fold), TARGET_STEPS)
        hits[other] = predict(classifier, np.array(target.pixels[other])).argmax(axis=1) == target.labels[other]
    print(f"trained on the target, {FOLDS} folds by patient: {hits.mean():.3f}")
    assert hits.mean() >= 0.95
