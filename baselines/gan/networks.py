"""Generator and discriminator: small convolutional networks for grey images of a power of two."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

_EMBEDDING = 32


def channels_at(size: int, width: int) -> int:
    """Channels of a feature map: `width` at 64 px, twice that at half the size, at most 8 times."""
    return max(8, min(8 * width, 64 * width // size))


class ConditionalNorm(nn.Module):
    """Batch normalisation whose gain and bias come from noise and class (Brock et al. 2019)."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.1)
        nn.init.zeros_(self.affine.bias)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Normalised features, (n, channels, h, w), with the gain and bias of `condition`."""
        gain, bias = self.affine(condition)[:, :, None, None].chunk(2, dim=1)
        return self.norm(features) * (1 + gain) + bias


class Generator(nn.Module):
    """Noise (n, latent) and class numbers (n,) to images in [-1, 1], shape (n, 1, size, size)."""

    def __init__(self, size: int, classes: int, latent: int, width: int) -> None:
        super().__init__()
        condition = latent + _EMBEDDING
        self.latent = latent
        self.embedding = nn.Embedding(classes, _EMBEDDING)
        self.start = nn.Linear(condition, 16 * channels_at(4, width))
        sizes = [4 * 2**i for i in range(size.bit_length() - 2)]
        widths = [channels_at(side, width) for side in sizes]
        pairs = list(itertools.pairwise(widths))
        self.norms = nn.ModuleList(ConditionalNorm(channels, condition) for channels in widths)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=False) for a, b in pairs)
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        """Images in [-1, 1], shape (n, 1, size, size)."""
        condition = torch.cat([noise, self.embedding(classes)], dim=1)
        features = self.start(condition).unflatten(1, (-1, 4, 4))
        for norm, up in zip(self.norms, self.ups, strict=False):
            features = up(functional.leaky_relu(norm(features, condition), 0.2))
        return torch.tanh(self.last(functional.leaky_relu(self.norms[-1](features, condition), 0.2)))


class Discriminator(nn.Module):
    """Images and class numbers to scores (n,): spectral norm and projection (Miyato & Koyama 2018)."""

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        sides = [size // 2**i for i in range(1, size.bit_length() - 2)]
        widths = [1, *(channels_at(side, width) for side in sides)]
        pairs = itertools.pairwise(widths)
        self.downs = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairs)
        self.mix = spectral_norm(nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1))
        self.score = spectral_norm(nn.Linear(widths[-1], 1))
        self.embedding = spectral_norm(nn.Embedding(classes, widths[-1]))

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Scores, shape (n,): high for what looks real for its class."""
        features = images
        for down in self.downs:
            features = functional.leaky_relu(down(features), 0.2)
        # How much the batch varies, as a channel: a generator that repeats itself is seen (Karras et al. 2018).
        spread = features.float().std(dim=0, correction=0).mean().expand(len(features), 1, *features.shape[2:])
        features = functional.leaky_relu(self.mix(torch.cat([features, spread.to(features.dtype)], dim=1)), 0.2)
        pooled = features.sum(dim=(2, 3))
        return self.score(pooled).squeeze(1) + (self.embedding(classes) * pooled).sum(dim=1)


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator (Lim & Ye 2017)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
