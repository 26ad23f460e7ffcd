"""The primary column: gains over the control, their tests, tie groups and the order of rows."""

from __future__ import annotations

from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmark.leaderboard import Board, build_board
from benchmark.leaderboard.comparisons import RunScores
from benchmark.leaderboard.views import Series, open_runs
from benchmark.statistics import swap_test
from tests.leaderboard.fake_run import LABELS, TRACK, FakeMethod, FakeRun, N

REAL = FakeMethod("real_only", 0.5, synthesizes=False)
METHODS = (REAL, FakeMethod("much", 0.95), FakeMethod("more", 0.9), FakeMethod("same", 0.5), FakeMethod("less", 0.2))
COPIER = FakeMethod("copier", 0.99, copies={0: 15})
CLUSTERS = np.repeat(np.arange(20), 3)


def written(folder: Path, **changes: Any) -> Path:
    return FakeRun(folder, **({"methods": METHODS} | changes)).write()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options: dict[str, Any] = {
        "methods": (*METHODS, COPIER),
        "controls": ("", "sampling", "loss", "subset"),
        "augmentations": ("light", "none"),
        "skills": {"none": -0.1, "subset": -0.1, "unmatched": 0.05},
        "upper": 0.99,
        "unmatched": True,
        "doses": ((5, 20), (10, 100)),
    }
    return written(tmp_path_factory.mktemp("gains"), **options)


@pytest.fixture(scope="module")
def board(folder: Path) -> Board:
    return build_board([folder])


def rows(board: Board, table: str, augmentation: str = "light") -> list[dict[str, Any]]:
    return [dict(row) for row in board.table(table).rows if row["augmentation"] == augmentation]


def right(skill: float, repetition: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The fake classifier again: which images of the track it has right."""
    from benchmark.keys import named_seed

    return np.random.default_rng(named_seed(TRACK, repetition)).random(N) < skill


def test_rows_stand_by_gain_with_the_control_at_zero_the_unranked_below_and_the_upper_reference_last(board: Board):
    for augmentation in ("light", "none"):
        found = rows(board, "main", augmentation)
        ranked = [row for row in found if row["ranked"]]
        gains = [row["gain"].value or 0.0 for row in ranked]
        assert gains == sorted(gains, reverse=True)
        assert len(ranked) == len(found) - 2
        assert [row["method"] for row in found[-2:]] == ["copier", "real_only"]
        assert found[-1]["trained_on"] == "target-trained (upper reference)"
        assert [row["ties"] is None for row in found] == [False] * len(ranked) + [True, True]


def test_every_control_is_a_row_and_one_says_that_it_is_the_control(board: Board):
    titles = [row["trained_on"] for row in rows(board, "main")]
    real = ["real", "real, balanced sampling", "real, weighted loss", "real, balanced subset"]
    assert set(real) < set(titles)
    assert [row["trained_on"] for row in rows(board, "main") if row["gain"].text == "control"] == [real[1]]


def test_with_and_without_augmentation_each_have_their_own_control(board: Board):
    for augmentation, skill in (("light", 0.5), ("none", 0.4)):
        control = np.mean([right(skill, r).mean() for r in range(3)])
        method = np.mean([right(skill + 0.45, r).mean() for r in range(3)])
        much = next(row for row in rows(board, "main", augmentation) if row["method"] == "much")
        assert much["gain"].value == pytest.approx(100 * (method - control))
    assert "augmentation" in board.table("main").display().columns


def of_interval(value: float, se: float, df: float) -> float:
    """Two-sided p of a difference by Student's t; with no standard error only a difference of 0 is no difference."""
    return float(value == 0) if se == 0 else float(2 * stats.t.sf(abs(value) / se, df))


def test_p_is_the_larger_of_permutation_and_interval_corrected_by_holm_over_all_rows_with_one_control(tmp_path: Path):
    board = build_board([written(tmp_path)])
    gains = {(row["mix"], row["method"]): row["gain"] for row in rows(board, "tests") if row["balance"] == "natural"}
    control = np.array([right(0.5, r) for r in range(3)])
    raw = {}
    for method in METHODS[1:]:
        for mix in ("real+synthetic", "synthetic"):
            found = np.array([right(method.skill, r) for r in range(3)])
            table = "main" if mix == "real+synthetic" else "synthetic_only"
            gain = gains[mix, method.name]
            raw[table, method.name] = max(_permuted(found, control), of_interval(gain.value, gain.se, gain.df))
    raw["main", "real_only"] = 1.0
    ascending = sorted(raw, key=lambda place: raw[place])
    expected, last = {}, 0.0
    for rank, place in enumerate(ascending):
        last = max(last, min(1.0, (len(raw) - rank) * raw[place]))
        expected[place] = last
    for (table, method), p in expected.items():
        row = next(row for row in rows(board, table) if (row["method"], row["balance"]) == (method, "natural"))
        assert row["p_holm"] == pytest.approx(p)
    assert f"corrected for {len(raw)} tests" in board.table("main").to_markdown()


def _permuted(method: Any, control: Any) -> float:
    from benchmark.keys import named_seed

    names = np.array([f"p:{cluster}" for cluster in CLUSTERS])
    order = sorted(range(N), key=lambda i: f"{TRACK}-{i}")
    return swap_test(method[:, order], control[:, order], names[order], 9999, named_seed("permutation", TRACK))


def test_mcnemar_is_exact_on_the_first_repetition_and_says_that_it_ignores_clustering(board: Board):
    row = next(row for row in rows(board, "tests") if row["trained_on"] == "real + more")
    gained = int(np.sum(right(0.9, 0) & ~right(0.5, 0)))
    assert int(np.sum(right(0.5, 0) & ~right(0.9, 0))) == 0
    assert row["p_mcnemar"] == pytest.approx(2 * comb(gained, 0) * 0.5**gained)
    assert "p, McNemar (ignores clustering)" in board.table("tests").display().columns


def test_rows_that_differ_share_no_letter_and_equal_rows_share_all(board: Board):
    ties = {row["trained_on"]: set(row["ties"] or "") for row in rows(board, "main")}
    assert ties["real + same"] == ties["real"] == ties["real, balanced sampling"]
    assert not ties["real + much"] & ties["real"]
    assert not ties["real + much"] & ties["real + less"]
    assert "a" in ties["real + much"]


def test_letters_are_those_of_the_pairs_whose_larger_p_stays_below_five_percent_after_holm(folder: Path):
    scores = RunScores(open_runs([folder])[0])
    ranked = [s for s in scores.headline if s.block[1] == "light" and scores.is_ranked(s, TRACK)]
    pairs = [(one, other) for i, one in enumerate(ranked) for other in ranked[i + 1 :]]
    found = [scores.difference(one, other, TRACK) for one, other in pairs]
    p_values = [
        max(p, of_interval(gain.value or 0.0, gain.se or 0.0, gain.df or 1.0)) for gain, p in filter(None, found)
    ]
    order = np.argsort(p_values)
    adjusted = np.empty(len(pairs))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * np.arange(len(pairs), 0, -1)), 1)
    for (one, other), pair, p in zip(pairs, found, adjusted, strict=True):
        assert pair is not None
        excludes = pair[0].low is not None and pair[0].high is not None and (pair[0].low > 0 or pair[0].high < 0)
        shared = set(scores.ties(one, TRACK) or "") & set(scores.ties(other, TRACK) or "")
        assert bool(shared) == (not (p <= 0.05 and excludes))


