"""What the ultrasound encoder is trained to tell: planes, layout, and how an image was degraded.

An encoder that knows planes alone learns to look past blur and noise, and a distance in its features would
too. So every training image is turned, scaled, blurred, made noisy and re-toned by known amounts, and the
features must tell the amounts, the plane, and the clean image in small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from benchmark.fidelity.ultrasound import DIMENSION

MAX_BLUR = 2.5
MAX_NOISE = 0.15
MAX_ANGLE = math.radians(30)
MAX_ZOOM = 0.25
MAX_GAMMA = 0.5
PICTURE = 16
AMOUNTS = 5
_KERNEL = 13


@dataclass(frozen=True)
class Exercise:
    """One batch: float images (n, 1, 64, 64) in [0, 1], amounts (n, 5) in [-1, 1], clean pictures (n, 256)."""

    images: torch.Tensor
    amounts: torch.Tensor
    pictures: torch.Tensor


def degrade(clean: torch.Tensor, generator: torch.Generator) -> Exercise:
    """Degrade float images (n, 1, 64, 64) in [0, 1] by random amounts: angle, zoom, gamma, blur, noise.

    Blur and noise are absent in a third of the images each, so that clean images are well known.
    """
    n = len(clean)
    amounts = torch.rand((n, AMOUNTS), generator=generator) * 2 - 1
    absent = torch.rand((n, 2), generator=generator) < 1 / 3
    amounts[:, 3:] = torch.where(absent, -1.0, amounts[:, 3:])
    mirrored = torch.where(torch.rand((n, 1, 1, 1), generator=generator) < 0.5, clean, clean.flip(3))
    turned = _turn(mirrored, amounts[:, 0] * MAX_ANGLE, torch.exp(amounts[:, 1] * MAX_ZOOM))
    toned = turned.clamp_min(1e-4) ** torch.exp(amounts[:, 2] * MAX_GAMMA).view(-1, 1, 1, 1)
    blurred = gaussian_blur(toned, (amounts[:, 3] + 1) / 2 * MAX_BLUR)
    noise = torch.randn(blurred.shape, generator=generator)
    noisy = blurred + noise * ((amounts[:, 4] + 1) / 2 * MAX_NOISE).view(-1, 1, 1, 1)
    # Images meet the encoder as 8-bit files do: bounded and in 256 steps.
    images = (noisy.clamp(0, 1) * 255).round() / 255
    return Exercise(images, amounts, F.adaptive_avg_pool2d(turned, PICTURE).flatten(1))


def _turn(images: torch.Tensor, angle: torch.Tensor, zoom: torch.Tensor) -> torch.Tensor:
    cosine, sine, zero = angle.cos() / zoom, angle.sin() / zoom, torch.zeros_like(angle)
    rows = [torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def gaussian_blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur each of (n, 1, h, w) by its own sigma in pixels, shape (n,); sigma 0 leaves an image as it is."""
    n = len(images)
    offsets = torch.arange(_KERNEL) - _KERNEL // 2
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-2).unsqueeze(1)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).view(n, 1, 1, _KERNEL)
    reach = _KERNEL // 2
    x = images.transpose(0, 1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel, groups=n)
    x = F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=n)
    return x.transpose(0, 1)


class Heads(nn.Module):
    """Readers of the features, needed in training only."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(DIMENSION, affine=False)
        self.plane = nn.Linear(DIMENSION, classes)
        self.amounts = nn.Sequential(nn.Linear(DIMENSION, 128), nn.GELU(), nn.Linear(128, AMOUNTS))
        self.picture = nn.Sequential(nn.Linear(DIMENSION, 256), nn.GELU(), nn.Linear(256, PICTURE**2))

    def losses(self, features: torch.Tensor, exercise: Exercise, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The weighted parts of the loss: plane, amounts, picture, and redundancy of the features."""
        x = self.normalise(features)
        correlation = x.T @ x / len(x)
        redundancy = (correlation - torch.diag(torch.diagonal(correlation))).square().sum() / DIMENSION
        return {
            "plane": 0.3 * F.cross_entropy(self.plane(x), labels, label_smoothing=0.1),
            "amounts": F.smooth_l1_loss(self.amounts(x), exercise.amounts, beta=0.1),
            "picture": 10 * F.mse_loss(self.picture(x), exercise.pictures),
            "redundancy": 0.02 * redundancy,
        }
