"""What the board must say of a run, on a run made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.leaderboard import Board, Estimate, build_board, write_board
from tests.leaderboard.fake_run import METHODS, TRACK, FakeMethod, FakeRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FakeRun(tmp_path_factory.mktemp("fake-run"), protocol="spain-africa").write()


@pytest.fixture(scope="module")
def board(folder: Path) -> Board:
    return build_board([folder])


def row(board: Board, table: str, method: str, balance: str = "natural") -> dict[str, Any]:
    wanted = (method, balance)
    return dict(next(row for row in board.table(table).rows if (row["method"], row["balance"]) == wanted))


def test_identical_predictions_have_a_paired_gain_of_exactly_zero(board: Board) -> None:
    gain = row(board, "main", "twin")["gain"]
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_a_better_method_gains_and_its_paired_interval_is_narrower_than_unpaired_ones(board: Board) -> None:
    better, control = row(board, "main", "better"), row(board, "main", "real_only")
    gain = better["gain"]
    assert gain.low > 0
    assert gain.value == pytest.approx(better["accuracy"].value - control["accuracy"].value)
    unpaired = sum(entry["accuracy"].high - entry["accuracy"].low for entry in (better, control))
    assert gain.high - gain.low < unpaired


def test_the_control_has_no_gain_over_itself(board: Board) -> None:
    control = row(board, "main", "real_only", "sampling")
    assert control["gain"] == Estimate(None, text="control", reason="this row is the control")
    assert "| real, balanced sampling | control " in board.table("main").to_markdown()


def test_a_timed_out_method_is_shown_last_and_never_ranked(board: Board) -> None:
    last = board.table("main").rows[-1]
    assert (last["method"], last["ranked"]) == ("late", False)
    assert "3 timeout; not ranked" in board.table("main").to_markdown()


def test_a_method_that_timed_out_once_is_not_ranked_however_accurate(tmp_path: Path) -> None:
    methods = (FakeMethod("real_only", 0.5, synthesizes=False), FakeMethod("fast", 0.99, faults={1: "timeout"}))
    table = build_board([FakeRun(tmp_path, methods=methods).write()]).table("main")
    assert [line["method"] for line in table.rows] == ["real_only", "real_only", "fast"]


def test_a_failed_repetition_is_counted_and_its_reason_told(board: Board) -> None:
    flaky = row(board, "main", "flaky")
    assert (flaky["repetitions"], flaky["status"]) == ("2/3", "1 failed")
    assert flaky["accuracy"].n == flaky["gain"].n == 2
    fault = next(line for line in board.table("faults").rows if line["cell"] == "generate flaky r2")
    assert fault["reason"] == "ended as failed | with a reason"


def test_a_run_in_which_everything_failed_still_has_a_board(tmp_path: Path) -> None:
    faults = dict.fromkeys(range(3), "failed")
    methods = tuple(FakeMethod(name, 0.5, name != "real_only", faults) for name in ("real_only", "gan"))
    board = build_board([FakeRun(tmp_path, methods=methods).write()])
    assert [line["repetitions"] for line in board.table("main").rows] == ["0/3"] * 3
    assert json.dumps(board.to_json(), allow_nan=False)


def test_numbers_in_markdown_are_those_of_the_json_rounded(board: Board, tmp_path: Path) -> None:
    paths = {path.name: path for path in write_board(board, tmp_path)}
    told = json.loads(paths["leaderboard.json"].read_text())["tables"]["main"]["rows"]
    lines = paths["leaderboard.md"].read_text().splitlines()
    for entry in told:
        shown = next(
            line for line in lines if line.startswith("|") and line.split("|")[1].strip() == entry["trained_on"]
        )
        accuracy = entry["accuracy"]
        if accuracy["value"] is not None:
            text = "{value:.1f} [{ci_low:.1f}, {ci_high:.1f}]".format(**accuracy)
            assert f"| {text} " in shown


def test_the_per_centre_table_counts_images_and_clusters_and_names_the_worst(board: Board) -> None:
    table = board.table("centers")
    assert "Algeria (n=30, 10 clusters)" in table.display().columns
    better = row(board, "centers", "better")
    assert better["worst"].name == min(("Algeria", "Ghana"), key=lambda name: better[f"center_{name}"].value)


def test_the_gap_is_in_domain_minus_target_accuracy(board: Board) -> None:
    found = row(board, "gap", "better")
    assert found["gap"].value == pytest.approx(found["heldout"].value - found["accuracy"].value)


def test_published_rows_stand_beside_spain_africa_only(board: Board, tmp_path: Path) -> None:
    published = board.table("paper_as_reported")
    best = next(line for line in published.rows if (line["data"], line["model"]) == ("HB+DA", "ResNet18"))
    assert (len(published.rows), best["accuracy"].value, best["auc_paper"].value) == (20, 82.40, 89.29)
    assert (round(best["accuracy"].low, 1), round(best["accuracy"].high, 1)) == (77.0, 86.8)
    assert "As reported" in published.title
    other = build_board([FakeRun(tmp_path).write()])
    with pytest.raises(UnknownNameError, match="paper_as_reported"):
        other.table("paper_as_reported")


def test_no_column_of_the_paper_protocol_is_called_plain_auc(board: Board) -> None:
    titles = set(board.table("paper").display().columns)
    assert "AUC % (paper, hard labels)" in titles
    assert not titles & {"AUC", "AUC %"}


def test_missing_tracks_are_listed_with_their_reason(board: Board) -> None:
    assert "missing: the images of the test split are not here" in board.markdown()


def test_equal_records_give_equal_bytes(folder: Path, board: Board, tmp_path: Path) -> None:
    first, second = write_board(board, tmp_path / "a"), write_board(build_board([folder]), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_outputs_name_no_path_of_the_run(folder: Path, board: Board, tmp_path: Path) -> None:
    text = "".join(path.read_text() for path in write_board(board, tmp_path))
    assert str(folder) not in text
    assert str(Path.home()) not in text


def test_two_runs_on_one_board_are_told_apart(folder: Path) -> None:
    runs = [line["run"] for line in build_board([folder, folder]).table("main").rows]
    assert set(runs) == {"fake", "fake (2)"}
    assert len(runs) == 12


def test_predictions_for_other_images_are_refused_since_nothing_can_be_paired(tmp_path: Path) -> None:
    folder = FakeRun(tmp_path).write()
    path = sorted(folder.glob(f"store/utility/*/*/predictions/{TRACK}.csv"))[0]
    path.write_text(path.read_text().replace("target-0,", "target-other,"))
    with pytest.raises(BenchError, match="different images of track target"):
        build_board([folder])


def test_an_unknown_format_is_named(board: Board, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean csv"):
        write_board(board, tmp_path, formats=["csvs"])


def test_a_folder_without_a_run_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fulora-bench run"):
        build_board([tmp_path])


def test_synthetic_images_per_class_are_those_of_the_sets_that_there_are(tmp_path: Path) -> None:
    flaky = FakeMethod("flaky", 0.7, faults={2: "failed"})
    folder = FakeRun(tmp_path, methods=(FakeMethod("real_only", 0.5, synthesizes=False), flaky)).write()
    for path in folder.glob("store/generate/*/*/record.json"):
        record = json.loads(path.read_text())
        if record["status"] == "failed":
            record["outputs"] = {}
            path.write_text(json.dumps(record))
    found = row(build_board([folder]), "main", "flaky")
    assert (found["n_per_class"], found["repetitions"]) == (3, "2/3")


def test_a_source_with_equal_classes_is_said_to_tell_nothing_of_balancing(tmp_path: Path) -> None:
    folder = FakeRun(tmp_path, methods=METHODS[:2], controls=("", "sampling", "loss", "subset")).write()
    text = build_board([folder]).table("main").to_markdown()
    assert "`real`, `real, weighted loss`, `real, balanced subset` are one and the same training" in text
