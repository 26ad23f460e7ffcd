"""`compare` and `gate` as people and CI meet them: exit codes, what goes to which stream, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gate.runs import AGAINST_HELDOUT, METHODS, MIXED, TWO_OF_THREE, edit_predictions, edit_records, fake


def bench(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmark.cli", *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept | variables)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake(tmp_path_factory.mktemp("bad"), TWO_OF_THREE)


@pytest.fixture(scope="module")
def written(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gate file that the first call made."""
    path = tmp_path_factory.mktemp("gates") / "fake.yaml"
    done = bench("gate", good, "--baseline", path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "there was no baseline" in done.stderr
    return path


def test_a_run_as_good_as_its_baseline_exits_0(good: Path, written: Path):
    done = bench("gate", good, "--baseline", written)
    assert done.returncode == 0, done.stderr
    assert "### Gate of fake: passed" in done.stdout
    assert "gate passed" in done.stderr


def test_a_worse_run_exits_3_with_a_markdown_table_lines_of_text_and_a_page_for_the_job(
    bad: Path, written: Path, tmp_path: Path
):
    before = written.read_bytes()
    done = bench("gate", bad, "--baseline", written, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    assert done.returncode == 3
    assert f"| regressed | utility {MIXED} | accuracy %" in " ".join(done.stdout.split())
    assert f"regressed: utility {MIXED}: accuracy %: 100.00 -> 66.67" in " ".join(done.stderr.split())
    assert "--update" in done.stderr
    assert (tmp_path / "summary.md").read_text().strip() == done.stdout.strip()
    assert written.read_bytes() == before


def test_json_alone_is_on_stdout_and_the_exit_code_stays(bad: Path, written: Path):
    done = bench("gate", bad, "--baseline", written, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["passed"]) == (3, False)
    worse = next(entry for entry in found["findings"] if (entry["row"], entry["metric"]) == (MIXED, "accuracy"))
    assert worse["verdict"] == "regressed"
    assert worse["difference"] == pytest.approx(-100 / 3)


def test_update_takes_the_numbers_keeps_the_tolerances_and_then_passes(good: Path, bad: Path, tmp_path: Path):
    path = tmp_path / "gate.yaml"
    assert bench("gate", good, "--baseline", path).returncode == 0
    path.write_text(path.read_text().replace("  accuracy: 2\n", "  accuracy: 3\n"))
    assert bench("gate", bad, "--baseline", path, "--update").returncode == 0
    assert "  accuracy: 3\n" in path.read_text()
    assert bench("gate", bad, "--baseline", path).returncode == 0


def test_what_a_new_baseline_does_not_hold_is_told_in_text_and_json(good: Path, tmp_path: Path):
    path = tmp_path / "gate.yaml"
    assert json.loads(bench("gate", good, "--baseline", path, "--json").stdout)["not_in_it"] == {}
    fewer = fake(tmp_path / "fewer", methods=METHODS[:1])
    done = bench("gate", fewer, "--baseline", path, "--update")
    assert f"not in the baseline: utility {MIXED}: the run has no such row; the file had it" in " ".join(
        done.stderr.split()
    )
    blind = fake(tmp_path / "blind")
    edit_records(blind, "fidelity", lambda record: record["metrics"].pop("kid"), "heldout")
    place, undefined = f"fidelity {AGAINST_HELDOUT}: kid", "undefined in a repetition of this run"
    first = json.loads(bench("gate", blind, "--baseline", tmp_path / "first.yaml", "--json").stdout)
    assert first["not_in_it"] == {place: undefined}
    assert bench("gate", good, "--baseline", path, "--update").returncode == 0
    again = json.loads(bench("gate", blind, "--baseline", path, "--update", "--json").stdout)
    assert again["not_in_it"] == {place: f"{undefined}; the file had it"}


def test_what_cannot_be_gated_exits_2_and_says_what_to_do(good: Path, written: Path, tmp_path: Path):
    other = fake(tmp_path / "other")
    edit_predictions(other, "target-0,", "target-other,")
    (tmp_path / "broken.yaml").write_text("schema_version: 1\n")
    for arguments, words in (
        ((other, "--baseline", written), "other images"),
        ((good, "--baseline", tmp_path / "broken.yaml"), "is not a gate file"),
        ((tmp_path, "--baseline", written), "holds no run"),
    ):
        done = bench("gate", *arguments)
        assert done.returncode == 2, done.stderr
        assert words in " ".join(done.stderr.split())


def test_a_run_without_any_result_is_no_baseline(tmp_path: Path):
    folder = fake(tmp_path / "run")
    for path in folder.glob("store/*/*/*/record.json"):
        path.write_text(path.read_text().replace('"status": "ok"', '"status": "failed"'))
    done = bench("gate", folder, "--baseline", tmp_path / "gate.yaml")
    assert done.returncode == 2
    assert not (tmp_path / "gate.yaml").exists()


def test_compare_prints_tables_markdown_or_json(good: Path, bad: Path):
    table, page, data = (bench("compare", good, bad, *form) for form in ((), ("--format", "md"), ("--json",)))
    assert (table.returncode, page.returncode, data.returncode) == (0, 0, 0)
    assert f"utility {MIXED}" in table.stdout
    assert f"| {MIXED}" in page.stdout
    assert "B is fake" in table.stderr
    found = json.loads(data.stdout)
    assert {entry["metric"] for entry in found["differences"]} >= {"accuracy", "fid"}
    wrong = bench("compare", good, bad, "--format", "html")
    assert wrong.returncode == 2
    assert "unknown format" in wrong.stderr
