"""Fidelity and utility cells in the image `suite`: the same code as in a worker, with no network and limits.

    python3 -m benchmark.execution.suite_cell       (inside the image; /input/job.json says what, /output takes it)

The image is the suite's own, so it is trusted with the store and the cache (read-only) and runs as the caller; what
it isolates is the computation from the host: libraries, environment, network, memory.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmark.cohorts.cache import ENVIRONMENT_VARIABLE, cache_dir
from benchmark.cohorts.index import prepared_root
from benchmark.errors import BenchError
from benchmark.execution.jobs import CellResult, Job
from benchmark.execution.launch import Launch, Mount
from benchmark.profile import Profile
from benchmark.protocol import PROTOCOLS
from benchmark.records import Cell

_CACHE, _STORE, _TORCH, _HUB, _WEIGHTS = "/cache", "/store", "/torch", "/hub", "/weights"
_RESULT = "cell.json"
_NO_DEADLINE = 1e9
"""Seconds: these cells have no deadline in a worker either."""


class _Order(BaseModel):
    """What the container is told of the cell; every path in it is one inside the container."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell
    profile: Profile
    seed: int
    device: str
    upstream: dict[str, Path]


def suite_cell(job: Job, scratch: Path) -> CellResult:
    """Run the cell in a container; its artefacts are left in `scratch`, as the cell itself would leave them.

    Raises:
        BenchError: the container did not come to its end; the message has its last line.
    """
    profile, weights = _weights_mounted(job.profile)
    store = job.store.resolve()
    order = _Order(
        cell=job.cell,
        profile=profile,
        seed=job.seed,
        device=job.device,
        upstream={name: Path(_STORE) / folder.resolve().relative_to(store) for name, folder in job.upstream.items()},
    )
    with tempfile.TemporaryDirectory(prefix="fulora-bench-cell-") as folder:
        (Path(folder) / "job.json").write_text(order.model_dump_json())
        outcome = job.runner.open().launch(_launch(job, Path(folder), scratch, weights))
    facts = job.runner.facts(outcome)
    if outcome.status != "ok":
        tail = outcome.log_tail
        return CellResult(status=outcome.status, reason=outcome.message, log_tail=tail, **facts)
    told = scratch / _RESULT
    result = json.loads(told.read_bytes())
    told.unlink()
    return CellResult(**{**result, "log_tail": tuple(result["log_tail"]), **facts})


def _launch(job: Job, order: Path, scratch: Path, weights: list[Mount]) -> Launch:
    mounts = [Mount(job.store.resolve(), _STORE), Mount(cache_dir(), _CACHE), *weights]
    environment = {ENVIRONMENT_VARIABLE: _CACHE}
    for name in PROTOCOLS[job.profile.protocol].cohorts:
        root = prepared_root(name)
        if root is not None:  # a prepared cohort checks that its files are unchanged, so it must find them
            mounts.append(Mount(root, str(root)))
    for variable, place, target in (("TORCH_HOME", _torch_home(), _TORCH), ("HF_HUB_CACHE", _hub_cache(), _HUB)):
        if place.is_dir():
            mounts.append(Mount(place, target))
            environment[variable] = target
    execution = job.profile.execution
    return Launch(
        command=("python3", "-m", "benchmark.execution.suite_cell"),
        input=order,
        output=scratch,
        model=None,
        threads=execution.threads,
        deadline_seconds=_NO_DEADLINE,
        memory_mib=execution.memory_mib,
        output_mib=execution.output_mib,
        image=job.runner.start,
        gpu=job.device == "cuda",
        mounts=tuple(mounts),
        environment=environment,
        trusted=True,
    )


def _weights_mounted(profile: Profile) -> tuple[Profile, list[Mount]]:
    """The profile with every weights file at its place in the container, and the mounts that bring them there."""
    mounts: list[Mount] = []

    def mounted(source: Path) -> str:
        target = f"{_WEIGHTS}/{len(mounts)}{source.suffix}"
        mounts.append(Mount(source.resolve(), target))
        return target

    data = profile.model_dump(mode="json")
    for entry in data["fidelity"]["extractors"]:
        if entry["weights"] is not None:
            entry["weights"] = mounted(Path(entry["weights"]))
    for entry in data["utility"]["backbones"]:
        if entry["weights"] not in ("none", "pretrained"):
            entry["weights"] = mounted(Path(entry["weights"]))
    return Profile.model_validate(data), mounts


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _torch_home() -> Path:
    return Path(os.environ.get("TORCH_HOME") or _user_cache() / "torch")


def _hub_cache() -> Path:
    home = Path(os.environ.get("HF_HOME") or _user_cache() / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub")


def _inside() -> None:
    """What runs in the container: the cell, and its result as JSON beside the artefacts."""
    from benchmark.execution.cells import attempt, peak_memory_mib, set_threads

    order = _Order.model_validate_json((Path(os.environ["BENCH_INPUT"]) / "job.json").read_bytes())
    output = Path(os.environ["BENCH_OUTPUT"])
    job = Job(
        cell=order.cell,
        key="",
        inputs={},
        seed=order.seed,
        profile=order.profile,
        device=order.device,
        store=Path(_STORE),
        upstream=order.upstream,
    )
    set_threads(job)
    result = attempt(job, output)
    if result.peak_memory_mib is None:
        result = replace(result, peak_memory_mib=peak_memory_mib())
    (output / _RESULT).write_text(json.dumps(result.fields(), allow_nan=False))


if __name__ == "__main__":
    try:
        _inside()
    except BenchError as error:
        raise SystemExit(str(error)) from error
