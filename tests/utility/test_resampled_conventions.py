"""What scikit-learn and torchmetrics do where a definition has a choice, pinned by hand, beside what we do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)
from torchmetrics.functional.classification import (
    multiclass_auroc,
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_matthews_corrcoef,
    multiclass_precision,
)

from benchmark.classes import CLASSES
from benchmark.utility.readings import closed_reading, open_reading
from benchmark.utility.resampled import class_areas
from benchmark.utility.scores import score

Build = Callable[..., pd.DataFrame]
# Two images of abdomen and two of brain; the first brain is taken for "other".
LABELS = [2, 1, 2, 1]
ROWS = np.array([[0.6, 0.1, 0.3, 0, 0], [0.1, 0.7, 0.2, 0, 0], [0.2, 0.3, 0.5, 0, 0], [0, 0.4, 0.6, 0, 0]])
PREDICTED = [0, 1, 2, 2]


@pytest.fixture
def four(frame_of: Build) -> pd.DataFrame:
    return frame_of([CLASSES[code] for code in LABELS], ROWS)


def _value(frame: pd.DataFrame, metric: str) -> float | None:
    return score(frame, replicates=0).metrics[metric].value


def test_macro_f1_of_libraries_counts_the_predicted_absent_class_and_ours_says_which_classes(
    four: pd.DataFrame,
) -> None:
    # abdomen 2/3, brain 1/2, other 0; femur and thorax have neither images nor predictions
    over_three = (2 / 3 + 1 / 2) / 3
    assert f1_score(LABELS, PREDICTED, average="macro") == pytest.approx(over_three)
    ours = multiclass_f1_score(torch.tensor(ROWS), torch.tensor(LABELS), 5, average="macro")
    assert float(ours) == pytest.approx(over_three)
    assert _value(four, "f1_macro_present") == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert _value(four, "f1_macro_all") == pytest.approx((2 / 3 + 1 / 2) / 5)


def test_torchmetrics_gives_an_absent_class_the_area_0_and_averages_over_all_five(four: pd.DataFrame) -> None:
    scores, labels = torch.tensor(ROWS), torch.tensor(LABELS)
    with pytest.warns(UserWarning, match="No positive samples"):
        each = multiclass_auroc(scores, labels, 5, average=None)
    assert each.tolist() == [0.0, 1.0, 0.5, 0.0, 0.0]
    with pytest.warns(UserWarning, match="No positive samples"):
        assert float(multiclass_auroc(scores, labels, 5, average="macro")) == pytest.approx(1.5 / 5)
    reading = open_reading(four)
    areas = class_areas(reading, np.ones((1, reading.n_clusters)))[0]
    assert areas.tolist() == pytest.approx([np.nan, 1.0, 0.5, np.nan, np.nan], nan_ok=True)
    assert _value(four, "auroc_ovr_macro_present") == pytest.approx(1.5 / 2)


def test_scikit_learn_has_no_area_of_one_class_and_none_of_a_multi_class_target_with_an_absent_one() -> None:
    with pytest.warns(UndefinedMetricWarning, match="Only one class"):
        assert np.isnan(roc_auc_score([1, 1], [0.2, 0.3]))
    with pytest.warns(UndefinedMetricWarning, match="Only one class"):
        assert np.isnan(roc_auc_score(LABELS, ROWS, multi_class="ovr", labels=range(5)))


def test_scikit_learn_s_macro_recall_counts_a_predicted_absent_class_and_its_balanced_accuracy_does_not(
    four: pd.DataFrame,
) -> None:
    with pytest.warns(UndefinedMetricWarning, match="Recall is ill-defined"):
        assert recall_score(LABELS, PREDICTED, average="macro") == pytest.approx((1 / 2 + 1 / 2) / 3)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert balanced_accuracy_score(LABELS, PREDICTED) == pytest.approx(1 / 2)
    assert _value(four, "recall_macro_present") == _value(four, "balanced_accuracy") == pytest.approx(1 / 2)


def test_zero_division_decides_what_a_class_that_is_never_predicted_adds_to_the_mean(frame_of: Build) -> None:
    labels, predicted = [1, 2], [1, 1]
    as_zero = precision_score(labels, predicted, average="macro", zero_division=0)
    left_out = precision_score(labels, predicted, average="macro", zero_division=np.nan)
    assert (as_zero, left_out) == pytest.approx((0.25, 0.5))
    theirs = multiclass_precision(torch.tensor(predicted), torch.tensor(labels), 5, average=None)
    assert theirs.tolist() == [0.0, 0.5, 0.0, 0.0, 0.0]
    result = score(frame_of(["abdomen", "brain"], np.eye(5)[predicted]), replicates=0)
    assert result.metrics["precision_macro_present"].value == as_zero
    assert result.per_class is not None
    brain = result.per_class["brain"].values["precision"]
    assert (brain.value, brain.reason) == (None, "brain is never predicted: 0/0 (counts 0 in macro averages)")


def test_both_libraries_call_the_undefined_correlation_0_and_ours_is_none(frame_of: Build) -> None:
    labels, rows = [2, 2], np.array([[0, 0.1, 0.9, 0, 0], [0, 0.9, 0.1, 0, 0]])
    assert matthews_corrcoef(labels, [2, 1]) == 0.0
    assert float(multiclass_matthews_corrcoef(torch.tensor(rows), torch.tensor(labels), 5)) == 0.0
    found = score(frame_of(["brain", "brain"], rows), replicates=0).metrics["mcc"]
    assert found.value is None
    assert found.reason is not None


def test_the_brier_score_is_the_sum_over_classes_and_not_half_of_it(four: pd.DataFrame) -> None:
    by_hand = (0.86 + 0.14 + 0.38 + 0.72) / 4
    assert brier_score_loss(LABELS, ROWS, labels=range(5), scale_by_half=False) == pytest.approx(by_hand)
    assert brier_score_loss(LABELS, ROWS, labels=range(5), scale_by_half=True) == pytest.approx(by_hand / 2)
    assert _value(four, "brier") == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("tops", "ours", "theirs"),
    [
        # 0.6 = 9/15 is the upper edge of our bin of 0.55, the lower edge of theirs of 0.6
        ((0.6, 0.55), abs(0.4 - 0.55) / 2, (0.4 + 0.55) / 2),
        # 1 lies in our last bin, and in one of its own there
        ((0.95, 1.0), abs(0.05 - 1) / 2, (0.05 + 1) / 2),
        # no edge between: the same bin in both
        ((0.62, 0.61), abs(0.38 - 0.61) / 2, abs(0.38 - 0.61) / 2),
    ],
)
def test_bins_of_confidence_hold_their_upper_edge_here_and_their_lower_edge_in_torchmetrics(
    frame_of: Build, tops: tuple[float, float], ours: float, theirs: float
) -> None:
    rows = np.array([[0, 1 - top, top, 0, 0] for top in tops])
    frame = frame_of(["brain", "abdomen"], rows)  # the first is right, the second wrong
    found = multiclass_calibration_error(torch.tensor(rows), torch.tensor([2, 1]), 5, n_bins=15, norm="l1")
    assert float(found) == pytest.approx(theirs)
    assert _value(frame, "ece") == pytest.approx(ours)


@pytest.mark.filterwarnings("ignore:No positive samples")
def test_on_random_scores_both_readings_equal_torchmetrics(random_frame: Callable[[int, int], pd.DataFrame]) -> None:
    frame = random_frame(120, 3)
    reading, result = open_reading(frame), score(frame, replicates=0)
    for shown, suffix in ((reading, ""), (closed_reading(reading, reading.present), "_closed")):
        rows, labels = torch.tensor(shown.probabilities), torch.tensor(shown.labels)
        expected = {
            "ece": multiclass_calibration_error(rows, labels, 5, n_bins=15, norm="l1"),
            "auroc_ovr_macro_present": _of_present(multiclass_auroc(rows, labels, 5, average=None), shown.present),
            "f1_macro_present": _of_present(multiclass_f1_score(rows, labels, 5, average=None), shown.present),
            "mcc": multiclass_matthews_corrcoef(rows, labels, 5),
        }
        for name, value in expected.items():
            assert result.metrics[name + suffix].value == pytest.approx(float(value), abs=1e-6), name + suffix


def _of_present(each: torch.Tensor, present: tuple[int, ...]) -> float:
    return float(each[list(present)].mean())
