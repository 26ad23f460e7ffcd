"""A method whose samples copy its training images is shown and flagged, and never ranked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.leaderboard import Board, build_board, write_board
from benchmark.leaderboard.rows import COPIED
from benchmark.leaderboard.views import COPY_LIMIT
from tests.leaderboard.fake_run import FakeMethod, FakeRun

RANKING = ("main", "synthetic_only", "readings", "centers", "gap")
FLAGGED = "ok; copies 100 % of 15 samples; not ranked"
CONTROL = FakeMethod("real_only", 0.5, synthesizes=False)
HONEST = FakeMethod("honest", 0.7)
METHODS = (CONTROL, HONEST, FakeMethod("copier", 0.99, copies={0: 15}))


def board_of(folder: Path, *methods: FakeMethod, **changes: Any) -> Board:
    return build_board([FakeRun(folder, methods=methods, **changes).write()])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return board_of(tmp_path_factory.mktemp("copies"), *METHODS)


def status(board: Board, method: str) -> str:
    return str(next(row["status"] for row in board.table("main").rows if row["method"] == method))


@pytest.mark.parametrize("table", RANKING)
def test_copies_in_one_repetition_put_the_best_method_below_all_others_of_every_ranking(board: Board, table: str):
    rows = board.table(table).rows
    assert [row["ranked"] for row in rows] == [True] * (len(rows) - 1) + [False]
    assert rows[-1]["method"] == "copier"


@pytest.mark.parametrize("table", RANKING)
def test_every_ranking_tells_the_share_in_its_status_and_the_rule_in_a_note(board: Board, table: str):
    text = board.table(table).to_markdown()
    assert f"| {FLAGGED} " in text
    assert text.count(FLAGGED) == 1
    assert COPIED in text


def test_csv_and_json_say_what_the_markdown_says(board: Board, tmp_path: Path):
    write_board(board, tmp_path)
    told = json.loads((tmp_path / "leaderboard.json").read_text())["tables"]
    for table in RANKING:
        frame = pd.read_csv(tmp_path / f"{table}.csv")
        assert dict(zip(frame["method"], frame["status"], strict=True))["copier"] == FLAGGED
        row = next(row for row in told[table]["rows"] if row["method"] == "copier")
        assert (row["ranked"], row["status"]) == (False, FLAGGED)
        assert COPIED in told[table]["notes"]


def test_the_paper_table_names_who_is_not_ranked(board: Board):
    assert "Not ranked in run fake, see the leaderboard: copier." in board.table("paper").to_markdown()


def test_a_share_up_to_the_limit_is_ranked_and_one_above_it_is_not(tmp_path: Path):
    few, many = FakeMethod("few", 0.9), FakeMethod("many", 0.9, copies={1: 1})
    assert 1 / 15 > COPY_LIMIT > 0
    board = board_of(tmp_path, CONTROL, few, many)
    assert status(board, "few") == "ok"
    assert status(board, "many") == "ok; copies 6.67 % of 15 samples; not ranked"


def test_the_repetition_with_the_most_copies_is_told(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, FakeMethod("uneven", 0.9, copies={0: 3, 1: 12, 2: 0}))
    assert status(board, "uneven") == "ok; copies 80 % of 15 samples; not ranked"


def test_faults_and_copies_are_both_told(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, FakeMethod("worst", 0.9, copies={0: 15}, faults={2: "failed"}))
    assert status(board, "worst") == "1 failed; copies 100 % of 15 samples; not ranked"


def test_without_copies_no_ranking_gains_a_column_or_a_note(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, HONEST)
    assert "status" not in board.table("gap").display().columns
    assert COPIED not in "".join(board.table(name).to_markdown() for name in RANKING)


def test_a_run_that_never_compares_with_the_training_images_says_that_copies_would_go_unseen(tmp_path: Path):
    board = board_of(tmp_path / "a", *METHODS, references=("heldout",))
    assert "nothing looked for copies" in board.table("main").to_markdown()
    assert status(board, "copier") == "ok"
    alone = board_of(tmp_path / "b", CONTROL, references=("heldout",))
    assert "nothing looked for copies" not in alone.table("main").to_markdown()


def test_a_copier_whose_search_for_copies_failed_is_not_ranked(tmp_path: Path):
    copier = FakeMethod("copier", 0.99, copies={1: 15}, unsearched=(1,))
    board = board_of(tmp_path, CONTROL, HONEST, copier)
    assert status(board, "copier") == "ok; 1 not searched for copies; not ranked"
    rows = board.table("main").rows
    assert [row["ranked"] for row in rows if row["method"] == "copier"] == [False]
    assert rows[-1]["ties"] is None


def test_a_failed_search_of_a_set_that_failed_itself_takes_no_rank(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, FakeMethod("flaky", 0.7, faults={2: "failed"}))
    assert status(board, "flaky") == "1 failed"


def test_a_weak_search_reads_no_zero_and_says_so(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, HONEST, FakeMethod("unknown", 0.7, limit=0.993))
    rows = {row["method"]: row for row in board.table("main").rows}
    assert (rows["honest"]["copies"], rows["unknown"]["copies"]) == (0, None)
    assert status(board, "unknown") == "ok; search for copies is weak (limit 0.993)"
    told = {row["method"]: row for row in board.table("memorisation").rows}
    assert (told["unknown"]["limit"], told["unknown"]["n_heldout"]) == (0.993, 60)


def test_exact_copies_are_told_however_weak_the_search(tmp_path: Path):
    board = board_of(tmp_path, CONTROL, FakeMethod("copier", 0.7, copies={0: 15}, limit=0.999))
    assert next(row["copies"] for row in board.table("main").rows if row["method"] == "copier") == 100
