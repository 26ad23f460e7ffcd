"""The gate file: what is written is read again, people may edit tolerances and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.errors import UsageError
from benchmark.gate import METRICS, Baseline, Tolerance, check_same, judge, read_baseline, take, write_baseline
from tests.gate.runs import AGAINST_HELDOUT, METHODS, MIXED, NATURAL, TWO_OF_THREE, edit_records, fake


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with another skill in every row."""
    return fake(tmp_path_factory.mktemp("run"), TWO_OF_THREE)


@pytest.fixture
def path(folder: Path, tmp_path: Path) -> Path:
    write_baseline(tmp_path / "gates" / "fake.yaml", Baseline(take(folder)))
    return tmp_path / "gates" / "fake.yaml"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_is_written_is_read_again(folder: Path, path: Path):
    ours, read = take(folder), read_baseline(path).snapshot
    assert (read.target, read.profile) == (ours.target, ours.profile)
    for name, row in ours.utility.items():
        for metric, score in row.scores.items():
            again = read.utility[name].scores[metric]
            assert again.points == pytest.approx(score.points, rel=1e-5)
            assert again.center == score.center
            for repetition, effects in score.influence.items():
                np.testing.assert_allclose(again.influence[repetition], effects, rtol=6e-4, atol=1e-12)
    assert {name: row.comparability for name, row in read.fidelity.items()} == {
        name: row.comparability for name, row in ours.fidelity.items()
    }


def test_a_run_held_against_its_own_file_differs_by_rounding_alone(folder: Path, path: Path):
    report = judge(take(folder), read_baseline(path))
    assert report.passed
    assert max(abs(finding.difference.value) for finding in report.findings) < 1e-3


def test_a_tolerance_of_nothing_passes_the_run_that_the_file_was_made_from(folder: Path, path: Path):
    """Points are rounded in the file."""
    read = read_baseline(path)
    strict = replace(read, tolerances=dict.fromkeys(METRICS, Tolerance(0)))
    assert {finding.verdict for finding in judge(take(folder), strict).findings} == {"within"}


def test_equal_runs_give_equal_bytes_and_reading_and_writing_changes_none(folder: Path, path: Path, tmp_path: Path):
    write_baseline(tmp_path / "again.yaml", Baseline(take(folder)))
    assert (tmp_path / "again.yaml").read_bytes() == path.read_bytes()
    write_baseline(tmp_path / "third.yaml", read_baseline(path))
    assert (tmp_path / "third.yaml").read_bytes() == path.read_bytes()


def test_each_metric_of_a_row_is_one_line_and_names_no_image_or_patient(path: Path):
    lines = path.read_text().splitlines()
    start = lines.index(f'  "{MIXED}":')
    assert lines[start + 1] == "    accuracy: {mean: 66.6667, repetitions: {0: 66.6667, 1: 66.6667, 2: 66.6667}}"
    assert [line.split(":")[0].strip() for line in lines[start + 1 : start + 5]] == [
        "accuracy", "f1_macro_present", "auroc_ovr_macro_present", "worst_center_accuracy",
    ]  # fmt: skip
    assert "target-0" not in path.read_text()


def test_every_default_tolerance_stands_in_the_file(path: Path):
    assert yaml.safe_load(path.read_text())["tolerances"] == {
        "accuracy": 2, "f1_macro_present": 2, "auroc_ovr_macro_present": 1, "worst_center_accuracy": 2,
        "fid": "10 %", "kid": "10 %", "recognition": 5, "near_copies": 1,
    }  # fmt: skip
    assert set(METRICS) == set(yaml.safe_load(path.read_text())["tolerances"])


def test_what_people_edit_survives_an_update_of_the_numbers(path: Path, tmp_path: Path):
    rewrite(path, '  fid: "10 %"', "  fid: 25 %")
    rewrite(path, "  accuracy: 2\n", "  accuracy: 3.5\n")
    rewrite(path, 'note: ""', "note: measured on two machines")
    rewrite(path, "level: 0.99", "level: 0.999")
    rewrite(path, "accuracy: {mean: 66.6667,", "accuracy: {tolerance: 7, mean: 66.6667,")
    write_baseline(path, read_baseline(path).updated(take(fake(tmp_path / "new"))))
    again = read_baseline(path)
    assert again.tolerances["fid"] == Tolerance(25, relative=True)
    assert again.tolerance(NATURAL, "accuracy") == Tolerance(3.5)
    assert again.tolerance(MIXED, "accuracy") == Tolerance(7)
    assert (again.note, again.level) == ("measured on two machines", 0.999)
    assert again.snapshot.utility[MIXED].scores["accuracy"].points == {0: 100, 1: 100, 2: 100}


def test_a_tolerance_of_one_metric_survives_updates_by_runs_that_lack_the_metric_or_the_row(path: Path, tmp_path: Path):
    rewrite(path, "accuracy: {mean: 66.6667,", "accuracy: {tolerance: 7, mean: 66.6667,")
    rewrite(path, "kid: {mean: 12.5,", 'kid: {tolerance: "30 %", mean: 12.5,')
    own = {(MIXED, "accuracy"): Tolerance(7), (AGAINST_HELDOUT, "kid"): Tolerance(30, relative=True)}
    without_kid = fake(tmp_path / "kid")
    edit_records(without_kid, "fidelity", lambda record: record["metrics"].pop("kid"), "heldout")
    without_row = fake(tmp_path / "row", methods=METHODS[:1])
    for folder in (without_kid, without_row, fake(tmp_path / "all")):
        write_baseline(path, read_baseline(path).updated(take(folder)))
        assert read_baseline(path).own_tolerances == own
    assert "kept_tolerances" not in path.read_text()


