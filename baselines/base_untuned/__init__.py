"""The base pipeline as it is: what both fine-tunings start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.latent_diffusion import LatentDiffusion, SamplingParameters
from benchmark.contract import Context, TrainingSet


class BaseUntuned:
    """Samples the base pipeline by the captions of the classes; sees no training image."""

    def __init__(self, context: Context) -> None:
        self.diffusion = LatentDiffusion(context, context.parameters_as(SamplingParameters))

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Nothing to learn."""

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size)."""
        return self.diffusion.sample(label, n)
