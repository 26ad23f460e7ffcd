"""The gate file: what is written is read again, people may edit tolerances and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmark.errors import UsageError
from benchmark.gate import METRICS, Baseline, Tolerance, judge, read_baseline, take, write_baseline
from tests.gate.runs import MIXED, NATURAL, TWO_OF_THREE, edit_records, fake


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
