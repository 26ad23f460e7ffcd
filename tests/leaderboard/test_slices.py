"""Centres, the worst of them, classes and calibration, against values computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.leaderboard import Board, build_board
from benchmark.leaderboard.slice_tables import extremes
from benchmark.statistics import Measured
from tests.leaderboard import fake_run
from tests.leaderboard.fake_run import LABELS, FakeMethod, FakeRun, N

METHODS = (FakeMethod("real_only", 0.5, synthesizes=False), FakeMethod("uneven", 0.9))
ALGERIA, GHANA = range(30), range(30, 60)
RIGHT = [[*range(0, 27), *range(30, 45)], [*range(0, 30), *range(30, 51)], [*range(0, 24), *range(33, 48)]]
"""Images that `uneven` has right: 27, 30, 24 of 30 in Algeria and 15, 21, 15 of 30 in Ghana."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    known = {("uneven", "", repetition): right for repetition, right in enumerate(RIGHT)}
    return build_board([FakeRun(tmp_path_factory.mktemp("slices"), methods=METHODS, known=known).write()])


def row(board: Board, table: str) -> dict[str, Any]:
    return dict(next(row for row in board.table(table).rows if row["method"] == "uneven"))


def test_the_worst_centre_and_the_gap_are_those_of_the_means_over_repetitions(board: Board):
    found = row(board, "centers")
    assert found["center_Algeria"].value == pytest.approx(100 * 81 / 90)
    assert found["worst"].name == "Ghana"
    assert found["worst"].value == pytest.approx(100 * 51 / 90)
    assert found["gap"].value == pytest.approx(100 * 30 / 90)
    assert found["worst"].low < found["worst"].value < found["worst"].high
    assert (found["worst"].images, found["worst"].clusters) == (30, 10)
    assert row(board, "main")["worst"] == found["worst"]
    assert "centres that are equal in truth show a worst one, too" in board.table("centers").to_markdown()


def test_the_minimum_is_taken_anew_in_every_replicate_of_the_mean_over_repetitions():
    one = Measured(np.array([0.5, 0.7]), np.array([[0.4, 0.9, 0.5], [0.6, 0.9, 0.9]]), 9)
    other = Measured(np.array([0.9, 0.5]), np.array([[0.8, 0.2, 0.9], [0.6, 0.4, 0.7]]), 9)
    worst, gap = extremes({"one": one, "other": other}, {"one": 10, "other": 10})
    lowest = Measured(np.array([0.5, 0.7]), np.array([[0.4, 0.2, 0.5], [0.6, 0.4, 0.9]]), 9)
    width = Measured(np.array([0.4, -0.2]), np.array([[0.4, 0.7, 0.4], [0.0, 0.5, -0.2]]), 9)
    from benchmark.statistics import interval

    expected, between = interval(lowest, (0, 1)), interval(width)
    assert (worst.name, worst.value, worst.low, worst.high) == ("one", 0.6, expected.low, expected.high)
    assert (gap.value, gap.high) == (pytest.approx(between.value), min(1.0, between.high or 1.0))


def test_class_matched_accuracy_leaves_out_classes_that_a_centre_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    labels = [("abdomen", "brain")[i % 2] if i in GHANA else label for i, label in enumerate(LABELS)]
    monkeypatch.setattr(fake_run, "LABELS", labels)
    known = {("uneven", "", repetition): right for repetition, right in enumerate(RIGHT)}
    board = build_board([FakeRun(tmp_path, methods=METHODS, known=known).write()])
    kept = [i for i in ALGERIA if labels[i] in ("abdomen", "brain")]
    expected = np.mean([np.mean([i in right for i in kept]) for right in RIGHT])
    found = row(board, "centers_matched")
    assert found["center_Algeria"].value == pytest.approx(100 * expected)
    assert found["center_Algeria"].images == len(kept)
    assert found["center_Ghana"].value == pytest.approx(100 * 51 / 90)
    assert "abdomen, brain" in board.table("centers_matched").to_markdown()
    assert f"Algeria (n={len(kept)}, 10 clusters)" in board.table("centers_matched").display().columns


