"""How fast fidelity is on one core."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.fidelity import extract, frechet_distance, kernel_distance, load_extractor


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_ultrasound_features_of_500_images_take_less_than_3_seconds(benchmark: BenchmarkFixture):
    images = np.random.default_rng(0).integers(0, 256, size=(500, 64, 64), dtype=np.uint8)
    extractor = load_extractor("ultrasound")
    benchmark.pedantic(extract, args=(images, extractor), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.min < 3


@pytest.mark.parametrize("dimension", [128, 2048])
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_distances_of_500_images(benchmark: BenchmarkFixture, distance, dimension: int):  # noqa: ANN001
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(500, dimension)).astype(np.float32) for _ in range(2))
    benchmark.pedantic(distance, args=(a, b), rounds=2, warmup_rounds=1)
