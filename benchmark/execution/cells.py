"""What a worker does with a cell: run it, and write its record whatever happens."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.fidelity_cell import fidelity_cell
from benchmark.execution.generate_cell import generate_cell
from benchmark.execution.jobs import CellResult, Job
from benchmark.execution.suite_cell import suite_cell
from benchmark.execution.utility_cell import utility_cell
from benchmark.records import Record, Store

_TAIL_LINES = 12
_WORK: dict[str, Callable[[Job, Path], CellResult]] = {
    "generate": generate_cell,
    "fidelity": fidelity_cell,
    "utility": utility_cell,
}


def execute(job: Job) -> str:
    """Run one cell and commit its record; returns its status. Only the loss of the process leaves no record."""
    set_threads(job)
    _forget_peak_memory()
    store = Store(job.store)
    started, clock = datetime.now(UTC), time.monotonic()
    with store.writing(job.cell.kind, job.key) as scratch:
        result = _place(job)(job, scratch).without_paths()
        facts: dict[str, Any] = {
            "key": job.key,
            "cell": job.cell,
            "started_at": started,
            "seconds": time.monotonic() - clock,
            "device": job.device,
            "threads": job.profile.execution.threads,
            "seed": job.seed,
            "inputs": job.inputs,
        }
        if result.peak_memory_mib is None:
            result = result.with_memory(peak_memory_mib())
        record = store.commit(scratch, Record(**facts, **result.fields()))
    return record.status


def _place(job: Job) -> Callable[[Job, Path], CellResult]:
    """Where the work is done: a method has its own launcher; the rest follows it into the suite's image, if any."""
    if job.cell.kind == "generate" or job.runner.launcher == "process":
        return attempt
    return lambda job, scratch: _caught(suite_cell, job, scratch)


def attempt(job: Job, scratch: Path) -> CellResult:
    """Do the work of a cell; whatever goes wrong becomes its status and reason."""
    return _caught(_WORK[job.cell.kind], job, scratch)


def _caught(work: Callable[[Job, Path], CellResult], job: Job, scratch: Path) -> CellResult:
    try:
        return work(job, scratch)
    except BenchError as error:
        return CellResult(status="failed", reason=str(error), **job.runner.facts())
    except MemoryError as error:
        return CellResult(status="oom", reason=f"out of memory: {error}", **job.runner.facts())
    except Exception as error:  # the border of the cell: the rest of the matrix goes on, the record tells
        tail = tuple(traceback.format_exc().splitlines()[-_TAIL_LINES:])
        return CellResult(
            status="failed", reason=f"{type(error).__name__}: {error}", log_tail=tail, **job.runner.facts()
        )


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _forget_peak_memory() -> None:
    """A worker lives on: without this, a cell would be told the peak of all cells before it (man 5 proc)."""
    _CLEAR.write_text("5")


def peak_memory_mib() -> float:
    """Largest resident memory of this process in MiB since it was last forgotten."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def set_threads(job: Job) -> None:
    """Grant torch the profile's threads, where this process computes."""
    if job.cell.kind == "generate" or job.runner.launcher != "process":
        return  # the work is done elsewhere: this process needs no torch
    import torch

    torch.set_num_threads(job.profile.execution.threads)