def test_rows_without_a_result_are_not_written(tmp_path: Path):
    folder = fake(tmp_path / "run")
    edit_records(folder, "fidelity", lambda record: record.update(status="failed"), "train")
    write_baseline(tmp_path / "gate.yaml", Baseline(take(folder)))
    assert set(read_baseline(tmp_path / "gate.yaml").snapshot.fidelity) == {"made / ultrasound / heldout"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mean: 66.6667", "mean: 90", "mean 90 is not that of its repetitions"),
        ("accuracy: 2\n", "accurasy: 2\n", "unknown metric 'accurasy'. Did you mean accuracy"),
        ("accuracy: 2\n", "accuracy: -2\n", "tolerance -2"),
        ("accuracy: 2\n", "accuracy: two\n", "write a number in the metric's unit"),
        ("level: 0.99", "level: 99", "level"),
        ("schema_version: 1", "schema_version: 2", "schema_version"),
        ("note:", "not:", "note|not"),
        ("    accuracy: {0: [", "    accuracy: {0: [1, ", "influences do not fit"),
        ("target: {", "target: {{", "cannot be read as a gate file"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_fault_and_what_to_do(path: Path, old: str, new: str, words: str):
    rewrite(path, old, new)
    with pytest.raises(UsageError, match=f"(?s){words}.*remove the file"):
        read_baseline(path)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda file: file["influence"].update({"misspelt": file["influence"].pop(MIXED)}), "influence: misspelt: "),
        (lambda file: file["influence"][MIXED].update(accurasy={}), f"influence: {MIXED}: accurasy"),
        (lambda file: file["influence"].pop(MIXED), f"{MIXED}: accuracy: it has no line under influence"),
        (lambda file: file["influence"][MIXED]["worst_center_accuracy"][1].pop(), f"{MIXED}: worst_center_accuracy"),
        (lambda file: file["influence"][MIXED]["worst_center_accuracy"].update({1: []}), "worst_center_accuracy"),
        (lambda file: file["influence"][MIXED]["worst_center_accuracy"].update({7: [1.0] * 10}), "worst_center_acc"),
        (
            lambda file: file["influence"][MIXED]["accuracy"].update({1: [1.0] * 19}),
            f"{MIXED}: accuracy: .*20 clusters",
        ),
        (
            lambda file: file["utility"][MIXED]["accuracy"].update(center="Ghana"),
            f"{MIXED}: accuracy: a centre belongs",
        ),
        (lambda file: file["utility"][MIXED]["worst_center_accuracy"].pop("center"), "accuracy: a centre belongs"),
        (lambda file: file.update(target=None), "target: it does not say"),
        (lambda file: file["utility"][MIXED].update(fid={"repetitions": {0: 1.0}}), "unknown metric 'fid'"),
        (lambda file: file["fidelity"][AGAINST_HELDOUT]["metrics"]["fid"].update(sd={5: 1.0}), "fid: its sd"),
        (lambda file: file.update(kept_tolerances={"row": {"accurasy": 1}}), "unknown metric 'accurasy'"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_the_place_is_named(
    path: Path, edit: Callable[[dict[str, Any]], Any], words: str
):
    file = yaml.safe_load(path.read_text())
    edit(file)
    path.write_text(yaml.safe_dump(file))
    with pytest.raises(UsageError, match=words.replace("+", r"\+")):
        read_baseline(path)


def test_influences_that_are_not_those_of_the_runs_clusters_are_refused_when_the_run_is_known(folder: Path, path: Path):
    """How many clusters a centre has, only its own lines and the run tell."""
    file = yaml.safe_load(path.read_text())
    for row in file["influence"].values():
        for effects in row["worst_center_accuracy"].values():
            effects.pop()
    path.write_text(yaml.safe_dump(file))
    with pytest.raises(UsageError, match=r"fake\.yaml: .*worst_center_accuracy: influences of 9 / 10 clusters of"):
        check_same(take(folder), read_baseline(path), path)


@pytest.mark.parametrize("left", ["nothing", "distances to training images"])
def test_a_file_without_any_figure_that_is_gated_is_refused(path: Path, left: str):
    file = yaml.safe_load(path.read_text())
    rows = {name: row for name, row in file["fidelity"].items() if left != "nothing" and name.endswith("train")}
    for row in rows.values():
        del row["metrics"]["near_copies"]
    file |= {"utility": {}, "influence": {}, "fidelity": rows}
    path.write_text(yaml.safe_dump(file))
    with pytest.raises(UsageError, match="no figure that is gated"):
        read_baseline(path)


@pytest.mark.parametrize("text", ["", "- 1\n", "accuracy,90\n"])
def test_what_is_no_gate_file_is_refused(tmp_path: Path, text: str):
    (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(UsageError, match="is not a gate file"):
        read_baseline(tmp_path / "gate.yaml")


@pytest.mark.parametrize(
    ("text", "expected"), [(2, 2.0), ("2.5", 2.5), ("10 %", 5.0), ("10%", 5.0), ("1e-05", 1e-5), (0, 0.0)]
)
def test_a_tolerance_is_an_amount_or_a_share_of_the_baseline(text: object, expected: float):
    assert Tolerance.parse(text).of(-50) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "ten", "-1", "nan", "inf", "%", True, None])
def test_what_is_no_tolerance_is_refused(text: object):
    with pytest.raises(UsageError, match="tolerance"):
        Tolerance.parse(text)
