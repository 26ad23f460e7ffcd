"""Near-copies of training images are found, and only they."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmark.fidelity import Views, near_copies, nearest
from benchmark.fidelity.neighbours import best_correlation


def images(n: int, seed: int, size: int = 64) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, size, size))
    smooth = np.stack([gaussian_filter(image, 3) for image in noise])
    return (smooth / smooth.std() * 40 + 110).clip(0, 255).astype(np.uint8)


def views(pixels: np.ndarray) -> Views:
    return Views(pixels, pixels[:, ::8, ::8].reshape(len(pixels), -1).astype(np.float32))


def test_nearest_finds_the_row_and_its_distance():
    reference = np.eye(4, dtype=np.float32)
    distance, where = nearest(reference[[2, 0]] + np.float32(0.5) * reference[[2, 0]], reference)
    assert where.tolist() == [2, 0]
    assert distance == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[:, :, ::-1],
        lambda x: np.roll(x, (2, -3), axis=(1, 2)),
        lambda x: (x * 0.6 + 30).astype(np.uint8),
        lambda x: (x + np.random.default_rng(9).normal(0, 8, x.shape)).clip(0, 255).astype(np.uint8),
    ],
    ids=["same", "mirrored", "displaced", "darker", "noisy"],
)
def test_a_copy_is_found_also_when_lightly_changed(change: Callable[[np.ndarray], np.ndarray]):
    train = images(12, seed=0)
    found = near_copies(views(change(train[[4, 9]])), views(train), views(images(10, seed=1)))
    assert found.is_copy.all()
    assert found.correlation_match.tolist() == [4, 9]


def test_unseen_images_of_the_same_kind_are_no_copies():
    found = near_copies(views(images(20, seed=2)), views(images(12, seed=0)), views(images(10, seed=1)))
    assert not found.is_copy.any()
    assert np.median(found.distance_ratio) == pytest.approx(1, abs=0.2)


def test_a_featureless_image_correlates_with_nothing():
    correlation, _ = best_correlation(np.full((1, 20, 50), 9, dtype=np.uint8), images(3, 0))
    assert correlation.tolist() == [0.0]
