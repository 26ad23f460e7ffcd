"""Fidelity figures that cannot be compared never stand in one column; what repetitions add to their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t

from benchmark.leaderboard import Board, build_board
from benchmark.leaderboard.repetitions import over_records
from tests.leaderboard.fake_run import FakeMethod, FakeRun

REAL = FakeMethod("real_only", 0.5, synthesizes=False)


def board_of(folder: Path, *methods: FakeMethod, **changes: Any) -> Board:
    return build_board([FakeRun(folder, methods=(REAL, *methods), **changes).write()])


def test_sets_of_other_sizes_stand_in_tables_of_their_own(tmp_path: Path):
    board = board_of(tmp_path, FakeMethod("a", 0.5), FakeMethod("b", 0.6), FakeMethod("small", 0.7, n_synthetic=9))
    tables = [table for table in board.tables if table.name.startswith("fidelity_heldout")]
    assert [[row["method"] for row in table.rows] for table in tables] == [["a", "b"], ["small"]]
    assert "60 real, 9 synthetic images" in tables[1].title
    for table in board.tables:
        if table.name.startswith(("fidelity_heldout", "fidelity_train")):
            assert len({row["group"] for row in table.rows}) == 1


def test_the_main_table_leaves_kid_out_and_says_so_where_its_rows_cannot_be_compared(tmp_path: Path):
    apart = board_of(tmp_path / "a", FakeMethod("a", 0.5), FakeMethod("small", 0.7, n_synthetic=9)).table("main")
    assert "KID x1000" not in apart.display().columns
    assert "cannot be compared" in apart.to_markdown()
    alike = board_of(tmp_path / "b", FakeMethod("a", 0.5), FakeMethod("b", 0.7)).table("main")
    assert "KID x1000" in alike.display().columns


def test_held_out_and_training_reference_never_share_a_table(tmp_path: Path):
    board = board_of(tmp_path, FakeMethod("a", 0.5))
    names = [table.name for table in board.tables if table.name.startswith("fidelity_")]
    assert names == ["fidelity_heldout_ultrasound", "fidelity_train_ultrasound", "fidelity_values"]


def test_over_repetitions_the_reference_is_counted_once_and_the_sets_by_their_spread(tmp_path: Path):
    found = board_of(tmp_path, FakeMethod("a", 0.5)).table("fidelity_heldout_ultrasound").rows[0]["fid"]
    of_sets = 1.0 / 3
    variance = 0.5**2 + of_sets
    half = t.ppf(0.975, variance**2 / (of_sets**2 / 2)) * variance**0.5
    assert found.value == 13.5  # type: ignore[union-attr]
    assert (found.low, found.high) == (pytest.approx(13.5 - half), pytest.approx(13.5 + half))  # type: ignore[union-attr]


def test_one_repetition_has_the_interval_of_its_record(tmp_path: Path):
    board = board_of(tmp_path, FakeMethod("a", 0.5), repetitions=1)
    found = board.table("fidelity_heldout_ultrasound").rows[0]["fid"]
    assert (found.value, found.low, found.high) == (12.5, 11.0, 15.0)  # type: ignore[union-attr]


def test_records_without_the_spread_of_the_reference_give_mean_and_deviation():
    found = over_records([{"value": 1.0}, {"value": 3.0}])
    assert (found.value, found.low, found.sd) == (2.0, None, pytest.approx(2**0.5))


def test_an_undefined_figure_keeps_its_reason():
    assert over_records([{"value": None, "reason": "one image"}]).reason == "one image"


def test_memorisation_is_told_for_each_method_with_its_flag(tmp_path: Path):
    board = board_of(tmp_path, FakeMethod("honest", 0.5), FakeMethod("copier", 0.5, copies={0: 15}))
    rows = {row["method"]: row for row in board.table("memorisation").rows}
    assert (rows["honest"]["flagged"], rows["copier"]["flagged"]) == (False, True)
    assert rows["copier"]["near_copies"].value == pytest.approx(100 / 3)  # type: ignore[union-attr]
    assert next(r for r in board.table("main").rows if r["method"] == "copier")["copies"] == pytest.approx(100)


def test_runs_with_other_references_share_no_table_and_no_column(tmp_path: Path):
    method = FakeMethod("a", 0.5)
    folders = [
        FakeRun(tmp_path / name, methods=(REAL, method), protocol=name).write() for name in ("phantom", "spain-africa")
    ]
    board = build_board(folders)
    assert sum(table.name.startswith("fidelity_heldout") for table in board.tables) == 2
    assert "KID x1000" not in board.table("main").display().columns


def test_a_ratio_that_only_some_repetitions_have_is_not_shown_as_their_mean(tmp_path: Path):
    board = board_of(tmp_path, FakeMethod("some", 0.5, no_ratio=(0, 1)), FakeMethod("all", 0.5))
    rows = {row["method"]: row for row in board.table("fidelity_heldout_ultrasound").rows}
    assert (rows["all"]["fid_ratio"].value, rows["some"]["fid_ratio"].value) == (2.0, None)
    assert rows["some"]["kid_ratio"].reason == "2 of 3 repetitions have no ratio: the floor is near 0"
    main = {row["method"]: row for row in board.table("main").rows}
    assert (main["all"]["fid_ratio"], main["some"]["fid_ratio"]) == (2.0, None)


def test_the_main_table_tells_how_many_images_its_kid_and_fid_are_of(tmp_path: Path):
    text = board_of(tmp_path, FakeMethod("a", 0.5)).table("main").to_markdown()
    assert "KID and FID: 60 held-out and 15 synthetic images a repetition" in text
