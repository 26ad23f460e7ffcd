"""What classifiers are trained on, on a small phantom."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmark.classes import CLASSES
from benchmark.errors import BenchError
from benchmark.execution.inputs import StoredSet
from benchmark.execution.training_sets import TrainingSet, training_set
from benchmark.execution.utility_cell import cluster_folds
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import Cell

PER_CLASS = 4


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol("phantom", 32)


@pytest.fixture(scope="module")
def synthetic() -> StoredSet:
    labels = tuple(name for name in CLASSES for _ in range(PER_CLASS))
    images = np.stack([np.full((32, 32), number, dtype=np.uint8) for number in range(len(labels))])
    return StoredSet(images, labels)


def chosen(protocol: Protocol, synthetic: StoredSet, **coordinates: object) -> TrainingSet:
    cell = Cell.model_validate(
        {"kind": "utility", "protocol": "phantom", "method": "m", "repetition": 0, **coordinates}
    )
    return training_set(cell, protocol, synthetic, seed=5)


def test_mixes_hold_what_their_names_say(protocol: Protocol, synthetic: StoredSet):
    n = len(protocol.train)
    counts = {
        mix: (found.n_real, found.n_synthetic)
        for mix in ("real", "real+synthetic", "synthetic")
        for found in [chosen(protocol, synthetic, mix=mix)]
    }
    assert counts == {"real": (n, 0), "real+synthetic": (n, 20), "synthetic": (0, 20)}
    with pytest.raises(BenchError, match="real, real\\+synthetic or synthetic"):
        chosen(protocol, synthetic, mix="fake")


def test_a_balanced_subset_is_even_and_counts_its_parts(protocol: Protocol, synthetic: StoredSet):
    found = chosen(protocol, synthetic, mix="real+synthetic", balance="subset")
    assert len(set(Counter(found.labels.tolist()).values())) == 1
    assert found.n_real + found.n_synthetic == len(found.labels)


def test_smaller_doses_lie_in_larger_ones_and_the_generator_s_images_come_first(
    protocol: Protocol, synthetic: StoredSet
):
    sets = [chosen(protocol, synthetic, mix="real", n_real=n) for n in (5, 20, 40)]
    held = [{image.tobytes() for image in found.images} for found in sets]
    assert held[0] < held[1] < held[2]
    assert held[1] == {image.tobytes() for image in np.array(protocol.adaptation.pixels)}
    assert Counter(sets[0].labels.tolist()) == dict.fromkeys(range(5), 5)


def test_a_dose_of_synthetic_images_takes_the_first_of_each_class(protocol: Protocol, synthetic: StoredSet):
    found = chosen(protocol, synthetic, mix="synthetic", n_synthetic=1)
    assert found.images[:, 0, 0].tolist() == [0, 4, 8, 12, 16]
    with pytest.raises(BenchError, match="Lower utility"):
        chosen(protocol, synthetic, mix="synthetic", n_synthetic=5)


def test_no_cluster_of_the_target_both_trains_and_is_predicted(protocol: Protocol):
    target = protocol.tracks["target"]
    clusters = np.asarray(target.table["cluster_id"])
    tested: list[int] = []
    for train, test in cluster_folds(np.asarray(target.labels), list(clusters), 5, seed=1):
        assert not set(clusters[train]) & set(clusters[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(len(target)))
    with pytest.raises(BenchError, match="upper_reference=false"):
        list(cluster_folds(np.zeros(4, dtype=np.int64), ["a", "b", "a", "b"], 5, seed=1))
