from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.utility.balance import balanced_subset, batches, class_weights

LABELS = np.array([0] * 30 + [1] * 6 + [3] * 2)


def drawn(balance: str, count: int, seed: int = 3) -> torch.Tensor:
    stream = batches(LABELS, balance, 8, seed)
    return torch.cat([next(stream) for _ in range(-(-count // 8))])[:count]


@pytest.mark.parametrize("balance", ["natural", "loss", "subset"])
def test_every_epoch_sees_each_image_once(balance: str):
    places = drawn(balance, 76)
    assert sorted(places[:38].tolist()) == sorted(places[38:].tolist()) == list(range(38))


def test_balanced_sampling_draws_every_class_equally_often_and_its_images_in_turn():
    places = drawn("sampling", 180)
    classes = LABELS[places.numpy()]
    assert np.bincount(classes).tolist() == [60, 60, 0, 60]
    assert all(sorted(classes[at : at + 3]) == [0, 1, 3] for at in range(0, 180, 3))
    rare = places[classes == 1].tolist()
    assert all(sorted(rare[at : at + 6]) == list(range(30, 36)) for at in range(0, 60, 6))
    assert len(set(places[classes == 0].tolist())) == 30


def test_equal_seeds_draw_equal_batches_and_others_do_not():
    for balance in ("natural", "sampling"):
        assert torch.equal(drawn(balance, 64), drawn(balance, 64))
        assert not torch.equal(drawn(balance, 64), drawn(balance, 64, seed=4))


def test_class_weights_by_hand():
    assert class_weights(LABELS, 5) == pytest.approx([38 / 90, 38 / 18, 0, 38 / 6, 0])
    assert float(class_weights(LABELS, 5)[LABELS].mean()) == pytest.approx(1)


def test_a_balanced_subset_has_as_many_of_each_class_as_the_rarest():
    chosen = balanced_subset(LABELS, 1)
    assert np.bincount(LABELS[chosen]).tolist() == [2, 2, 0, 2]
    assert len(set(chosen.tolist())) == 6
    assert np.array_equal(chosen, balanced_subset(LABELS, 1))
    assert not np.array_equal(chosen, balanced_subset(LABELS, 2))
