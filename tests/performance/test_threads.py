"""Workers x threads: what two cores give as two workers of one thread, and as one worker of two threads."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

STEPS = 60


def train(threads: int) -> float:
    from benchmark.utility.backbones import BackboneSpec
    from benchmark.utility.recipe import load_recipe
    from benchmark.utility.training import TrainingOptions, train_classifier

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (250, 64, 64), dtype=np.uint8)
    labels = np.arange(250, dtype=np.int64) % 5
    options = TrainingOptions(augmentation="light", seed=0, threads=threads)
    return train_classifier(images, labels, load_recipe("scratch-64", STEPS), BackboneSpec("test_resnet"), options).loss


@pytest.mark.parametrize(("workers", "threads"), [(2, 1), (1, 2)])
def test_two_trainings_on_two_cores(benchmark: BenchmarkFixture, workers: int, threads: int):
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(train, [threads] * workers))  # imports and warm-up are not what is measured
        losses = benchmark.pedantic(lambda: list(pool.map(train, [threads] * 2)), rounds=3)
    assert np.isfinite(losses).all()