def test_unmatched_compute_is_labelled_and_never_in_the_main_order(board: Board):
    unmatched = rows(board, "unmatched")
    assert len(unmatched) == 5
    assert all(str(row["trained_on"]).endswith("unmatched compute") for row in unmatched)
    assert not any("unmatched" in str(row["trained_on"]) for row in rows(board, "main"))
    assert "Not comparable with the leaderboard" in board.table("unmatched").to_markdown()


def test_the_smallest_detectable_gain_stands_under_the_table_with_its_range(board: Board):
    light = [row for row in rows(board, "tests") if row["compute"] == "matched" and row["mix"] != "synthetic"]
    known = sorted(row["detectable"] for row in light if row["ranked"] and row["detectable"] is not None)
    middle = float(np.median(known))
    said = f"{middle:.1f} points (median over the ranked rows; {known[0]:.1f} to {known[-1]:.1f})"
    assert said in board.table("main").to_markdown()


def test_without_a_control_gains_are_missing_with_the_reason_and_how_to_get_it(tmp_path: Path):
    board = build_board([written(tmp_path, controls=("",))])
    found = rows(board, "main")
    assert all(row["gain"].value is None and "utility.controls" in row["gain"].reason for row in found)
    accuracies = [row["accuracy"].value for row in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert "Rows are sorted by accuracy" in board.table("main").to_markdown()
    assert all(row["ties"] for row in found)


def test_one_repetition_says_that_its_intervals_are_about_these_classifiers(tmp_path: Path):
    board = build_board([written(tmp_path, repetitions=1)])
    much = next(row for row in rows(board, "main") if row["method"] == "much")
    assert (much["gain"].n, much["gain"].covers) == (1, "clusters")
    assert much["gain"].low > 0
    assert "about these trained classifiers" in board.table("main").to_markdown()


def test_a_repetition_that_is_missing_leaves_pairs_of_those_that_both_have(tmp_path: Path):
    methods = (REAL, FakeMethod("flaky", 0.9, faults={1: "failed"}))
    gain = next(
        row for row in rows(build_board([written(tmp_path, methods=methods)]), "main") if row["method"] == "flaky"
    )["gain"]
    expected = np.mean([right(0.9, r).mean() - right(0.5, r).mean() for r in (0, 2)])
    assert (gain.n, gain.value) == (2, pytest.approx(100 * expected))


def test_doses_are_measured_against_as_many_real_images_alone(board: Board):
    found = rows(board, "dose_response")
    row = next(r for r in found if (r["method"], r["real_per_class"], r["synthetic_per_class"]) == ("less", "20", 100))
    expected = np.mean([right(0.2 + 0.28, r).mean() - right(0.5 + 0.08, r).mean() for r in range(3)])
    assert row["gain"].value == pytest.approx(100 * expected)
    controls = [r for r in found if r["method"] == "real_only"]
    assert [(r["real_per_class"], r["gain"].text) for r in controls] == [("5", "control"), ("20", "control")]
    assert not any("n_real" in str(row["trained_on"]) for row in rows(board, "main"))


def test_measures_give_points_and_shared_replicates_of_any_row(folder: Path):
    scores = RunScores(open_runs([folder])[0])
    much, same = (Series("resnet10t", "light", name, "real+synthetic") for name in ("much", "same"))
    found = scores.measures.measured(much, TRACK, "accuracy")
    assert found is not None
    assert found.points == pytest.approx([right(0.95, r).mean() for r in range(3)])
    assert found.replicates.shape == (3, scores.measures.replicates)
    control = scores.measures.measured(Series("resnet10t", "light", "real_only", "real"), TRACK, "accuracy")
    other = scores.measures.measured(same, TRACK, "accuracy")
    assert control is not None
    assert other is not None
    assert np.array_equal(control.replicates, other.replicates)
    assert len(LABELS) == scores.measures.right(much, TRACK).shape[1]
