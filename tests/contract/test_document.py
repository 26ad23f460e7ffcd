"""The committed contract documents say what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.contract import CONTRACT_VERSION, MethodSpec, Request, Result, load_method
from benchmark.contract.document import COMMAND, contract_text, documents, schema_of
from benchmark.contract.method import parse_method
from benchmark.contract.response import MAX_OTHER_FILES
from benchmark.execution import container, engines, generate_cell, launch, supervisor, usage
from benchmark.methods import find_methods
from benchmark.profile import ExecutionPlan

CONTAINERS = Path(__file__).parents[2] / "containers"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", contract_text(), re.DOTALL)


@pytest.mark.parametrize("name", documents())
def test_the_committed_document_is_current(name: str) -> None:
    path = CONTAINERS / name
    assert path.is_file() and path.read_text(encoding="utf-8") == documents()[name], (
        f"containers/{name} is not current: run `{COMMAND}` and commit what it wrote"
    )


def test_no_other_schema_lies_beside_them() -> None:
    found = {path.relative_to(CONTAINERS).as_posix() for path in (CONTAINERS / "schemas").iterdir()}
    assert found == {name for name in documents() if name.startswith("schemas/")}


def test_the_command_writes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, *COMMAND.split()[1:-1], str(tmp_path)], check=True)
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in documents()} == documents()


def test_the_examples_are_accepted_by_the_code_that_validates(tmp_path: Path) -> None:
    request, result = blocks("json")
    Request.model_validate_json(request)
    Result.model_validate_json(result)
    assert parse_method(blocks("toml")[0].encode(), "CONTRACT.md", folder=tmp_path).name == "my_method"


def test_every_field_of_the_request_is_promised_to_be_there() -> None:
    schema = schema_of(Request)
    assert set(schema["required"]) == set(schema["properties"]) == set(Request.model_fields)


def test_what_the_host_sets_itself_is_no_field_of_method_toml() -> None:
    fields = set(schema_of(MethodSpec)["properties"])
    assert not fields & {"folder", "image_id", "image_reference"}
    assert fields == set(load_method(find_methods()["gan"].folder).model_dump())


def test_a_schema_names_every_limit_of_its_model() -> None:
    properties: dict[str, Any] = schema_of(Request)["properties"]
    assert properties["seed"]["exclusiveMaximum"] == 2**63
    assert (properties["image_size"]["minimum"], properties["image_size"]["maximum"]) == (8, 4096)
    assert schema_of(Result)["additionalProperties"] is False
    json.dumps(schema_of(Result), allow_nan=False)


def test_the_limits_in_the_prose_are_those_of_the_launchers() -> None:
    text, plan = contract_text(), ExecutionPlan()
    sample = launch.Launch((), Path(), Path(), None, plan.threads, 1.0, 1)
    for told in (
        f"| CPU threads (`BENCH_THREADS`) | {plan.threads} |",
        f"in `/tmp` | {plan.memory_mib:,} MiB |",
        f"(`deadline_seconds`) | {plan.deadline_seconds:,.0f} s |",
        f"| {sample.output_mib:,} MiB, {MAX_OTHER_FILES:,} files beside the images asked for, ",
        f", {usage.MAX_DEPTH} folders deep |",
        f"streams together | {launch.LOG_LIMIT_MIB} MiB |",
        f"half of the memory, at most {container.SCRATCH_MIB:,} MiB",
        f"a quarter of the memory, at most {container.SHM_MIB} MiB",
        f"in a container | {container.PIDS} |",
        f"{container.METHOD_UID} where the caller is root",
        f"The host waits {generate_cell._HOST_GRACE_SECONDS:g} s longer",
        f"ends with 5 within {supervisor._GRACE_SECONDS:g} s",
        f"{engines.LABEL_CONTRACT}={CONTRACT_VERSION}",
        f"at `{engines.DESCRIPTION_FOLDER}`",
    ):
        assert told in text, f"benchmark/contract/document.md does not say: {told}"
