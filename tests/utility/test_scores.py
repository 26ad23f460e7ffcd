from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.errors import UnknownNameError, UsageError
from benchmark.utility.confusions import paper_areas
from benchmark.utility.definitions import SKLEARN, metric_definitions
from benchmark.utility.readings import open_reading
from benchmark.utility.resampled import class_areas, confusion, resampled
from benchmark.utility.scores import score

Frames = Callable[[int, int], pd.DataFrame]
Build = Callable[..., pd.DataFrame]


def test_the_study_s_matrix_gives_the_figures_recomputed_from_it(study: pd.DataFrame) -> None:
    suite, paper = score(study, replicates=0), score(study, "paper-2407.20072", replicates=0)
    assert suite.metrics["f1_macro_present"].value == pytest.approx(0.859, abs=5e-4)
    assert suite.metrics["f1_macro_all"].value == pytest.approx(0.687, abs=5e-4)
    assert suite.metrics["accuracy"].value == pytest.approx(183 / 233)
    assert suite.metrics["other_rate"].value == pytest.approx(45 / 233)
    # hard labels as scores: the correct one-vs-rest areas
    assert suite.metrics["auroc_ovr_macro_present"].value == pytest.approx(0.8871, abs=5e-5)
    # the study's own: a predicted "other" counts as positive for every class
    assert paper.metrics["auc_paper"].value == pytest.approx(0.8876, abs=5e-5)
    assert paper.metrics["f1_paper"].value == suite.metrics["f1_macro_present"].value


@pytest.mark.parametrize(
    ("name", "paper", "correct"),
    [("abdomen", 0.9174, 0.7846), ("brain", 0.8661, 0.9893), ("femur", 0.8905, 0.9052), ("thorax", 0.8764, 0.8692)],
)
def test_each_class_of_the_study_s_matrix_has_its_paper_and_its_correct_area(
    study: pd.DataFrame, name: str, paper: float, correct: float
) -> None:
    reading, code = open_reading(study), CLASSES.index(name)
    ones = np.ones((1, reading.n_clusters))
    assert class_areas(reading, ones)[0, code] == pytest.approx(correct, abs=5e-5)
    assert paper_areas(confusion(reading, ones), reading.present)[0, code] == pytest.approx(paper, abs=5e-5)


def test_values_computed_by_hand_on_three_images(frame_of: Build) -> None:
    rows = np.array([[0.5, 0.5, 0, 0, 0], [0.1, 0.2, 0.7, 0, 0], [0.6, 0.1, 0.3, 0, 0]])
    result = score(frame_of(["abdomen", "brain", "brain"], rows), replicates=0).metrics
    assert result["accuracy"].value == pytest.approx(1 / 3)  # the tie of the first goes to "other"
    assert result["accuracy_closed"].value == 1.0
    assert result["recall_macro_present"].value == pytest.approx((0 + 1 / 2) / 2)
    assert result["precision_macro_present"].value == pytest.approx((0 + 1) / 2)
    assert result["precision_macro_present"].notes == (
        "precision of abdomen is undefined (never predicted) and counts 0",
    )
    assert result["f1_macro_present"].value == pytest.approx((0 + 2 / 3) / 2)
    assert result["f1_macro_all"].value == pytest.approx((2 / 3) / 5)
    assert result["brier"].value == pytest.approx((0.5 + 0.14 + (0.36 + 0.01 + 0.49)) / 3)
    assert result["ece"].value == pytest.approx((0.5 + (1 - 0.7) + 0.6) / 3)  # three bins of one image
    assert result["auroc_ovr_macro_present"].value == pytest.approx(1.0)
    assert result["other_rate"].value == pytest.approx(2 / 3)


def test_the_value_of_a_metric_and_its_replicates_come_from_codes_that_agree(random_frame: Frames) -> None:
    frame = random_frame(120, 3)
    reading, result = open_reading(frame), score(frame, replicates=0)
    own = resampled(reading, "suite-v1", np.ones((1, reading.n_clusters)))
    for metric in metric_definitions():
        if metric.backend == SKLEARN:
            assert own[metric.name][0] == pytest.approx(result.metrics[metric.name].value, abs=1e-12), metric.name


