"""What the search for copies finds and misses on the phantom; `-s` prints the figures of docs/memorisation.md."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.classical_copy import CopyParameters, augmented
from benchmark.cohorts.cohort import Cohort
from benchmark.execution.inputs import protocol_of
from benchmark.fidelity.neighbours import copy_limit, near_copies
from benchmark.fidelity.registration import best_correlation
from benchmark.leaderboard.views import WEAK_LIMIT
from benchmark.profile import load_profile

SHIPPED = CopyParameters(rotation=15, zoom=0.2, shift=0.08, flip=0.5, gain=0.2, offset=0.05)


@pytest.fixture(scope="module")
def parts() -> tuple[Cohort, Cohort]:
    protocol = protocol_of(load_profile("phantom"))
    return protocol.adaptation, protocol.heldout


def with_gamma(images: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    return np.rint(255 * (images / 255) ** gamma).astype(np.uint8)


def test_a_limit_is_called_weak_where_it_misses_many_changed_copies(parts: tuple[Cohort, Cohort]):
    train, _ = parts
    generator = np.random.default_rng(0)
    copies = np.stack([augmented(image, SHIPPED, generator) for image in np.repeat(train.pixels, 3, axis=0)])
    found, _ = best_correlation(copies, train.pixels)
    shares = {limit: float((found > limit).mean()) for limit in (0.9, 0.97, 0.98, WEAK_LIMIT, 0.995)}
    print("shares of changed copies above:", shares)
    assert shares[0.9] > 0.93
    assert shares[0.98] > 0.9
    assert shares[0.995] < 0.6


def test_few_held_out_images_make_the_limit_weak(parts: tuple[Cohort, Cohort]):
    train, heldout = parts
    found, _ = best_correlation(heldout.pixels[:20], train.pixels)
    limits = {n: copy_limit(found[:n]) for n in (3, 10, 20)}
    print("limits by held-out images:", limits)
    assert limits[3] > WEAK_LIMIT > max(limits[10], limits[20])


def test_a_strong_gamma_hides_a_copy_and_a_mild_one_does_not(parts: tuple[Cohort, Cohort]):
    train, heldout = parts
    shares = {
        gamma: float(near_copies(with_gamma(train.pixels, gamma), train.pixels, heldout.pixels).is_copy.mean())
        for gamma in (0.5, 3.0)
    }
    print("flagged by gamma:", shares)
    assert shares[0.5] == 1
    assert shares[3.0] < 0.5
