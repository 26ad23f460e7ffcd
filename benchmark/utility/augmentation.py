"""Augmentation of whole batches as tensors: one random affine map per image, sampled once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmark.utility.recipe import check_augmentation

_CROP_AREA = (0.08, 1.0)
_CROP_RATIO = (3 / 4, 4 / 3)
_ROTATION_DEGREES = 15.0
_ZOOM = (0.8, 1.2)
_SHIFT = 0.08
_GAIN = (0.8, 1.2)
_OFFSET = 0.05


def augment(images: Tensor, name: str, generator: Generator) -> Tensor:
    """Augment (n, 1, s, s) images in [0, 1]; what lies outside an image is black.

    The draws come from `generator` (on the CPU) and depend on n alone, so that equal seeds give equal augmentations
    on every mix and device.

    Raises:
        UnknownNameError: unknown augmentation.
    """
    check_augmentation(name)
    if name == "none":
        return images
    count = len(images)
    rotation = _rotation(_uniform(count, (-_ROTATION_DEGREES, _ROTATION_DEGREES), generator))
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    window = _crop(count, generator) if name == "da" else _zoom(count, generator)
    window[:, 0, 0] *= flip
    maps = (rotation @ window)[:, :2].to(images.device)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved if name == "da" else _gain(moved, generator)


def _uniform(count: int, limits: tuple[float, float], generator: Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator)


def _rotation(degrees: Tensor) -> Tensor:
    radians = degrees * math.pi / 180
    maps = torch.eye(3).repeat(len(degrees), 1, 1)
    maps[:, 0, 0] = maps[:, 1, 1] = torch.cos(radians)
    maps[:, 0, 1], maps[:, 1, 0] = -torch.sin(radians), torch.sin(radians)
    return maps


def _crop(count: int, generator: Generator) -> Tensor:
    """Random resized crop: area and log-uniform aspect ratio as in torchvision; sides are cut at the image's."""
    area = _uniform(count, _CROP_AREA, generator)
    low, high = (math.log(ratio) for ratio in _CROP_RATIO)
    ratio = torch.exp(_uniform(count, (low, high), generator))
    width = torch.sqrt(area * ratio).clamp(max=1.0)
    height = torch.sqrt(area / ratio).clamp(max=1.0)
    maps = torch.eye(3).repeat(count, 1, 1)
    maps[:, 0, 0], maps[:, 1, 1] = width, height
    maps[:, 0, 2] = (1 - width) * _uniform(count, (-1.0, 1.0), generator)
    maps[:, 1, 2] = (1 - height) * _uniform(count, (-1.0, 1.0), generator)
    return maps


def _zoom(count: int, generator: Generator) -> Tensor:
    maps = torch.eye(3).repeat(count, 1, 1)
    maps[:, 0, 0] = maps[:, 1, 1] = 1 / _uniform(count, _ZOOM, generator)
    maps[:, 0, 2] = _uniform(count, (-2 * _SHIFT, 2 * _SHIFT), generator)
    maps[:, 1, 2] = _uniform(count, (-2 * _SHIFT, 2 * _SHIFT), generator)
    return maps


def _gain(images: Tensor, generator: Generator) -> Tensor:
    count = len(images)
    gain = _uniform(count, _GAIN, generator).to(images.device).view(-1, 1, 1, 1)
    offset = _uniform(count, (-_OFFSET, _OFFSET), generator).to(images.device).view(-1, 1, 1, 1)
    return (images * gain + offset).clamp(0, 1)
