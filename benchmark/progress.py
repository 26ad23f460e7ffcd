"""How far a run is, read from its manifest and its records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.execution.engine import Durations
from benchmark.runs import read_run, run_store

_WAITING = "waiting"
_COLUMNS = ("ok", "failed", "timeout", "oom", "invalid", "skipped", _WAITING)


@dataclass(frozen=True)
class RunProgressReport:
    """Cells by kind and status, the reasons of those that did not end ok, and seconds of work left.

    `seconds_left` is wall-clock time, estimated from cells of the same kind and method; 0 when nothing is left.
    """

    columns: tuple[str, ...]
    cells: dict[str, dict[str, int]]
    faults: tuple[str, ...]
    seconds_left: float


def progress_of(folder: Path) -> RunProgressReport:
    """Count a run's cells by what its store holds."""
    run, store = read_run(folder), run_store(folder)
    counts: dict[str, dict[str, int]] = {}
    durations, left, faults = Durations(), [], []
    for planned in run.cells:
        cell = planned.cell
        found = (
            (store.latest_ok(cell.kind, planned.key) or store.latest(cell.kind, planned.key)) if planned.key else None
        )
        state = found[0].status if found else _WAITING
        counts.setdefault(cell.kind, dict.fromkeys(_COLUMNS, 0))[state] += 1
        if found is None:
            left.append(cell)
            continue
        durations.add(found[0])
        if state != "ok":
            faults.append(f"{state}: {cell.title}: {found[0].reason}")
    plan = run.profile["execution"]
    workers = int(plan["workers"]) or max(1, int(run.hardware["cores"]) // int(plan["threads"]))
    return RunProgressReport(_COLUMNS, counts, tuple(faults), durations.expected(left) / workers)
