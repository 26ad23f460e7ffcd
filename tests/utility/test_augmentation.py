from __future__ import annotations

import pytest
import torch

from benchmark.utility.augmentation import _crop, augment


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_none_changes_nothing() -> None:
    images = torch.rand(3, 1, 32, 32)
    assert augment(images, "none", _generator()) is images


@pytest.mark.parametrize("name", ["da", "light"])
def test_augmented_images_keep_shape_and_range_and_differ_from_each_other(name: str) -> None:
    images = torch.rand(1, 1, 32, 32).repeat(8, 1, 1, 1)
    moved = augment(images, name, _generator())
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert len({round(float(image.sum()), 4) for image in moved}) == 8


def test_a_crop_never_leaves_the_image_and_its_area_stays_in_the_study_s_range() -> None:
    maps = _crop(2000, _generator())
    width, height = maps[:, 0, 0], maps[:, 1, 1]
    assert torch.all(maps[:, 0, 2].abs() + width <= 1 + 1e-6)
    assert torch.all(maps[:, 1, 2].abs() + height <= 1 + 1e-6)
    area = width * height
    assert 0.08 - 1e-6 <= float(area.min()) < 0.12
    assert 0.9 < float(area.max()) <= 1


def test_half_of_the_images_are_flipped_and_the_middle_stays_in_the_middle() -> None:
    images = torch.zeros(400, 1, 33, 33)
    images[:, :, 16, 16] = 1.0
    images[:, :, 14:19, 24:28] = 1.0
    moved = augment(images, "light", _generator())
    left = moved[..., :16].sum(dim=(1, 2, 3)) > moved[..., 17:].sum(dim=(1, 2, 3))
    assert 0.4 < float(left.float().mean()) < 0.6
