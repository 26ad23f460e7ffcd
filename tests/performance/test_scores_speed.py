from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.classes import CLASSES
from benchmark.utility.predictions import prediction_frame
from benchmark.utility.scores import score


def _frame(n: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    identity = pd.DataFrame({"image_id": [f"i{r}" for r in range(n)], "patient_id": [f"p{r // 2}" for r in range(n)]})
    labels = [CLASSES[1 + row % 4] for row in range(n)]
    return prediction_frame(identity, labels, generator.dirichlet(np.ones(5), size=n))


def test_all_metrics_of_300_images_with_1000_replicates(benchmark: Any) -> None:
    frame = _frame(300)
    score(frame, replicates=10)
    result = benchmark.pedantic(score, args=(frame,), rounds=3)
    assert result.metrics["accuracy"].ci_low is not None