def test_the_order_of_the_images_changes_nothing(random_frame: Frames) -> None:
    frame = random_frame(60, 7)
    shuffled = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    one, two = score(frame, replicates=50), score(shuffled, replicates=50)
    for name, metric in one.metrics.items():
        assert metric.value == pytest.approx(two.metrics[name].value), name
        assert metric.ci_low == pytest.approx(two.metrics[name].ci_low), name


def test_intervals_widen_when_images_of_a_patient_say_the_same(frame_of: Build) -> None:
    generator = np.random.default_rng(0)
    right = np.repeat(generator.random(40) < 0.6, 5)
    codes = np.repeat(np.arange(40) % 4 + 1, 5)
    rows = np.eye(5)[np.where(right, codes, codes % 4 + 1)]
    labels = [CLASSES[code] for code in codes]
    grouped = score(frame_of(labels, rows, [str(i // 5) for i in range(200)])).metrics["accuracy"]
    single = score(frame_of(labels, rows)).metrics["accuracy"]
    assert grouped.n_clusters == 40
    assert single.n_clusters == 200
    assert (grouped.ci_high - grouped.ci_low) > 1.6 * (single.ci_high - single.ci_low)


def test_json_names_every_metric_of_the_protocol_with_its_class_set_and_backend(study: pd.DataFrame) -> None:
    data = score(study, replicates=20).to_json()
    assert list(data["metrics"]) == [metric.name for metric in metric_definitions()]
    assert data["classes_present"] == ["abdomen", "brain", "femur", "thorax"]
    assert data["n_images"] == 233
    f1 = data["metrics"]["f1_macro_present"]
    assert f1["class_set"] == data["classes_present"]
    assert f1["backend"] == "scikit-learn"
    assert f1["ci_low"] < f1["value"] < f1["ci_high"]
    assert data["metrics"]["f1_macro_all"]["class_set"] == list(CLASSES)
    assert data["confusion"]["counts"][1] == [25, 37, 0, 2, 1]


def test_an_unknown_protocol_offers_the_right_one(study: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="suite-v1"):
        score(study, "suite-1")


def test_more_replicates_and_another_seed_are_told_and_change_no_value(random_frame: Frames) -> None:
    frame = random_frame(60, 1)
    one, two = score(frame, replicates=100, seed=0), score(frame, replicates=200, seed=1)
    assert two.to_json()["interval"] == {"level": 0.95, "unit": "cluster", "replicates": 200, "seed": 1}
    assert one.metrics["accuracy"].value == two.metrics["accuracy"].value
    assert one.metrics["accuracy"].ci_low != two.metrics["accuracy"].ci_low


def test_a_negative_number_of_replicates_is_refused(study: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="replicates must be 0 or more, not -1"):
        score(study, replicates=-1)


def test_one_cluster_alone_has_values_and_no_interval_and_says_why(frame_of: Build) -> None:
    rows = np.full((6, 5), 0.2)
    metric = score(frame_of(["brain", "femur"] * 3, rows, ["one"] * 6)).metrics["accuracy"]
    assert (metric.value, metric.ci_low, metric.ci_high) == (0.0, None, None)
    assert "one cluster" in str(metric.reason)


def test_replicates_that_are_all_but_constant_have_an_interval_within_the_range(frame_of: Build) -> None:
    rows = np.full((8, 5), 0.2)  # the area is 1/2 in every replicate but those that lost a class
    result = score(frame_of(["brain", "femur"] * 4, rows), replicates=200)
    for name, metric in result.metrics.items():
        if metric.ci_low is not None and metric.ci_high is not None:
            low, high = metric.limits
            assert low <= metric.ci_low <= metric.ci_high <= high, name
