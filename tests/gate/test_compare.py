"""Two runs side by side: what is paired, what is kept apart, what only one has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UsageError
from benchmark.gate import Comparison, compare, open_side, take
from benchmark.gate.report import comparison_markdown, comparison_notes
from benchmark.leaderboard.measures import Measures
from benchmark.leaderboard.views import open_runs
from benchmark.statistics import paired_gain
from tests.gate.runs import AGAINST_HELDOUT, METHODS, MIXED, TWO_OF_THREE, edit_manifest, edit_predictions, fake
from tests.leaderboard.fake_run import TRACK, FakeMethod


def line(found: Comparison, row: str, metric: str) -> Any:
    return next(line.difference for line in found.lines if (line.row, line.metric) == (row, metric))


def test_a_difference_is_b_minus_a_in_percent_over_the_shared_repetitions(tmp_path: Path):
    found = compare(take(fake(tmp_path / "a")), take(fake(tmp_path / "b", TWO_OF_THREE)))
    accuracy = line(found, MIXED, "accuracy")
    assert (accuracy.old, accuracy.new) == (pytest.approx(100), pytest.approx(200 / 3))
    assert accuracy.value == pytest.approx(-100 / 3)
    assert accuracy.covers == "clusters and repetitions"
    assert accuracy.repetitions == 3


def test_paired_intervals_agree_with_those_of_the_board(tmp_path: Path):
    """The board resamples predictions; here the influences of clusters stand for them."""
    random = np.random.default_rng(3)
    rights = [np.flatnonzero(random.random(60) < chance).tolist() for chance in (0.8, 0.6)]
    folders = [fake(tmp_path / name, right) for name, right in zip("ab", rights, strict=True)]
    found = compare(*map(take, folders))
    views = [open_runs([folder])[0] for folder in folders]
    series = next(series for series in views[0].utility() if series.mix == "real+synthetic")
    # With 20 clusters F's replicates are not normal, which costs the board's interval degrees of freedom.
    for metric, share in {"accuracy": 0.04, "auroc_ovr_macro_present": 0.04, "f1_macro_present": 0.12}.items():
        measured = [Measures(view, replicates=5000).measured(series, TRACK, metric) for view in views]
        assert measured[0] is not None and measured[1] is not None
        board = paired_gain(measured[1], measured[0])
        ours = line(found, MIXED, metric)
        assert board.low is not None and board.high is not None
        assert ours.value == pytest.approx(100 * board.value)
        assert ours.high - ours.low == pytest.approx(100 * (board.high - board.low), rel=share)


def test_a_run_with_itself_differs_by_exactly_zero(tmp_path: Path):
    folder = fake(tmp_path)
    found = compare(take(folder), take(folder))
    assert {(line.difference.value, line.difference.low, line.difference.high) for line in found.lines} == {(0, 0, 0)}


def test_repetitions_that_one_lacks_are_left_out_of_both(tmp_path: Path):
    flaky = (METHODS[0], FakeMethod("made", 0.7, faults={2: "failed"}))
    found = compare(take(fake(tmp_path / "a", methods=flaky)), take(fake(tmp_path / "b")))
    assert line(found, MIXED, "accuracy").repetitions == 2


def test_fidelity_is_compared_only_where_it_was_measured_alike(tmp_path: Path):
    larger = (METHODS[0], FakeMethod("made", 0.7, n_synthetic=20))
    found = compare(take(fake(tmp_path / "a")), take(fake(tmp_path / "b", methods=larger)))
    assert AGAINST_HELDOUT not in {line.row for line in found.lines}
    assert re.search(r"\b15\b.* / .*\b20\b", dict(found.apart)[f"fidelity {AGAINST_HELDOUT}"])


def test_what_only_one_has_is_listed(tmp_path: Path):
    found = compare(take(fake(tmp_path / "a")), take(fake(tmp_path / "b", methods=METHODS[:1])))
    assert f"utility {MIXED}" in found.only_a
    assert found.only_b == ()
    assert f"only in A: utility {MIXED}" in list(comparison_notes(found))


def test_settings_and_environments_that_differ_are_told(tmp_path: Path):
    folders = [fake(tmp_path / name) for name in "ab"]

    def change(run: dict[str, Any]) -> None:
        run["profile"]["seed"] = 2
        run["hardware"]["cores"] = 64

    edit_manifest(folders[1], change)
    page = comparison_markdown(compare(*map(take, folders)))
    assert "settings that differ (A / B): seed 1 / 2" in page
    assert "environments differ (A / B): cores 2 / 64" in page


def test_two_methods_of_one_run_are_paired_with_each_other(tmp_path: Path):
    methods = (*METHODS, FakeMethod("other", 0.7))
    folder = fake(tmp_path, TWO_OF_THREE, methods)
    found = compare(open_side(f"{folder}:other"), open_side(f"{folder}:made"))
    assert line(found, "resnet10t / light / * / synthetic / natural", "accuracy").value == pytest.approx(0)
    assert line(found, "* / ultrasound / heldout", "fid").value == pytest.approx(0)
    assert (found.a, found.b) == ("fake:other", "fake:made")


def test_a_method_that_the_run_lacks_is_named_with_those_it_has(tmp_path: Path):
    with pytest.raises(UsageError, match=r"has no method 'gan'\. It has: made, real_only"):
        open_side(f"{fake(tmp_path)}:gan")


def test_runs_on_other_images_are_refused(tmp_path: Path):
    folders = [fake(tmp_path / name) for name in "ab"]
    edit_predictions(folders[1], "target-0,", "target-other,")
    with pytest.raises(UsageError, match="tested on different images"):
        compare(*map(take, folders))


def test_nothing_in_common_is_an_error_that_lists_the_rows(tmp_path: Path):
    folder = fake(tmp_path, repetitions=1)
    with pytest.raises(UsageError, match=r"no row with results in common.*real / natural"):
        compare(open_side(f"{folder}:real_only"), open_side(f"{folder}:made"))


def test_a_folder_without_a_run_names_the_next_command(tmp_path: Path):
    with pytest.raises(UsageError, match="fulora-bench run"):
        open_side(str(tmp_path))
