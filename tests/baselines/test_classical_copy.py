"""classical_copy: its images are its training images, changed within the stated limits and in no other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from baselines.classical_copy import ClassicalCopy, CopyParameters, augmented
from benchmark.classes import CLASSES
from benchmark.contract import MissingData, TrainingSet, run_method
from tests.baselines.conftest import Case

NOTHING = {"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "flip": 0.0, "gain": 0.0, "offset": 0.0}


def picture(size: int = 65) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(size, size)), 4)
    return (noise / noise.std() * 30 + 128).clip(60, 190).astype(np.uint8)


def changed(image: np.ndarray, seed: int = 0, **amounts: float) -> np.ndarray:
    return augmented(image, CopyParameters(**(NOTHING | amounts)), np.random.default_rng(seed))


def draws(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_any_change_the_copy_is_the_original():
    np.testing.assert_array_equal(changed(picture()), picture())


def test_a_flip_mirrors_left_to_right():
    np.testing.assert_array_equal(changed(picture(), flip=1.0), picture()[:, ::-1])


def test_gain_and_offset_stay_in_their_limits_and_in_the_grey_scale():
    levels = [int(changed(np.full((9, 9), 100, dtype=np.uint8), seed, gain=0.2)[4, 4]) for seed in range(200)]
    assert min(levels) == pytest.approx(80, abs=2) and max(levels) == pytest.approx(120, abs=2)
    assert min(levels) >= 80 and max(levels) <= 120
    offsets = [int(changed(np.full((9, 9), 100, dtype=np.uint8), seed, offset=0.1)[4, 4]) for seed in range(200)]
    assert 74 <= min(offsets) < 80 and 120 < max(offsets) <= 126
    assert {changed(np.full((9, 9), 250, dtype=np.uint8), seed, gain=0.2).max() for seed in range(20)} <= set(
        range(256)
    )


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_rotation_is_the_one_that_pillow_makes(seed: int):
    """Pillow turns counter-clockwise by positive angles; the first draw is the angle."""
    angle = float(draws(seed).uniform(-15, 15))
    turned = changed(picture(), seed, rotation=15.0).astype(float)
    expected = np.asarray(Image.fromarray(picture()).rotate(-angle, Image.Resampling.BILINEAR), dtype=float)
    inner = slice(12, -12)
    assert np.abs(turned - expected)[inner, inner].max() <= 2
    assert np.abs(turned - picture())[inner, inner].max() > 5


def test_a_shift_moves_by_at_most_its_share_of_the_side_and_leaves_black():
    spot = np.zeros((101, 101), dtype=np.uint8)
    spot[50, 50] = 200
    places = []
    for seed in range(200):
        moved = changed(spot, seed, shift=0.08).astype(float)
        places.append([(moved.sum(axis=axis) @ np.arange(101)) / moved.sum() - 50 for axis in (0, 1)])
    reach = np.abs(places).max()
    assert 7 < reach < 8.2
    assert changed(np.full((50, 50), 200, dtype=np.uint8), 1, shift=0.3).min() == 0


def test_a_zoom_scales_by_a_fifth_at_most():
    disc = (np.hypot(*np.mgrid[-50:51, -50:51]) < 20).astype(np.uint8) * 200
    areas = np.array([(changed(disc, seed, zoom=0.2) > 100).sum() for seed in range(200)]) / (disc > 0).sum()
    scales = np.sqrt(areas)
    assert scales.min() == pytest.approx(0.8, abs=0.03) and scales.max() == pytest.approx(1.2, abs=0.03)


def test_it_cycles_over_the_training_images_of_the_class_asked_for(case: Callable[..., Case]):
    made = case("classical_copy", parameters=NOTHING, images_per_class=5)
    method = ClassicalCopy(made.context)
    method.fit(made.train, made.context)
    own = made.train.images[np.array(made.train.labels) == CLASSES[2]]
    assert len(own) == 2
    np.testing.assert_array_equal(method.sample(CLASSES[2], 5, made.context), own[[0, 1, 0, 1, 0]])


def test_a_longer_set_begins_with_the_shorter_one(case: Callable[..., Case]):
    made: Any = case("classical_copy")
    method = ClassicalCopy(made.context)
    method.fit(made.train, made.context)
    long, short = (method.sample(CLASSES[0], n, made.context) for n in (6, 2))
    np.testing.assert_array_equal(long[:2], short)


def test_a_class_without_training_images_is_missing_data(case: Callable[..., Case]):
    made = case("classical_copy")
    method = ClassicalCopy(made.context)
    size = made.request.image_size
    method.fit(TrainingSet(np.empty((0, size, size), dtype=np.uint8), (), (), ()), made.context)
    with pytest.raises(MissingData, match=CLASSES[0]):
        method.sample(CLASSES[0], 1, made.context)
    assert method.sample(CLASSES[0], 0, made.context).shape == (0, size, size)


@pytest.mark.parametrize("name", NOTHING)
def test_a_negative_amount_is_a_bad_request(name: str, case: Callable[..., Case], capsys: pytest.CaptureFixture[str]):
    assert run_method(ClassicalCopy, case("classical_copy", parameters={name: -0.1}).environ) == 2
    assert name in capsys.readouterr().err.splitlines()[-1]
