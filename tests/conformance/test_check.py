"""The conformance suite finds every fault by the check that is there for it, and by no other; ours pass it.

Every start of those of ours that learn imports torch, eleven starts a check. So the short form (`tests.length`) checks
the two that do not as processes, and FU-LoRA, which imports the most, in its image
(`tests/containers/test_full_images.py`). That the others answer validly and equally for equal seeds, tell missing
weights, refuse parameters out of range and (GAN, FU-LoRA) stop in time is in `tests/baselines/test_every_method.py`;
the SDK reads and refuses requests for all of them (`tests/contract/test_sdk.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.conformance.bench import IMAGE_SIZE, Limits
from benchmark.conformance.checks import CHECKS
from benchmark.conformance.suite import DESCRIBES_ITSELF, Report, check_method
from benchmark.models import resolve_base_model
from tests.conformance.faults import FAULTS, PARAMETER, VERSION, Fault
from tests.length import full_only
from tests.tiny import bench

QUICK = Limits(ordinary=20.0, short=1.0, grace=2.0)


def verdicts(report: Report) -> dict[str, str]:
    return {line.name: line.verdict for line in report.lines}


def failures(report: Report) -> dict[str, str]:
    return {line.name: line.message for line in report.lines if line.verdict == "fail"}


def test_a_method_that_keeps_the_contract_passes_every_check(method: Callable[..., Path]) -> None:
    report = check_method(str(method()), limits=QUICK)
    found = verdicts(report)
    assert list(found) == [DESCRIBES_ITSELF, *(check.name for check in CHECKS)]
    assert found.pop("missing weights") == "not applicable"
    assert set(found.values()) == {"pass"}, report
    assert report.passed and (report.method, report.version) == ("plain", "1.0.0")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_fault_is_found_by_its_check_and_by_no_other(fault: Fault, method: Callable[..., Path]) -> None:
    report = check_method(str(method(fault.edits)), limits=QUICK)
    assert list(failures(report)) == [fault.check], report
    assert fault.says in failures(report)[fault.check]
    assert not report.passed


def test_what_builds_on_an_answer_is_not_judged_without_one(method: Callable[..., Path]) -> None:
    report = check_method(str(method([("    trained = ", "    sys.exit(70)\n    trained = ")])), limits=QUICK)
    assert failures(report)["answers"].startswith("it ended with 70 (internal error of the method)")
    builds = [check.name for check in CHECKS if check.needs_answer]
    assert builds and all(verdicts(report)[name] == "not applicable" for name in builds)


def test_an_idle_seed_and_a_typo_that_is_passed_over_are_notes(method: Callable[..., Path]) -> None:
    report = check_method(str(method([("f\"{request['seed']} ", 'f"'), (PARAMETER, "pass")])), limits=QUICK)
    notes = [name for name, verdict in verdicts(report).items() if verdict == "note"]
    assert notes == ["seed matters", "bad request: parameter"] and report.passed


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("pass", "without BENCH_MODEL it ended with 0"),
        ("sys.exit('no weights')", "End with 3"),
        ("print('no weights')\n    sys.exit(3)", "names no command"),
        ("print('run: fulora-bench prepare base')\n    sys.exit(3)", ""),
    ],
)
def test_missing_weights_must_be_told_with_the_command_that_fetches_them(
    without: str, says: str, method: Callable[..., Path]
) -> None:
    edits = [("\nSTART =", f"\nif 'BENCH_MODEL' not in os.environ:\n    {without}\nSTART =")]
    report = check_method(str(method(edits, needs='model = "base"\n')), limits=QUICK)
    assert verdicts(report)["missing weights"] == ("fail" if says else "pass")
    assert says in failures(report).get("missing weights", "")


def test_a_wrong_description_is_the_one_finding(tmp_path: Path) -> None:
    (tmp_path / "method.toml").write_text('name = "No Name"\n')
    report = check_method(str(tmp_path))
    assert list(failures(report)) == [DESCRIBES_ITSELF] and not report.passed
    assert "field 'name'" in failures(report)[DESCRIBES_ITSELF]
    assert set(verdicts(report).values()) == {"fail", "not applicable"}


def test_a_listed_source_file_that_is_not_there_is_found(method: Callable[..., Path]) -> None:
    report = check_method(str(method(needs='[source]\nalso = ["../absent.py"]\n')))
    assert "../absent.py" in failures(report)[DESCRIBES_ITSELF]


def test_the_embedded_base_pipeline_works_at_the_size_of_the_check() -> None:
    folder = resolve_base_model("embedded").folder
    sample_size = json.loads((folder / "unet" / "config.json").read_text())["sample_size"]
    blocks = json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"]
    assert sample_size * 2 ** (len(blocks) - 1) == IMAGE_SIZE


def test_the_verb_prints_data_and_ends_with_1_for_a_broken_method(method: Callable[..., Path]) -> None:
    done = bench("check", method([(VERSION, "pass")]), "--json", check=1)
    report = json.loads(done.stdout)
    assert not report["passed"] and report["launcher"] == "process"
    assert [entry["name"] for entry in report["checks"] if entry["verdict"] == "fail"] == ["bad request: version"]
    assert set(report["checks"][0]) == {"name", "verdict", "seconds", "message"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["real_onyl"], "Did you mean real_only"),
        (["localhost/some/image:latest"], "--launcher podman"),
        (["real_only", "--launcher", "lxc"], "unknown launcher 'lxc'"),
    ],
)
def test_what_is_not_there_is_an_error_of_usage(arguments: list[str], says: str) -> None:
    done = bench("check", *arguments, check=2)
    assert says in done.stderr and not done.stdout


@pytest.mark.parametrize("name", ["real_only", "classical_copy"])
def test_ours_pass_as_processes(name: str) -> None:
    assert failures(check_method(name)) == {}


@full_only
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan", "full_finetune", "fu_lora", "base_untuned"])
def test_ours_that_learn_pass_as_processes(name: str) -> None:
    report = check_method(name)
    assert failures(report) == {}
    assert verdicts(report)["missing weights"] == ("not applicable" if name == "gan" else "pass")
