"""When the gate fires, and when it must not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UsageError
from benchmark.gate import Baseline, Report, Tolerance, check_same, judge, take
from benchmark.gate.differences import NO_INFLUENCE
from benchmark.gate.report import gate_lines, gate_markdown
from tests.gate.runs import (
    AGAINST_HELDOUT,
    AGAINST_TRAIN,
    METHODS,
    MIXED,
    TWO_OF_THREE,
    WITHOUT_TWO_PATIENTS,
    edit_fidelity,
    edit_manifest,
    edit_predictions,
    edit_records,
    fake,
)
from tests.leaderboard.fake_run import FakeMethod


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    """Every image right."""
    return Baseline(take(fake(tmp_path_factory.mktemp("baseline"))))


def gated(folder: Path, baseline: Baseline) -> Report:
    run = take(folder)
    check_same(run, baseline, Path("gate.yaml"))
    return judge(run, baseline)


def verdicts(report: Report, row: str) -> dict[str, str]:
    return {finding.metric: finding.verdict for finding in report.findings if finding.row == row}


def test_the_same_run_passes_and_every_difference_is_zero(tmp_path: Path, baseline: Baseline):
    report = gated(fake(tmp_path), baseline)
    assert report.passed
    assert {finding.verdict for finding in report.findings} == {"within"}
    assert {finding.difference.value for finding in report.findings} == {0}


def test_a_drop_beyond_tolerance_and_interval_fires_in_every_metric_and_nowhere_else(
    tmp_path: Path, baseline: Baseline
):
    report = gated(fake(tmp_path, TWO_OF_THREE), baseline)
    assert not report.passed
    assert set(verdicts(report, MIXED).values()) == {"regressed"}
    assert {finding.row for finding in report.findings if finding.fails} == {MIXED}
    accuracy = next(finding for finding in report.of("regressed") if finding.metric == "accuracy")
    assert accuracy.difference.value == pytest.approx(-100 / 3)
    assert accuracy.difference.high < 0


def test_a_drop_beyond_the_tolerance_but_inside_the_interval_does_not_fire(tmp_path: Path, baseline: Baseline):
    report = gated(fake(tmp_path, WITHOUT_TWO_PATIENTS), baseline)
    assert report.passed
    found = next(finding for finding in report.findings if (finding.row, finding.metric) == (MIXED, "accuracy"))
    assert found.verdict == "uncertain"
    assert found.difference.value == pytest.approx(-10)
    assert found.difference.low < 0 < found.difference.high


def test_a_drop_outside_the_interval_but_within_the_tolerance_does_not_fire(tmp_path: Path, baseline: Baseline):
    wide = {name: Tolerance(40) for name in baseline.tolerances}
    report = gated(fake(tmp_path, TWO_OF_THREE), replace(baseline, tolerances=wide))
    assert report.passed
    assert verdicts(report, MIXED)["accuracy"] == "within"


def test_a_tolerance_of_one_row_holds_for_that_row_alone(tmp_path: Path, baseline: Baseline):
    own = {(MIXED, "accuracy"): Tolerance(40)}
    report = gated(fake(tmp_path, TWO_OF_THREE), replace(baseline, own_tolerances=own))
    assert verdicts(report, MIXED)["accuracy"] == "within"
    assert verdicts(report, MIXED)["f1_macro_present"] == "regressed"


def test_an_improvement_is_told_and_does_not_fail(tmp_path: Path):
    worse = Baseline(take(fake(tmp_path / "old", TWO_OF_THREE)))
    report = gated(fake(tmp_path / "new"), worse)
    assert report.passed
    assert verdicts(report, MIXED)["accuracy"] == "improved"
    assert any(line.startswith(f"improved: utility {MIXED}: accuracy %") for line in gate_lines(report))


def test_a_row_that_the_run_lacks_is_a_regression(tmp_path: Path, baseline: Baseline):
    report = gated(fake(tmp_path, methods=METHODS[:1]), baseline)
    assert {finding.row for finding in report.of("missing")} == {
        MIXED, "resnet10t / light / made / synthetic / natural", AGAINST_HELDOUT, AGAINST_TRAIN,
    }  # fmt: skip
    assert not report.passed


def test_a_repetition_that_failed_is_a_regression_with_its_reason_and_the_others_are_compared(
    tmp_path: Path, baseline: Baseline
):
    flaky = (METHODS[0], FakeMethod("made", 0.7, faults={1: "failed"}))
    report = gated(fake(tmp_path, methods=flaky), baseline)
    assert not report.passed
    found = next(finding for finding in report.of("failed") if finding.row == MIXED)
    assert found.note == "repetition 1: generate made did not end ok"
    assert {
        finding.difference.repetitions for finding in report.findings if finding.row == MIXED and finding.metric
    } == {2}


def test_a_repetition_that_failed_in_the_baseline_too_is_no_regression(tmp_path: Path):
    flaky = (METHODS[0], FakeMethod("made", 0.7, faults={1: "failed"}))
    old = Baseline(take(fake(tmp_path / "old", methods=flaky)))
    assert gated(fake(tmp_path / "new", methods=flaky), old).passed


def test_a_metric_that_is_undefined_now_is_missing(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)

    def undefine(record: dict[str, Any]) -> None:
        record["metrics"]["kid"] = {"value": None, "reason": "too few images"}

    edit_records(folder, "fidelity", undefine, "heldout")
    assert verdicts(gated(folder, baseline), AGAINST_HELDOUT)["kid"] == "missing"


def nothing_known(record: dict[str, Any]) -> None:
    record["metrics"] = {name: {"value": None, "reason": "not a number"} for name in record["metrics"]}


def renamed(record: dict[str, Any]) -> None:
    record["metrics"] = {f"new_{name}": entry for name, entry in record["metrics"].items()}


@pytest.mark.parametrize("repetitions", [(0, 1, 2), (1,)])
@pytest.mark.parametrize("change", [nothing_known, renamed, lambda record: record.update(metrics={})])
def test_records_that_are_ok_and_hold_no_number_are_missing_in_every_metric(
    tmp_path: Path, baseline: Baseline, change: Callable[[dict[str, Any]], None], repetitions: tuple[int, ...]
):
    folder = fake(tmp_path)

    def lose(record: dict[str, Any]) -> None:
        if record["cell"]["repetition"] in repetitions:
            change(record)

    edit_records(folder, "fidelity", lose, "heldout")
    report = gated(folder, baseline)
    assert verdicts(report, AGAINST_HELDOUT) == {"fid": "missing", "kid": "missing", "recognition": "missing"}
    assert not report.passed


def test_a_utility_row_without_a_number_is_missing_in_every_metric(baseline: Baseline):
    run = baseline.snapshot
    rows = run.utility | {MIXED: replace(run.utility[MIXED], scores={})}
    report = judge(replace(run, utility=rows), baseline)
    assert verdicts(report, MIXED) == dict.fromkeys(run.utility[MIXED].scores, "missing")
    assert len(report.of("missing")) == 4


def test_a_row_whose_repetitions_all_failed_is_told_as_failed_alone(tmp_path: Path, baseline: Baseline):
    flaky = (METHODS[0], FakeMethod("made", 0.7, faults=dict.fromkeys(range(3), "failed")))
    report = gated(fake(tmp_path, methods=flaky), baseline)
    assert {finding.verdict for finding in report.findings if finding.row == MIXED} == {"failed"}
    assert not report.passed


def test_a_repetition_that_the_run_does_not_plan_fails(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)

    def plan_less(run: dict[str, Any]) -> None:
        run["cells"] = [entry for entry in run["cells"] if entry["cell"]["repetition"] != 2]

    edit_manifest(folder, plan_less)
    report = gated(folder, baseline)
    assert "repetition 2: the run does not plan it" in {finding.note for finding in report.of("failed")}


def test_what_is_measured_in_another_way_is_told_also_where_no_number_is_left(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path, methods=(METHODS[0], FakeMethod("made", 0.7, n_synthetic=20)))
    edit_records(folder, "fidelity", nothing_known, "heldout")
    assert verdicts(gated(folder, baseline), AGAINST_HELDOUT) == {"": "not comparable"}


def test_a_worst_centre_of_one_patient_goes_by_the_tolerance_alone_also_with_repetitions(tmp_path: Path):
    """Repetitions tell nothing of other patients, so they make no interval of a utility metric."""
    folders = [fake(tmp_path / "old", range(1, 60)), fake(tmp_path / "new", range(3, 60))]
    for folder in folders:
        edit_predictions(folder, ",p0,Algeria,", ",p0,Togo,")
    report = gated(folders[1], Baseline(take(folders[0])))
    found = next(f for f in report.findings if (f.row, f.metric) == (MIXED, "worst_center_accuracy"))
    assert (found.difference.center, found.difference.repetitions) == ("Togo", 3)
    assert (found.difference.low, found.difference.high, found.difference.note) == (None, None, NO_INFLUENCE)
    assert found.verdict == "regressed"


def test_a_row_that_the_baseline_lacks_is_told_and_does_not_fail(tmp_path: Path, baseline: Baseline):
    more = (*METHODS, FakeMethod("added", 0.7))
    report = gated(fake(tmp_path, methods=more), baseline)
    assert report.passed
    assert "resnet10t / light / added / synthetic / natural" in {finding.row for finding in report.of("new")}


def test_fidelity_is_worse_when_distances_rise_and_when_recognition_falls(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_fidelity(folder, "fid", lambda value, _: value + 5)
    edit_fidelity(folder, "kid", lambda value, _: value - 0.005)
    edit_fidelity(folder, "recognition", lambda value, _: value - 0.2)
    found = verdicts(gated(folder, baseline), AGAINST_HELDOUT)
    assert found == {"fid": "regressed", "kid": "improved", "recognition": "regressed"}


def test_a_relative_tolerance_is_a_share_of_the_baselines_mean(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_fidelity(folder, "fid", lambda value, _: value + 1.3)  # 10 % of the mean of 12.5, 13.5, 14.5 are 1.35
    assert verdicts(gated(folder, baseline), AGAINST_HELDOUT)["fid"] == "within"
    edit_fidelity(folder, "fid", lambda value, _: value + 0.1)
    assert verdicts(gated(folder, baseline), AGAINST_HELDOUT)["fid"] == "regressed"


def test_fidelity_that_varies_more_between_repetitions_than_it_rose_does_not_fire(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_fidelity(folder, "fid", lambda value, repetition: value + (12, -6, 3)[repetition])
    assert verdicts(gated(folder, baseline), AGAINST_HELDOUT)["fid"] == "uncertain"


def test_copies_of_training_images_that_appear_fire_and_distances_to_them_are_not_gated(
    tmp_path: Path, baseline: Baseline
):
    folder = fake(tmp_path, methods=(METHODS[0], FakeMethod("made", 0.7, copies=dict.fromkeys(range(3), 5))))
    edit_fidelity(folder, "fid", lambda value, _: 3 * value, "train")
    assert verdicts(gated(folder, baseline), AGAINST_TRAIN) == {"near_copies": "regressed"}


def test_one_repetition_has_its_records_own_spread_and_without_one_the_tolerance_alone(tmp_path: Path):
    def spread(record: dict[str, Any]) -> None:
        record["metrics"]["fid"]["sd"] = 1.0

    folders = [fake(tmp_path / name, repetitions=1) for name in ("old", "new")]
    for folder in folders:
        edit_records(folder, "fidelity", spread, "heldout")
    old = Baseline(take(folders[0]))
    edit_fidelity(folders[1], "fid", lambda value, _: value + 3)  # 2.576 sqrt(2) = 3.64
    edit_fidelity(folders[1], "recognition", lambda value, _: value - 0.06)
    report = gated(folders[1], old)
    found = {finding.metric: finding for finding in report.findings if finding.row == AGAINST_HELDOUT}
    assert found["fid"].verdict == "uncertain"
    assert found["fid"].difference.high - found["fid"].difference.low == pytest.approx(2 * 2.5758 * 2**0.5, rel=1e-4)
    assert found["recognition"].verdict == "regressed"
    assert any("goes by the tolerance alone" in line for line in gate_lines(report))
    assert any("covers clusters alone" in line for line in gate_lines(report))


def test_fidelity_sets_that_are_not_comparable_fail_and_say_what_differs(tmp_path: Path, baseline: Baseline):
    report = gated(fake(tmp_path, methods=(METHODS[0], FakeMethod("made", 0.7, n_synthetic=20))), baseline)
    found = next(finding for finding in report.of("not comparable") if finding.row == AGAINST_HELDOUT)
    assert re.search(r"\b15\b.* / .*\b20\b", found.note)
    assert not report.passed


def test_another_worst_centre_is_named_and_its_clusters_are_not_paired_with_the_formers(tmp_path: Path):
    in_algeria = [image for image in range(60) if image >= 30 or image % 3 != 0]
    in_ghana = [image for image in range(60) if image < 30 or image % 3 != 0]
    old = Baseline(take(fake(tmp_path / "old", in_algeria)))
    report = gated(fake(tmp_path / "new", in_ghana), old)
    found = next(f for f in report.findings if (f.row, f.metric) == (MIXED, "worst_center_accuracy"))
    assert found.difference.center == "Algeria -> Ghana"
    assert found.difference.value == pytest.approx(0)


def test_other_images_are_refused(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_predictions(folder, "target-0,", "target-other,")
    with pytest.raises(UsageError, match=r"other images.*--update"):
        gated(folder, baseline)


def test_other_clusters_of_the_same_images_are_refused(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_predictions(folder, ",p19,", ",p18,")
    with pytest.raises(UsageError, match="19 clusters"):
        gated(folder, baseline)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: run["profile"].update(seed=2), "seed 1 / 2"),
        (lambda run: run["protocol"].update(version="2"), "version 1 / 2"),
        (lambda run: run.update(name="other"), "name fake / other"),
    ],
)
def test_another_experiment_is_refused(tmp_path: Path, baseline: Baseline, change: Any, words: str):
    folder = fake(tmp_path)
    edit_manifest(folder, change)
    with pytest.raises(UsageError, match=words):
        gated(folder, baseline)


def backbones(*weights: str) -> Callable[[dict[str, Any]], None]:
    entries = [{"name": f"net{index}", "weights": name} for index, name in enumerate(weights)]
    return lambda run: run["profile"].update(utility={"backbones": entries})


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("none",), ("pretrained",), "weights not told / net0 pretrained"),
        (("none", "pretrained"), ("none", "own.pt"), "weights net1 pretrained / net1 own.pt"),
    ],
)
def test_backbones_that_start_from_other_weights_are_another_experiment(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], words: str
):
    folders = [fake(tmp_path / name) for name in ("old", "new")]
    for folder, weights in zip(folders, (before, after), strict=True):
        edit_manifest(folder, backbones(*weights))
    with pytest.raises(UsageError, match=words):
        gated(folders[1], Baseline(take(folders[0])))


def test_backbones_from_scratch_are_the_experiment_of_files_that_name_no_weights(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path)
    edit_manifest(folder, backbones("none", "none"))
    assert gated(folder, baseline).passed


def test_weights_of_other_content_are_told_beside_a_failure(tmp_path: Path, baseline: Baseline):
    folder = fake(tmp_path, TWO_OF_THREE)
    edit_records(folder, "utility", lambda record: record["inputs"].update(weights_sha256="ab" * 32))
    assert "weights of resnet10t not told / abababababab" in gate_markdown(gated(folder, baseline))


def test_another_machine_is_told_beside_a_failure_and_not_beside_a_pass(tmp_path: Path, baseline: Baseline):
    def elsewhere(run: dict[str, Any]) -> None:
        run["versions"]["torch"] = "2.16.0"

    folders = [fake(tmp_path / name, right) for name, right in (("same", range(60)), ("worse", TWO_OF_THREE))]
    for folder in folders:
        edit_manifest(folder, elsewhere)
    passed, failed = (gate_markdown(gated(folder, baseline)) for folder in folders)
    assert "torch" not in passed
    assert "the baseline was made elsewhere (there / here): torch 2.15.0 / 2.16.0" in failed


def test_every_regression_is_a_line_of_text_and_a_row_of_the_markdown_table(tmp_path: Path, baseline: Baseline):
    report = gated(fake(tmp_path, TWO_OF_THREE), baseline)
    page, lines = gate_markdown(report), gate_lines(report)
    failing = [finding for finding in report.findings if finding.fails]
    assert len([line for line in page.splitlines() if line.startswith("| regressed")]) == len(failing) == 4
    assert len([line for line in lines if line.startswith("regressed: utility")]) == len(failing)
    assert "100.00" in page and "66.67" in page and "-33.33 [" in page
