"""A generate cell: request -> method in its own process -> validated synthetic set."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmark.classes import CLASSES, PROMPTS
from benchmark.contract import (
    ClassSpec,
    InvalidResponse,
    MethodSpec,
    Request,
    SyntheticSet,
    validate_response,
    write_request,
)
from benchmark.contract.response import MAX_OTHER_FILES
from benchmark.execution.inputs import protocol_of
from benchmark.execution.jobs import CellResult, Job, cut_paths
from benchmark.execution.launch import Launch, Outcome

_HOST_GRACE_SECONDS = 30.0
"""A method keeps its own deadline; the host ends it only when it does not."""


def generate_cell(job: Job, scratch: Path) -> CellResult:
    """Launch the method and validate what it wrote; its folder `output/` stays with the record."""
    assert job.method is not None
    unmet = _unmet_need(job, job.method)
    if unmet:
        return CellResult(status="skipped", reason=unmet, **job.runner.facts())
    output = scratch / "output"
    output.mkdir()
    request = request_of(job, job.method)
    adaptation = protocol_of(job.profile).adaptation
    with tempfile.TemporaryDirectory(prefix="fulora-bench-request-") as folder:
        write_request(Path(folder), request, adaptation.pixels, adaptation.table)
        launcher = job.runner.open()
        outcome = launcher.launch(_launch(job, launcher.command(job.method), Path(folder), output))
    facts: dict[str, Any] = {
        "log_tail": () if outcome.status == "ok" else outcome.log_tail,
        "peak_memory_mib": outcome.peak_memory_mib,
        "launcher": job.runner.launcher,
        "isolation": outcome.isolation,
        **job.runner.facts(outcome),
    }
    if outcome.status not in ("ok", "timeout"):
        _drop(output, outcome)
        return CellResult(status=outcome.status, reason=outcome.message, **facts)
    try:
        synthetic = validate_response(output, request, job.method, partial=outcome.status == "timeout")
    except InvalidResponse as fault:
        _drop(output, outcome)
        if outcome.status == "timeout":
            return CellResult(status="timeout", reason=f"{outcome.message} (nothing usable: {fault})", **facts)
        return CellResult(status="invalid", reason=str(fault), **facts)
    facts["outputs"] = _outputs(synthetic, outcome)
    return CellResult(status=outcome.status, reason=outcome.message, **facts)


def _drop(output: Path, outcome: Outcome) -> None:
    """Nothing that a stranger wrote and that is no valid response stays on the host."""
    if outcome.isolation == "container":
        shutil.rmtree(output)


def request_of(job: Job, method: MethodSpec) -> Request:
    """What the method is told; the parameters were resolved when the key was made."""
    return Request(
        method=method.name,
        parameters=job.inputs["parameters"],
        seed=job.seed,
        classes=tuple(ClassSpec(name=name, prompt=PROMPTS[name]) for name in CLASSES),
        images_per_class=job.profile.images_per_class,
        image_size=job.profile.image_size,
        steps=job.profile.generator_steps,
        device="cuda" if job.device == "cuda" else "cpu",
        deadline_seconds=job.profile.execution.deadline_seconds,
    )


def _unmet_need(job: Job, method: MethodSpec) -> str:
    """Why the method cannot run here, by its `[needs]`; empty if it can."""
    if method.needs.gpu and job.device != "cuda":
        return f"{method.name} needs a GPU, and this run uses the CPU: set execution.device=cuda on a machine with one."
    limit = job.profile.execution.memory_mib
    if method.needs.memory_mib > limit:
        return (
            f"{method.name} needs {method.needs.memory_mib} MiB, and the limit is {limit} MiB: "
            f"set execution.memory_mib={method.needs.memory_mib}."
        )
    return ""


def _launch(job: Job, command: tuple[str, ...], request: Path, output: Path) -> Launch:
    return Launch(
        command=command,
        input=request,
        output=output,
        model=job.model,
        threads=job.profile.execution.threads,
        deadline_seconds=job.profile.execution.deadline_seconds + _HOST_GRACE_SECONDS,
        memory_mib=job.profile.execution.memory_mib,
        output_mib=job.profile.execution.output_mib,
        output_files=job.profile.images_per_class * len(CLASSES) + MAX_OTHER_FILES,
        image=job.runner.start,
        gpu=job.device == "cuda",
    )


def _outputs(synthetic: SyntheticSet, outcome: Outcome) -> dict[str, Any]:
    result = synthetic.result
    return {
        **{name: seconds for name, seconds in result.timings.items()},  # first: a method never overwrites the host
        "n_images": len(synthetic),
        "per_class": dict(Counter(synthetic.labels)),
        "synthetic_sha256": synthetic.manifest_sha256,
        "wall_seconds": outcome.seconds,
        "steps": result.steps,
        "trained_parameters": result.trained_parameters,
        "method_peak_memory_mib": result.peak_memory_mib,
        "notes": [cut_paths(note) for note in result.notes],
        "versions": result.versions,
    }
