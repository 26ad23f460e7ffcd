from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.contract import (
    CannotRunHere,
    Context,
    MethodSpec,
    MissingData,
    TrainingSet,
    TryAgain,
    load_method,
    read_request,
    run_method,
    validate_response,
)
from benchmark.contract.request import write_request
from tests.contract.conftest import SIZE, make_request, make_train

THIRD_PARTY = """
import numpy as np
from benchmark.contract.sdk import main

class Blend:
    def fit(self, train, context):
        labels = np.array(train.labels)
        self.means = {label: train.images[labels == label].mean(0) for label in set(train.labels)}

    def sample(self, label, n, context):
        mean = self.means[label]
        noise = [np.random.default_rng(seed).normal(0, 9, mean.shape) for seed in context.image_seeds(label, n)]
        return np.clip(mean + np.array(noise), 0, 255).astype(np.uint8)

main(lambda context: Blend())
"""


class Noise:
    """Random images; what happens in fit and sample can be exchanged."""

    def __init__(self, fit: Any = None, sample: Any = None) -> None:
        self.on_fit, self.on_sample = fit, sample

    def fit(self, train: TrainingSet, context: Context) -> None:
        if self.on_fit:
            self.on_fit(context)

    def sample(self, label: str, n: int, context: Context) -> np.ndarray:
        if self.on_sample:
            return self.on_sample(label, n, context)
        return np.random.randint(0, 256, (n, SIZE, SIZE)).astype(np.uint8)


def raising(error: Exception) -> Any:
    def fit(context: Context) -> None:
        raise error

    return fit


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().err.splitlines() if line.strip()][-1]


def test_a_third_party_method_of_twenty_lines_runs_by_path(folders: dict[str, str], tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "run.py").write_text(THIRD_PARTY)
    (theirs / "method.toml").write_text(
        'name = "blend"\nversion = "1"\nsummary = "Mean and noise."\nsynthesizes = true\n'
        'command = ["{python}", "{folder}/run.py"]\n'
    )
    spec = load_method(theirs)
    subprocess.run(spec.command_line(sys.executable), env=folders | {"PYTHONPATH": str(Path.cwd())}, check=True)
    request = read_request(Path(folders["BENCH_INPUT"]))
    assert len(validate_response(Path(folders["BENCH_OUTPUT"]), request, spec)) == 6


def test_the_same_request_gives_the_same_images_and_another_seed_others(tmp_path: Path, spec: MethodSpec) -> None:
    digests = []
    for run, seed in enumerate((7, 7, 8)):
        request = make_request(seed=seed)
        write_request(tmp_path / f"in{run}", request, *make_train())
        output = tmp_path / f"out{run}"
        output.mkdir()
        environ = {"BENCH_INPUT": str(tmp_path / f"in{run}"), "BENCH_OUTPUT": str(output)}
        assert run_method(lambda context: Noise(), environ) == 0
        digests.append(validate_response(output, request, spec).manifest_sha256)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MissingData("no weights: run 'fulora-bench prepare base'"), 3),
        (CannotRunHere("no accelerator"), 4),
        (TryAgain("busy"), 75),
        (ValueError("two\nlines"), 70),
    ],
)
def test_every_end_has_its_code_and_its_message_last(
    folders: dict[str, str], capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert run_method(lambda context: Noise(fit=raising(error)), folders) == code
    assert " ".join(str(error).split()) in last_line(capsys)
    assert not (Path(folders["BENCH_OUTPUT"]) / "result.json").exists()


def test_a_bad_request_is_two(folders: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    (Path(folders["BENCH_INPUT"]) / "request.json").write_text("{}")
    assert run_method(lambda context: Noise(), folders) == 2
    assert "request.json" in last_line(capsys)


def test_missing_variables_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_method(lambda context: Noise(), {}) == 2
    assert "BENCH_INPUT" in last_line(capsys)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda label, n, context: np.zeros((n, SIZE, SIZE)),
        lambda label, n, context: np.zeros((n, SIZE, SIZE, 3), np.uint8),
        lambda label, n, context: np.zeros((n + 1, SIZE, SIZE), np.uint8),
    ],
)
def test_arrays_of_another_kind_are_an_error_of_the_method(folders: dict[str, str], wrong: Any) -> None:
    assert run_method(lambda context: Noise(sample=wrong), folders) == 70


def test_at_the_deadline_what_is_written_stays_valid(folders: dict[str, str], spec: MethodSpec) -> None:
    def sample(label: str, n: int, context: Context) -> np.ndarray:
        if label == "femur":
            context.started -= 1000
            context.check_deadline()
        return np.zeros((n, SIZE, SIZE), np.uint8)

    assert run_method(lambda context: Noise(sample=sample), folders) == 5
    request = read_request(Path(folders["BENCH_INPUT"]))
    synthetic = validate_response(Path(folders["BENCH_OUTPUT"]), request, spec, partial=True)
    assert synthetic.labels == ("brain",) * 3
    assert "deadline of 60 s" in synthetic.result.notes[0]


def test_result_and_progress_tell_what_happened(folders: dict[str, str]) -> None:
    def fit(context: Context) -> None:
        context.trained_parameters, context.steps = 12, 5
        context.notes.append("a note")
        for done in range(1, 6):
            context.progress("fit", done, 5)

    assert run_method(lambda context: Noise(fit=fit), folders) == 0
    output = Path(folders["BENCH_OUTPUT"])
    result = json.loads((output / "result.json").read_text())
    assert (result["trained_parameters"], result["steps"], result["notes"]) == (12, 5, ["a note"])
    assert {"fit_seconds", "sample_seconds"} <= set(result["timings"]) and result["peak_memory_mib"] > 1
    last = json.loads((output / "progress.jsonl").read_text().splitlines()[-1])
    assert (last["stage"], last["done"], last["total"]) == ("fit", 5, 5)


def test_image_seeds_do_not_move_when_more_images_are_asked_for(tmp_path: Path) -> None:
    context = Context(request=make_request(), input=tmp_path, output=tmp_path)
    assert context.image_seeds("brain", 9)[:3] == context.image_seeds("brain", 3)
    assert context.image_seeds("brain", 3) != context.image_seeds("femur", 3)
