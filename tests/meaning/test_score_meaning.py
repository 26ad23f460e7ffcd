"""What the utility metrics must say on cases built for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.utility.definitions import metric_definitions
from benchmark.utility.predictions import prediction_frame
from benchmark.utility.scores import score


def _frame(labels: list[str], probabilities: np.ndarray) -> pd.DataFrame:
    names = [f"i{row}" for row in range(len(labels))]
    return prediction_frame(pd.DataFrame({"image_id": names, "patient_id": names}), labels, probabilities)


def _target(n: int, classes: tuple[str, ...] = CLASSES[1:]) -> list[str]:
    return [classes[row % len(classes)] for row in range(n)]


def _perfect(labels: list[str]) -> np.ndarray:
    return np.eye(len(CLASSES))[[CLASSES.index(label) for label in labels]]


def test_perfect_predictions_give_the_best_value_of_every_metric() -> None:
    labels = _target(40)
    for protocol in ("suite-v1", "paper-2407.20072"):
        result = score(_frame(labels, _perfect(labels)), protocol, replicates=50)
        for name, metric in result.metrics.items():
            if name == "f1_macro_all":
                assert metric.value == pytest.approx(4 / 5)  # "other" has no image: the trap that the name tells
            else:
                best = 1.0 if metric.direction == "higher" else 0.0
                ends = (metric.ci_low, metric.ci_high) if best == 1.0 else (metric.ci_high, metric.ci_low)
                assert metric.value == ends[1] == pytest.approx(best), name
                # 40 images prove no perfection: the interval does not shrink to the value
                assert ends[0] is not None, name
                assert abs(ends[0] - best) > 0.01, name


def test_an_absent_class_neither_raises_nor_lowers_a_macro_metric_silently() -> None:
    generator = np.random.default_rng(0)
    labels = _target(80)
    probabilities = generator.dirichlet(np.ones(5), size=80) * 0.4 + 0.6 * _perfect(labels)
    with_other = _frame(labels, probabilities)
    closed = probabilities.copy()
    closed[:, 0] = 0
    closed /= closed.sum(axis=1, keepdims=True)
    without = _frame(labels, closed).drop(columns="p_other")
    open_scores, bare_scores = score(with_other, replicates=0), score(without, replicates=0)
    for metric in metric_definitions():
        if metric.averaging != "macro" or metric.name == "f1_macro_all":
            continue
        shown = open_scores.metrics[metric.name]
        assert shown.class_set == CLASSES[1:], metric.name
        if metric.name.endswith("_closed"):
            assert shown.value == pytest.approx(bare_scores.metrics[metric.name].value), metric.name
    trap = open_scores.metrics["f1_macro_all"]
    assert trap.class_set == CLASSES
    assert trap.notes == ("no image is other: F1 counts 0",)


def test_two_classes_missing_in_the_target_leave_a_perfect_classifier_perfect() -> None:
    labels = _target(30, ("abdomen", "brain", "femur"))
    result = score(_frame(labels, _perfect(labels)), replicates=0)
    assert result.classes_present == ("abdomen", "brain", "femur")
    assert result.metrics["f1_macro_present"].value == 1.0
    assert result.metrics["auroc_ovr_macro_present"].value == 1.0


def test_predicting_everything_as_other_gives_defined_values_or_reasons() -> None:
    labels = _target(40)
    everything = np.eye(len(CLASSES))[np.zeros(40, dtype=int)]
    result = score(_frame(labels, everything), replicates=20)
    assert result.n_without_mass == 40
    for name, metric in result.metrics.items():
        assert metric.value is not None or metric.reason, name
        assert metric.value is None or np.isfinite(metric.value), name
    values = {name: metric.value for name, metric in result.metrics.items()}
    assert values["accuracy"] == values["accuracy_closed"] == values["f1_macro_present"] == 0.0
    assert values["other_rate"] == 1.0
    assert values["auroc_ovr_macro_present"] == 0.5
    assert values["mcc"] is None
    assert "40 images have no mass" in result.metrics["accuracy_closed"].notes[-1]
    paper = score(_frame(labels, everything), "paper-2407.20072", replicates=0)
    assert paper.metrics["auc_paper"].value == 0.5


def test_a_classifier_without_an_output_for_a_class_has_no_area_and_says_so() -> None:
    labels = _target(40)
    rows = np.full((40, 5), 0.25)
    rows[:, CLASSES.index("thorax")] = 0
    result = score(_frame(labels, rows).drop(columns="p_thorax"), replicates=0)
    metric = result.metrics["auroc_ovr_macro_present"]
    assert metric.value is None
    assert metric.reason == "the classifier has no output for thorax"
    assert result.metrics["recall_macro_present"].value is not None


def test_a_target_of_one_class_has_no_area_and_no_correlation_and_says_so() -> None:
    result = score(_frame(["brain"] * 6, np.full((6, 5), 0.2)), replicates=10)
    assert result.metrics["auroc_ovr_macro_present"].value is None
    assert "all images are brain" in str(result.metrics["auroc_ovr_macro_present"].reason)
    assert result.metrics["mcc"].value is None
