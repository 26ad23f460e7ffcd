"""The extractor `ultrasound`: a small encoder of B-mode images, shipped with the package.

Trained by `benchmark.fidelity.train_ultrasound` on phantom images; its card lies beside the weights.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from benchmark.errors import BenchError
from benchmark.fidelity.extractors import SHIPPED_WEIGHTS, Extractor
from benchmark.keys import file_sha256

INPUT_SIZE = 64
VERSION = "1"
RESIZE = "bilinear with antialiasing to 64x64"
_WIDTHS = (32, 64, 128, 192)
_TAPS = (32, 32, 64)
DIMENSION = sum(_TAPS)


def load(weights: Path | None, offline: bool, device: str) -> Extractor:
    """The encoder with the shipped weights, or with a file of the same layout; `offline` makes no difference."""
    path = weights or SHIPPED_WEIGHTS
    encoder = UltrasoundEncoder()
    try:
        encoder.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except (RuntimeError, SafetensorError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchError(
            f"{path} holds no weights of the ultrasound encoder ({reason}). Reinstall fulora-bench, or train one: "
            "python -m benchmark.fidelity.train_ultrasound --help"
        ) from error
    return Extractor(
        name="ultrasound",
        network=encoder.eval().to(device, memory_format=torch.channels_last),
        weights_sha256=file_sha256(path),
        dimension=DIMENSION,
        backend="benchmark.fidelity.ultrasound",
        backend_version=VERSION,
        resize=RESIZE,
        device=device,
    )


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class _Block(nn.Module):
    """A residual block that halves the side and widens."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride=2)
        self.second = _convolution(outputs, outputs)
        self.skip = _convolution(inputs, outputs, size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.second(F.relu(self.first(x)))
        return F.relu(inner + self.skip(F.avg_pool2d(x, 2)))


class UltrasoundEncoder(nn.Module):
    """Grey images -> 128 features: texture (32), structure (32) and layout (64), each averaged over the image.

    The features are standardised by their mean and spread on the training images, so that each counts alike
    in a distance. Input: uint8 (n, 3, h, w) with equal channels, or float (n, 1, 64, 64) in [0, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(1, _WIDTHS[0], size=5, stride=2)
        self.blocks = nn.ModuleList(_Block(a, b) for a, b in pairwise(_WIDTHS))
        self.taps = nn.ModuleList(nn.Conv2d(w, t, 1) for w, t in zip(_WIDTHS[1:], _TAPS, strict=True))
        self.register_buffer("feature_mean", torch.zeros(DIMENSION))
        self.register_buffer("feature_spread", torch.ones(DIMENSION))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Standardised features, shape (n, 128)."""
        x = to_unit_range(images) if images.dtype == torch.uint8 else images
        return (self.raw_features(x) - self.feature_mean) / self.feature_spread

    def raw_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features before they are standardised, from float (n, 1, 64, 64) in [0, 1]."""
        x = F.relu(self.stem((x - 0.25) * 4))
        found = []
        for block, tap in zip(self.blocks, self.taps, strict=True):
            x = block(x)
            found.append(F.gelu(tap(x)).mean(dim=(2, 3)))
        return torch.cat(found, dim=1)


def to_unit_range(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, h, w) with equal channels -> float (n, 1, 64, 64) in [0, 1]."""
    grey = images[:, :1].float() / 255
    if grey.shape[-2:] == (INPUT_SIZE, INPUT_SIZE):
        return grey
    size = (INPUT_SIZE, INPUT_SIZE)
    return F.interpolate(grey, size=size, mode="bilinear", antialias=True, align_corners=False)
