"""Classes, centres, the worst centre, the gap and the class-matched comparison, against hand and loops."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.statistics import Measured, cluster_counts, interval
from benchmark.utility.readings import closed_reading, open_reading
from benchmark.utility.resampled import resampled
from benchmark.utility.scores import score
from benchmark.utility.slices import (
    center_accuracy,
    center_metrics,
    class_metrics,
    gap_of,
    shared_classes,
    worst_of,
)
from tests.utility.oracles import Sample, area

Frames = Callable[[int, int], pd.DataFrame]
Build = Callable[..., pd.DataFrame]


@pytest.fixture
def two_centers(frame_of: Build) -> pd.DataFrame:
    """Ghana: abdomen right, wrong, brain right, right. Malawi: abdomen right, thorax wrong, wrong, wrong."""
    labels = ["abdomen", "abdomen", "brain", "brain", "abdomen", "thorax", "thorax", "thorax"]
    predicted = [1, 2, 2, 2, 1, 1, 0, 2]
    frame = frame_of(labels, np.eye(5)[predicted], [f"p{place}" for place in range(8)])
    frame["center"] = ["Ghana"] * 4 + ["Malawi"] * 4
    return frame


def _json(frame: pd.DataFrame, replicates: int = 50) -> dict[str, Any]:
    """What `score --json` prints; a NaN in it is an error."""
    text = json.dumps(score(frame, replicates=replicates).to_json(), allow_nan=False)
    return dict(json.loads(text))


def test_classes_by_hand_with_a_reason_for_each_undefined_value(two_centers: pd.DataFrame) -> None:
    table = _json(two_centers)["per_class"]
    assert list(table) == list(CLASSES)
    abdomen, thorax, other = table["abdomen"], table["thorax"], table["other"]
    assert (abdomen["n"], abdomen["n_predicted"]) == (3, 3)
    assert [abdomen[name]["value"] for name in ("precision", "recall", "f1")] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert abdomen["auroc"]["value"] == pytest.approx((2 / 3 + 4 / 5) / 2)  # of hard scores: mean of both rates
    assert abdomen["recall"]["ci_low"] < 2 / 3 < abdomen["recall"]["ci_high"]
    assert thorax["precision"]["value"] is None
    assert thorax["precision"]["reason"].startswith("thorax is never predicted")
    assert thorax["recall"]["value"] == 0.0
    assert (other["n"], other["n_predicted"]) == (0, 1)
    assert {other[name]["reason"] for name in ("precision", "recall", "f1", "auroc")} == {"no image is other"}


def test_classes_equal_scikit_learn_and_average_to_the_macro_metrics(random_frame: Frames) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    reading = open_reading(random_frame(80, 4))
    ones = np.ones((1, reading.n_clusters))
    found = class_metrics(reading, ones)
    expected = precision_recall_fscore_support(reading.labels, reading.predicted, labels=range(1, 5), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        assert found[name][0, 1:] == pytest.approx(values, abs=1e-12)
    sample = Sample(reading.labels, reading.probabilities, reading.present, reading.outputs)
    assert found["auroc"][0, 1:] == pytest.approx([area(sample, code) for code in range(1, 5)], abs=1e-12)
    macro = resampled(reading, "suite-v1", ones)
    assert macro["f1_macro_present"][0] == pytest.approx(found["f1"][0, 1:].mean())
    assert macro["auroc_ovr_macro_present"][0] == pytest.approx(found["auroc"][0, 1:].mean())
    assert all(np.isnan(values[0, 0]) for values in found.values())


def test_a_class_that_a_replicate_lost_is_undefined_there(two_centers: pd.DataFrame) -> None:
    reading = open_reading(two_centers)
    counts = np.ones((1, 8))
    counts[0, 5:] = 0  # the three of thorax
    found = class_metrics(reading, counts)
    assert all(np.isnan(values[0, CLASSES.index("thorax")]) for values in found.values())
    assert found["recall"][0, CLASSES.index("brain")] == 1.0


def test_centres_by_hand(two_centers: pd.DataFrame) -> None:
    data = _json(two_centers)
    ghana, malawi = data["per_center"]["Ghana"], data["per_center"]["Malawi"]
    assert (ghana["n_images"], ghana["n_clusters"], ghana["classes_present"]) == (4, 4, ["abdomen", "brain"])
    assert ghana["accuracy"]["value"] == 3 / 4
    # abdomen: precision 1, recall 1/2; brain: precision 2/3, recall 1
    assert ghana["f1_macro_present"]["value"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert malawi["accuracy"]["value"] == 1 / 4
    worst, gap = data["worst_center"], data["center_gap"]
    assert (worst["name"], worst["metric"], worst["value"]) == ("Malawi", "accuracy", 1 / 4)
    assert "biased low" in worst["notes"][0]
    assert (gap["best"], gap["worst"], gap["value"]) == ("Ghana", "Malawi", 1 / 2)
    assert "biased high" in gap["notes"][0]


def test_the_matched_comparison_takes_only_the_classes_that_every_centre_has(two_centers: pd.DataFrame) -> None:
    matched = _json(two_centers)["class_matched"]
    assert matched["classes"] == ["abdomen"]
    assert matched["per_center"]["Ghana"]["accuracy"]["value"] == 1 / 2
    assert matched["per_center"]["Malawi"]["accuracy"]["value"] == 1.0
    assert (matched["worst"]["name"], matched["worst"]["value"]) == ("Ghana", 1 / 2)  # the order turns round
    assert (matched["gap"]["best"], matched["gap"]["value"]) == ("Malawi", 1 / 2)
    # Malawi has one image of abdomen: nothing to resample
    assert matched["per_center"]["Malawi"]["accuracy"]["ci_low"] is None
    assert matched["gap"]["ci_low"] is None
    assert "Malawi: no interval: all images that count are of one cluster" in matched["gap"]["reason"]


def test_without_a_centre_there_is_null_and_the_reason(random_frame: Frames) -> None:
    data = _json(random_frame(30, 0).assign(center=""))
    for name in ("per_center", "worst_center", "center_gap", "class_matched"):
        assert data[name] is None
        assert data["reasons"][name] == "no image has a centre: the column `center` is empty"
    assert data["per_class"]["brain"]["f1"]["value"] is not None


def test_centres_without_a_common_class_are_not_matched(frame_of: Build) -> None:
    frame = frame_of(["brain", "femur"] * 4, np.eye(5)[[2, 3] * 4])
    data = _json(frame.assign(center=["A", "B"] * 4))
    assert data["class_matched"] is None
    assert data["reasons"] == {"class_matched": "no class has images in every centre"}


def test_a_centre_of_one_cluster_has_values_and_no_interval(random_frame: Frames) -> None:
    frame = random_frame(40, 2)
    frame["center"] = ["Lonely"] * 2 + ["Ghana"] * 38
    data = _json(frame)
    lonely = data["per_center"]["Lonely"]["accuracy"]
    assert lonely["value"] is not None
    assert (lonely["ci_low"], lonely["ci_high"]) == (None, None)
    assert "one cluster" in lonely["reason"]
    assert data["per_center"]["Ghana"]["accuracy"]["ci_low"] is not None
    assert data["worst_center"]["ci_low"] is None
    assert "Lonely" in data["worst_center"]["reason"]


def test_a_cluster_in_two_centres_gives_values_and_no_intervals(random_frame: Frames) -> None:
    frame = random_frame(40, 2)
    frame["cluster_id"] = [f"c{row // 2}" for row in range(40)]
    frame["center"] = ["A", "B"] * 20
    found = _json(frame)["per_center"]["A"]["accuracy"]
    assert found["value"] is not None
    assert found["ci_low"] is None
    assert "a cluster has images of two centres" in found["reason"]


def test_one_centre_alone_is_the_worst_and_has_no_gap(random_frame: Frames) -> None:
    data = _json(random_frame(40, 2).assign(center="Ghana"))
    assert data["worst_center"]["value"] == data["metrics"]["accuracy"]["value"]
    assert data["center_gap"]["value"] is None
    assert "one centre alone" in data["center_gap"]["reason"]


def test_images_without_a_centre_belong_to_none(random_frame: Frames) -> None:
    frame = random_frame(60, 2)
    frame.loc[frame["center"] == "Egypt", "center"] = ""
    data = _json(frame)
    assert list(data["per_center"]) == ["Ghana", "Malawi"]
    assert sum(center["n_images"] for center in data["per_center"].values()) == int((frame["center"] != "").sum())


def test_centre_accuracy_on_counts_equals_a_loop_over_the_images_that_were_drawn(random_frame: Frames) -> None:
    frame = random_frame(90, 11).sample(frac=1, random_state=0)
    for reading in (open_reading(frame), closed_reading(open_reading(frame), (1, 2, 3, 4))):
        counts = cluster_counts(reading.clusters, 20, 0, reading.centers)
        for classes in (None, (2, 3)):
            found = center_accuracy(reading, counts, classes)
            assert list(found) == ["Egypt", "Ghana", "Malawi"]
            for place, row in enumerate(counts):
                drawn = dict(zip(sorted(set(reading.clusters)), row, strict=True))
                for name, values in found.items():
                    right = total = 0
                    images = zip(reading.labels, reading.predicted, reading.clusters, reading.centers, strict=True)
                    for label, guess, cluster, center in images:
                        if center == name and (classes is None or label in classes):
                            total += drawn[cluster]
                            right += drawn[cluster] * (label == guess)
                    assert values[place] == pytest.approx(right / total, abs=1e-12)


def test_the_metrics_of_a_centre_are_those_of_its_images_alone(random_frame: Frames) -> None:
    frame = random_frame(90, 11)
    reading = open_reading(frame)
    counts = cluster_counts(reading.clusters, 10, 0, reading.centers)
    names = ("accuracy", "accuracy_closed", "auroc_ovr_macro_present")
    found = center_metrics(reading, counts, names)
    own = open_reading(frame[frame["center"] == "Ghana"])
    columns = [list(reading.cluster_names).index(name) for name in own.cluster_names]
    for name, values in resampled(own, "suite-v1", counts[:, columns], metrics=names).items():
        assert found["Ghana"][name] == pytest.approx(values), name


def test_a_centre_without_a_class_is_closed_to_the_classes_of_the_whole_target(two_centers: pd.DataFrame) -> None:
    reading = open_reading(two_centers)
    found = center_metrics(reading, np.ones((1, 8)), ("accuracy_closed",))
    assert found["Malawi"]["accuracy_closed"][0] == 1 / 4  # brain is a class of the target, so it can be predicted


def test_worst_and_gap_are_taken_anew_in_every_replicate_and_an_undefined_centre_leaves_none() -> None:
    accuracies = {"A": np.array([0.9, 0.2, 0.5]), "B": np.array([0.4, 0.7, np.nan])}
    assert worst_of(accuracies).tolist() == pytest.approx([0.4, 0.2, np.nan], nan_ok=True)
    assert gap_of(accuracies).tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)


def test_shared_classes_are_those_of_every_centre(two_centers: pd.DataFrame) -> None:
    assert shared_classes(open_reading(two_centers)) == (1,)
    assert shared_classes(open_reading(two_centers.assign(center=""))) == ()


def test_intervals_of_centres_come_from_draws_within_each_centre(random_frame: Frames) -> None:
    frame = random_frame(90, 11)
    reading = open_reading(frame)
    counts = cluster_counts(reading.clusters, 300, 5, strata=reading.centers)
    own, samples = (center_accuracy(reading, one) for one in (np.ones((1, reading.n_clusters)), counts))
    found = score(frame, replicates=300, seed=5).to_json()
    for name in reading.center_names:
        expected = interval(Measured(own[name], samples[name][None, :], 15), (0.0, 1.0))
        assert found["per_center"][name]["n_clusters"] == 15
        assert found["per_center"][name]["accuracy"]["ci_low"] == pytest.approx(expected.low)
    lowest = interval(Measured(worst_of(own), worst_of(samples)[None, :], 15), (0.0, 1.0))
    assert found["worst_center"]["ci_high"] == pytest.approx(lowest.high)


def test_the_worst_of_centres_that_are_equal_in_truth_lies_below_the_truth() -> None:
    generator = np.random.default_rng(0)
    draws = {name: generator.binomial(40, 0.8, size=2000) / 40 for name in "ABCDE"}
    assert np.mean(worst_of(draws)) < 0.8 - 0.05
    assert np.mean(gap_of(draws)) > 0.1


@pytest.mark.parametrize("kind", ["open", "closed"])
def test_the_reliability_table_adds_up_to_the_calibration_error(random_frame: Frames, kind: str) -> None:
    data = _json(random_frame(120, 3))
    table = data["reliability"][kind]
    assert [(one["low"], one["high"]) for one in table] == [(k / 15, (k + 1) / 15) for k in range(15)]
    assert sum(one["n"] for one in table) == 120
    gaps = [one["n"] * abs(one["accuracy"] - one["mean_confidence"]) for one in table if one["n"]]
    assert sum(gaps) / 120 == pytest.approx(data["metrics"]["ece" if kind == "open" else "ece_closed"]["value"])
    assert all(one["accuracy"] is None and one["mean_confidence"] is None for one in table if not one["n"])
    assert all(one["low"] < one["mean_confidence"] <= one["high"] for one in table if one["n"])


def test_an_image_without_mass_on_the_present_classes_has_confidence_0_and_is_wrong(frame_of: Build) -> None:
    frame = frame_of(["brain", "femur"], np.array([[1.0, 0, 0, 0, 0], [0, 0, 0, 1.0, 0]]))
    first, *_, last = _json(frame)["reliability"]["closed"]
    assert (first["n"], first["mean_confidence"], first["accuracy"]) == (1, 0.0, 0.0)
    assert (last["n"], last["mean_confidence"], last["accuracy"]) == (1, 1.0, 1.0)


def test_the_paper_s_protocol_has_no_parts_and_says_where_they_are(study: pd.DataFrame) -> None:
    data = score(study, "paper-2407.20072", replicates=0).to_json()
    assert data["per_class"] is data["reliability"] is data["per_center"] is None
    assert set(data["reasons"].values()) == {"part of suite-v1, not of this protocol"}
