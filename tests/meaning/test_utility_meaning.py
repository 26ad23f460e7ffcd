"""What utility must say on built cases: labels matter, and images without information add nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.protocol import Protocol, load_protocol
from benchmark.utility.backbones import BackboneSpec
from benchmark.utility.recipe import load_recipe
from benchmark.utility.training import TrainingOptions, predict, train_classifier

STEPS = 150


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol("phantom", 32)


@pytest.fixture(scope="module")
def real(protocol: Protocol) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.array(protocol.train.pixels), protocol.train.labels


def heldout_accuracy(protocol: Protocol, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    recipe = load_recipe("scratch-64", STEPS)
    options = TrainingOptions(augmentation="light", seed=3)
    classifier = train_classifier(images, labels, recipe, BackboneSpec("test_resnet"), options)
    predicted = predict(classifier, np.array(protocol.heldout.pixels)).argmax(axis=1)
    return float((predicted == protocol.heldout.labels).mean())


def test_synthetic_images_with_shuffled_labels_do_not_raise_utility(
    protocol: Protocol, real: tuple[NDArray[np.uint8], NDArray[np.int64]]
):
    images, labels = real
    random = np.random.default_rng(0)
    copies = np.concatenate([np.roll(images, shift, axis=2) for shift in (-2, -1, 1, 2)])
    shuffled = random.permutation(np.tile(labels, 4))
    alone = heldout_accuracy(protocol, images, labels)
    with_shuffled = heldout_accuracy(protocol, np.concatenate([images, copies]), np.concatenate([labels, shuffled]))
    assert alone > 0.5
    assert with_shuffled < alone


def test_a_classifier_of_noise_is_at_chance(protocol: Protocol, real: tuple[NDArray[np.uint8], NDArray[np.int64]]):
    _, labels = real
    noise = np.random.default_rng(1).integers(0, 256, (len(labels), 32, 32), dtype=np.uint8)
    assert heldout_accuracy(protocol, noise, labels) < 0.35
