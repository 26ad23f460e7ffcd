"""Copies of training images are found, and only they."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmark.fidelity import near_copies, nearest
from benchmark.fidelity.neighbours import authentic, copy_limit, exact_copies, nearest_other
from benchmark.fidelity.registration import best_correlation

Images = np.ndarray


def images(n: int, seed: int, size: int = 64) -> Images:
    noise = np.random.default_rng(seed).normal(size=(n, size, size))
    smooth = np.stack([gaussian_filter(image, 5) for image in noise])
    return (smooth / smooth.std() * 40 + 110).clip(0, 255).astype(np.uint8)


def turned(x: Images, degrees: float) -> Images:
    return np.stack([np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR)) for image in x])


def zoomed(x: Images, factor: float) -> Images:
    side = x.shape[1]
    low, high = side / 2 - side / 2 / factor, side / 2 + side / 2 / factor
    how = {"method": Image.Transform.EXTENT, "data": (low, low, high, high), "resample": Image.Resampling.BILINEAR}
    return np.stack([np.asarray(Image.fromarray(image).transform((side, side), **how)) for image in x])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[:, :, ::-1],
        lambda x: x[:, ::-1],
        lambda x: turned(x[:, ::-1, ::-1], 8),
        lambda x: 255 - x,
        lambda x: turned(x, 10),
        lambda x: turned(x, -15),
        lambda x: zoomed(x, 1.2),
        lambda x: zoomed(x, 0.8),
        lambda x: np.roll(x, (4, -5), axis=(1, 2)),
        lambda x: (x * 0.6 + 30).astype(np.uint8),
        lambda x: (x + np.random.default_rng(9).normal(0, 8, x.shape)).clip(0, 255).astype(np.uint8),
        lambda x: (zoomed(turned(x[:, :, ::-1], 12), 1.15) * 0.8 + 10).astype(np.uint8),
    ],
    ids=[
        "same",
        "mirrored",
        "upside down",
        "turned round",
        "negative",
        "10 deg",
        "15 deg",
        "zoomed in",
        "zoomed out",
        "displaced",
        "darker",
        "noisy",
        "all",
    ],
)
def test_a_copy_is_found_also_when_changed(change: Callable[[Images], Images]):
    train = images(12, seed=0)
    found = near_copies(change(train[[4, 9, 2, 7]]), train, images(30, seed=1))
    assert found.is_copy.all()
    assert found.match.tolist() == [4, 9, 2, 7]
    assert found.correlation.min() > 0.95


def test_unseen_images_of_the_same_kind_are_no_copies():
    found = near_copies(images(60, seed=2), images(12, seed=0), images(30, seed=1))
    assert not found.is_copy.any()
    assert np.median(found.correlation) == pytest.approx(np.median(found.heldout_correlation), abs=0.05)


def test_an_image_turned_too_far_to_be_a_small_change_is_no_copy():
    train = images(12, seed=0)
    assert not near_copies(turned(train[:4], 60), train, images(30, seed=1)).is_copy.any()


def test_images_of_any_shape_are_compared():
    train = images(6, seed=0, size=80)[:, 10:50]
    correlation, match = best_correlation(train[[3, 5]], train)
    assert match.tolist() == [3, 5]
    np.testing.assert_allclose(correlation, 1, atol=1e-5)


def test_each_image_is_judged_alike_in_a_large_and_in_a_small_set():
    train, many = images(5, seed=0, size=24), images(501, seed=3, size=24)
    alone, _ = best_correlation(many[[0, 499, 500]], train)
    together, _ = best_correlation(many, train)
    np.testing.assert_allclose(together[[0, 499, 500]], alone, atol=1e-5)


@pytest.mark.parametrize("level", [0, 9, 255])
def test_a_featureless_image_correlates_with_nothing(level: int):
    flat = np.full((1, 64, 64), level, dtype=np.uint8)
    assert best_correlation(flat, images(3, 0))[0].tolist() == [0.0]
    assert best_correlation(images(1, 0), flat)[0].tolist() == [0.0]


def test_no_query_gives_an_empty_answer():
    correlation, match = best_correlation(images(1, 0)[:0], images(3, 0))
    assert correlation.shape == match.shape == (0,)


def test_an_exact_copy_is_found_as_it_is_and_mirrored_and_nothing_else_is():
    train = images(4, seed=0)
    changed = train[[1]].copy()
    changed[0, 5, 5] ^= 1
    turned_aside = train[[0]].transpose(0, 2, 1)
    queries = np.concatenate([train[[2]], train[[3], :, ::-1], train[[0], ::-1], changed, turned_aside])
    assert exact_copies(queries, train).tolist() == [True, True, True, False, False]


def test_an_exact_copy_of_a_featureless_image_is_a_copy():
    train = np.concatenate([images(3, 0), np.zeros((1, 64, 64), dtype=np.uint8)])
    found = near_copies(train[[3]], train, images(5, seed=1))
    assert (found.correlation[0], found.is_exact[0], found.is_copy[0]) == (0, True, True)


def test_the_limit_is_what_one_unseen_image_in_a_thousand_exceeds():
    """Held-out sets of 20 drawn from a known normal z: over many of them, the next image exceeds in 0.1 %."""
    random = np.random.default_rng(0)
    z = random.normal(1.6, 0.2, size=(4000, 20))
    limits = np.array([np.arctanh(copy_limit(np.tanh(row))) for row in z])
    exceeding = (random.normal(1.6, 0.2, size=(4000, 500)) > limits[:, None]).mean()
    assert exceeding == pytest.approx(0.001, abs=0.0004)


def test_the_limit_by_hand():
    """z of 1 and 2: mean 1.5, s 0.7071, t(0.999; 1) 318.31: the limit reaches 1 where two images are all."""
    assert copy_limit(np.tanh([1.0, 2.0])) == pytest.approx(1)
    z = np.array([1.3, 1.4, 1.5, 1.6, 1.7])
    expected = 1.5 + 7.17318 * 0.158114 * np.sqrt(1.2)
    assert copy_limit(np.tanh(z)) == pytest.approx(np.tanh(expected), abs=1e-6)


def test_the_limit_is_at_least_0_9_and_never_infinite():
    assert copy_limit(np.array([0.1, 0.12, 0.11])) == 0.9
    assert copy_limit(np.array([1.0, 1.0, 1.0])) == pytest.approx(0.9999)
    with pytest.raises(ValueError, match="two held-out images; there are 1"):
        copy_limit(np.array([0.5]))


def test_nearest_finds_the_row_and_its_distance():
    reference = np.eye(4, dtype=np.float32)
    distance, where = nearest(reference[[2, 0]] + np.float32(0.5) * reference[[2, 0]], reference)
    assert where.tolist() == [2, 0]
    assert distance == pytest.approx([0.5, 0.5])


def test_nearest_other_and_authenticity_equal_plain_loops():
    random = np.random.default_rng(4)
    train, queries = random.normal(size=(15, 6)), random.normal(size=(40, 6))
    queries[:5] = train[:5] + 0.01 * random.normal(size=(5, 6))
    others = [min(np.linalg.norm(train[i] - train[j]) for j in range(15) if j != i) for i in range(15)]
    np.testing.assert_allclose(nearest_other(train), others)
    expected = []
    for query in queries:
        distances = [np.linalg.norm(query - row) for row in train]
        closest = int(np.argmin(distances))
        expected.append(distances[closest] > others[closest])
    assert authentic(queries, train).tolist() == expected
    assert not authentic(queries[:5], train).any() and any(expected)


def test_a_copy_of_an_image_that_stands_twice_is_not_authentic():
    train = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    assert nearest_other(train).tolist() == [0, 0, 5]
    assert authentic(np.array([[0.0, 0.0], [0.0, 1.0]]), train).tolist() == [False, True]
