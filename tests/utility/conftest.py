from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.utility.predictions import prediction_frame

# The confusion matrix printed in the study's notebook (FACTS 1.4): rows true, columns predicted.
STUDY = [[0, 0, 0, 0, 0], [25, 37, 0, 2, 1], [1, 0, 64, 0, 0], [11, 0, 0, 53, 0], [8, 0, 1, 1, 29]]


def _frame_of(labels: Sequence[str], probabilities: np.ndarray, patients: Sequence[str] | None = None) -> pd.DataFrame:
    names = [f"i{row}" for row in range(len(labels))]
    identity = pd.DataFrame({"image_id": names, "patient_id": patients or names})
    return prediction_frame(identity, labels, probabilities)


def _hard_frame(matrix: Sequence[Sequence[int]]) -> pd.DataFrame:
    pairs = [(t, p) for t, row in enumerate(matrix) for p, count in enumerate(row) for _ in range(count)]
    probabilities = np.eye(len(CLASSES))[[predicted for _, predicted in pairs]]
    return _frame_of([CLASSES[true] for true, _ in pairs], probabilities)


@pytest.fixture
def frame_of() -> Callable[..., pd.DataFrame]:
    """Predictions from labels, (n, 5) probabilities and optional patients."""
    return _frame_of


@pytest.fixture
def study() -> pd.DataFrame:
    return _hard_frame(STUDY)


@pytest.fixture
def random_frame() -> Callable[[int, int], pd.DataFrame]:
    """n predictions of two images per patient over the four target classes, right more often than not, with ties."""

    def build(n: int, seed: int) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        codes = generator.integers(1, len(CLASSES), size=n)
        logits = generator.normal(size=(n, len(CLASSES)))
        logits[np.arange(n), codes] += 1.5
        probabilities = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        frame = _frame_of([CLASSES[code] for code in codes], probabilities, [f"p{row // 2}" for row in range(n)])
        frame["center"] = [("Ghana", "Malawi", "Egypt")[(row // 2) % 3] for row in range(n)]
        return frame

    return build
