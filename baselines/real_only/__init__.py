"""Real images only: the method that yields nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.contract.request import TrainingSet
from benchmark.contract.sdk import Context


class RealOnly:
    """Learns nothing and yields no image."""

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Nothing to learn."""

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """No image, whatever was asked for."""
        size = context.request.image_size
        return np.empty((0, size, size), dtype=np.uint8)
