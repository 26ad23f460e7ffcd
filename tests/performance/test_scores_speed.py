"""Scores of a target like the study's: 233 images, 66 patients, five outputs, four classes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from benchmark.classes import CLASSES
from benchmark.statistics import cluster_counts
from benchmark.utility.predictions import prediction_frame
from benchmark.utility.readings import Reading, open_reading
from benchmark.utility.resampled import resampled
from benchmark.utility.scores import score

METRICS = ("accuracy", "f1_macro_present", "auroc_ovr_macro_present")
REPLICATES = 10_000
LOOPED = 50
SPEEDUP = 500


def _frame(n: int, patients: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    owners = [f"p{row % patients}" for row in range(n)]
    identity = pd.DataFrame({"image_id": [f"i{row}" for row in range(n)], "patient_id": owners})
    codes = generator.choice(np.arange(1, 5), size=n, p=np.array([65, 65, 64, 39]) / 233)
    rows = generator.dirichlet(np.ones(5), size=n) + 0.5 * np.eye(5)[codes]
    return prediction_frame(identity, [CLASSES[code] for code in codes], rows / rows.sum(axis=1, keepdims=True))


def _loop(reading: Reading, counts: NDArray[np.uint32]) -> dict[str, Sequence[float]]:
    """The same by scikit-learn on the rows that were drawn, one replicate after the other."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for row in counts:
        drawn = np.repeat(np.arange(len(reading.labels)), row[reading.cluster_codes])
        true, guess, scores = reading.labels[drawn], reading.predicted[drawn], reading.probabilities[drawn]
        held = np.unique(true)
        found["accuracy"].append(accuracy_score(true, guess))
        found["f1_macro_present"].append(f1_score(true, guess, labels=held, average="macro", zero_division=0))
        areas = [roc_auc_score(true == code, scores[:, code]) for code in held]
        found["auroc_ovr_macro_present"].append(float(np.mean(areas)))
    return dict(found)


def test_ten_thousand_replicates_of_three_metrics_are_500_times_as_fast_as_a_scikit_learn_loop(benchmark: Any) -> None:
    """The loop is timed on 50 of the replicates and scaled to all of them; both run in this process, processor time."""
    reading = open_reading(_frame(233, 66))
    counts = cluster_counts(reading.clusters, REPLICATES, 0)
    _loop(reading, counts[:2])
    started = time.process_time()
    slow = _loop(reading, counts[:LOOPED])
    loop = (time.process_time() - started) * REPLICATES / LOOPED

    def fast() -> tuple[dict[str, NDArray[np.float64]], float]:
        begun = time.process_time()
        return resampled(reading, "suite-v1", counts, metrics=METRICS), time.process_time() - begun

    runs = []
    benchmark.pedantic(lambda: runs.append(fast()), rounds=5, warmup_rounds=1)
    seconds = sorted(taken for _, taken in runs)[len(runs) // 2]
    benchmark.extra_info["loop_seconds"], benchmark.extra_info["ratio"] = round(loop, 1), round(loop / seconds)
    print(f"\nloop {loop:.1f} s (scaled from {LOOPED}), matrix products {seconds:.4f} s: {loop / seconds:.0f} times")
    for name in METRICS:
        assert np.max(np.abs(runs[0][0][name][:LOOPED] - slow[name])) < 1e-9, name
    assert loop / seconds >= SPEEDUP


def test_all_metrics_of_300_images_with_1000_replicates(benchmark: Any) -> None:
    frame = _frame(300, 150)
    score(frame, replicates=10)
    result = benchmark.pedantic(score, args=(frame,), rounds=3)
    assert result.metrics["accuracy"].ci_low is not None
