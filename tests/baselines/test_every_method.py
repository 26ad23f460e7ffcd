"""What must hold for every method that the suite ships, through the contract."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.contract import run_method, validate_response
from benchmark.methods import find_methods
from tests.baselines.conftest import Case

METHODS = {
    "real_only": "RealOnly",
    "gan": "Gan",
    "full_finetune": "FullFinetune",
    "fu_lora": "FuLora",
    "base_untuned": "BaseUntuned",
    "classical_copy": "ClassicalCopy",
}


def run(case: Case) -> int:
    name = case.spec.name
    method: Any = getattr(importlib.import_module(f"baselines.{name}"), METHODS[name])
    return run_method(method if name != "real_only" else lambda context: method(), case.environ)


@pytest.mark.parametrize("name", METHODS)
def test_its_response_is_valid_and_the_same_twice(name: str, case: Callable[..., Case]) -> None:
    digests = []
    for _ in range(2):
        made = case(name)
        assert run(made) == 0
        synthetic = validate_response(made.output, made.request, made.spec)
        assert len(synthetic) == (10 if made.spec.synthesizes else 0)
        digests.append(synthetic.manifest_sha256)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("name", ["gan", "full_finetune", "fu_lora", "base_untuned", "classical_copy"])
def test_another_seed_gives_other_images(name: str, case: Callable[..., Case]) -> None:
    digests = set()
    for seed in (1, 2):
        made = case(name, seed=seed)
        assert run(made) == 0
        digests.add(validate_response(made.output, made.request, made.spec).manifest_sha256)
    assert len(digests) == 2


@pytest.mark.parametrize("name", ["gan", "fu_lora"])
def test_in_bfloat16_it_gives_the_same_images_twice_too(name: str, case: Callable[..., Case]) -> None:
    digests = set()
    for _ in range(2):
        made = case(name, parameters={"precision": "bf16"})
        assert run(made) == 0
        digests.add(validate_response(made.output, made.request, made.spec).manifest_sha256)
    assert len(digests) == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_default_in_its_toml_is_a_parameter_it_accepts(name: str, case: Callable[..., Case]) -> None:
    made = case(name, images_per_class=0, steps=0)
    assert run(made) == 0


@pytest.mark.parametrize("name", ["gan", "full_finetune", "fu_lora", "base_untuned"])
def test_a_parameter_out_of_range_is_a_bad_request(
    name: str, case: Callable[..., Case], capsys: pytest.CaptureFixture[str]
) -> None:
    made = case(name, parameters={"batch" if name != "base_untuned" else "sample_batch": 0})
    assert run(made) == 2
    assert "batch" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", ["full_finetune", "fu_lora", "base_untuned"])
def test_without_a_pipeline_it_says_what_to_run(
    name: str, case: Callable[..., Case], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(case(name, model=None)) == 3
    assert "fulora-bench prepare base" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", ["full_finetune", "fu_lora"])
def test_the_request_sets_the_optimiser_steps(name: str, case: Callable[..., Case]) -> None:
    made = case(name, steps=5)
    assert run(made) == 0
    result = validate_response(made.output, made.request, made.spec).result
    assert result.steps == 5 and result.trained_parameters > 0


@pytest.mark.parametrize("name", ["gan", "fu_lora"])
def test_it_stops_at_the_deadline_with_a_valid_rest(name: str, case: Callable[..., Case]) -> None:
    made = case(name, deadline_seconds=0.001, steps=1000)
    assert run(made) == 5
    synthetic = validate_response(made.output, made.request, made.spec, partial=True)
    assert len(synthetic) == 0 and "deadline" in synthetic.result.notes[-1]


def test_every_shipped_method_is_covered_here() -> None:
    assert set(find_methods()) >= set(METHODS)


def test_a_method_runs_as_its_own_process(case: Callable[..., Case]) -> None:
    made = case("real_only")
    subprocess.run(made.spec.command_line(sys.executable), env=made.environ, check=True)
    assert len(validate_response(made.output, made.request, made.spec)) == 0
