"""DiffAugment (Zhao et al. 2020, arXiv 2006.10738): the same random changes to real and synthetic images.

Every operation is differentiable, so that the generator learns through it; images are in [-1, 1],
shape (n, 1, size, size). Without it the discriminator remembers a few hundred images within minutes.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SHIFT = 1 / 8
_HOLE = 1 / 2


def diff_augment(images: Tensor) -> Tensor:
    """Brightness, contrast, translation and cutout, drawn anew for every image."""
    return cutout(translate(contrast(brightness(images))))


def brightness(images: Tensor) -> Tensor:
    """Add a constant, uniform in [-0.5, 0.5]."""
    return images + (_uniform(images) - 0.5)


def contrast(images: Tensor) -> Tensor:
    """Scale the distance to the image's mean by a factor, uniform in [0.5, 1.5]."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - mean) * (_uniform(images) + 0.5) + mean


def translate(images: Tensor) -> Tensor:
    """Move by up to an eighth of the size in both directions; what comes in is black."""
    n, _, size, _ = images.shape
    reach = int(size * _SHIFT + 0.5)
    padded = torch.nn.functional.pad(images + 1, (reach,) * 4)
    rows, columns = (_grid(n, size, images.device, 2 * reach + 1) for _ in range(2))
    which = torch.arange(n, device=images.device)[:, None, None]
    return padded[which, 0, rows[:, :, None], columns[:, None, :]][:, None] - 1


def cutout(images: Tensor) -> Tensor:
    """Cover a square of half the size, anywhere, with mid-grey."""
    n, _, size, _ = images.shape
    hole = int(size * _HOLE + 0.5)
    place = torch.arange(size, device=images.device)
    starts = torch.randint(-hole // 2, size - hole // 2, (2, n, 1), device=images.device)
    inside = (place >= starts) & (place < starts + hole)
    covered = inside[0, :, :, None] & inside[1, :, None, :]
    return images * ~covered[:, None]


def _uniform(images: Tensor) -> Tensor:
    return torch.rand(len(images), 1, 1, 1, device=images.device)


def _grid(n: int, size: int, device: torch.device, offsets: int) -> Tensor:
    return torch.randint(offsets, (n, 1), device=device) + torch.arange(size, device=device)