def test_per_class_recall_and_precision_are_counted_by_hand(board: Board):
    brain = [i for i in range(N) if LABELS[i] == "brain"]
    recall = np.mean([np.mean([i in right for i in brain]) for right in RIGHT])
    assert row(board, "class_recall")["class_brain"].value == pytest.approx(100 * recall)
    assert row(board, "class_precision")["class_brain"].value == pytest.approx(100)  # errors all predict `other`
    assert f"brain % (n={len(brain)})" in board.table("class_recall").display().columns
    assert not any("other" in title for title in board.table("class_recall").display().columns)


def test_a_class_counts_on_the_clusters_that_carry_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Thorax: images 2, 3 and 32 of patients 0, 1 and 10, all right but 32 in one repetition, where 3 is taken for
    `other` as well. Patients without a thorax tell nothing of it."""
    labels = ["thorax" if i in (2, 3, 32) else ("abdomen", "brain", "femur")[i % 3] for i in range(N)]
    monkeypatch.setattr(fake_run, "LABELS", labels)
    known = {("uneven", "", repetition): list(range(N)) for repetition in range(2)}
    known["uneven", "", 2] = [i for i in range(N) if i not in (3, 32)]
    board = build_board([FakeRun(tmp_path, methods=METHODS, known=known).write()])
    recall, precision = (row(board, f"class_{metric}")["class_thorax"] for metric in ("recall", "precision"))
    assert (recall.images, recall.clusters) == (3, 3)
    assert precision.value == 100
    assert precision.clusters == 1  # 3, 3 and 1 clusters with a prediction: 3 / (1/3 + 1/3 + 1) = 1.8
    assert "single cluster" in precision.reason
    known["uneven", "", 2] = list(range(N))
    (tmp_path / "right").mkdir()
    found = row(build_board([FakeRun(tmp_path / "right", methods=METHODS, known=known).write()]), "class_f1")
    assert found["class_thorax"].clusters == 3
    assert found["class_thorax"].low < 20
    assert found["class_abdomen"].clusters == 19  # patient 1 has its abdomen no more


def test_centres_that_share_a_cluster_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Patient 0 of Algeria is patient 10 of Ghana, and so on."""
    clusters = [f"c{i // 3 % 10}" for i in range(N)]
    build = fake_run.prediction_frame
    monkeypatch.setattr(
        fake_run, "prediction_frame", lambda identity, *rest: build(identity.assign(cluster_id=clusters), *rest)
    )
    board = build_board([FakeRun(tmp_path, methods=METHODS).write()])
    for column in ("center_Ghana", "worst", "gap"):
        found = row(board, "centers")[column]
        assert found.low is None
        assert "a cluster has images of two centres" in found.reason


def test_per_class_auroc_is_of_scores(board: Board):
    """An image that is right has 0.6 on its class, any other image 0.1 there: ties count half."""
    areas = []
    for right in RIGHT:
        hit = np.mean([i in right for i in range(N) if LABELS[i] == "brain"])
        areas.append(hit + (1 - hit) / 2)
    assert row(board, "class_auroc")["class_brain"].value == pytest.approx(100 * np.mean(areas))


def test_calibration_stands_beside_the_readings_and_its_bins_in_the_data(board: Board):
    found = row(board, "readings")
    accuracy = np.mean([len(right) / N for right in RIGHT])
    assert found["ece"].value == pytest.approx(np.mean([abs(len(right) / N - 0.6) for right in RIGHT]))
    assert found["other_rate"].value == pytest.approx(100 * (1 - accuracy))
    wrong = 0.6**2 + 0.9**2 + 3 * 0.1**2
    correct = 0.4**2 + 4 * 0.1**2
    assert found["brier"].value == pytest.approx(accuracy * correct + (1 - accuracy) * wrong)
    bins = [dict(line) for line in board.table("reliability").rows if line["method"] == "uneven"]
    assert [(line["n"], line["accuracy"], line["confidence"]) for line in bins] == [
        (3 * N, pytest.approx(accuracy), pytest.approx(0.6))
    ]
    assert not board.table("reliability").markdown
