"""The engine: cells on dask.distributed's local cluster, resumed by the store alone.

Tasks pass paths, never results. Dependencies are followed here and not by dask's graph, because the key of a
fidelity or utility cell is known only when the synthetic set that it uses has been validated.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from benchmark.errors import BenchError
from benchmark.execution.cluster import local_cluster
from benchmark.execution.jobs import Job
from benchmark.execution.planner import Decision, Planner
from benchmark.execution.runners import Runners
from benchmark.execution.stages import last_progress
from benchmark.matrix import REFERENCE_METHOD, seed_of
from benchmark.records import Cell, Record, Status
from benchmark.runs import Run, read_run

if TYPE_CHECKING:
    from distributed import Client, Future

_GUESS_SECONDS = 20.0
_LOOK_SECONDS = 2.0


class Listener(Protocol):
    """What the engine tells while it works; the command line draws it."""

    def plan(self, total: int, hits: int, workers: int) -> None:
        """The matrix is known: cells in all, cells that need nothing."""

    def started(self, cell: Cell, why: str) -> None:
        """A cell was handed to a worker."""

    def working(self, stages: dict[Cell, str]) -> None:
        """What the running methods tell of themselves, e.g. `fit 300/800`; called every few seconds."""

    def finished(self, record: Record, seconds_left: float) -> None:
        """A cell ended; `seconds_left` estimates the rest of the run."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: cells by status in this run, hits, and cells that could not be tried."""

    statuses: dict[Status, int]
    hits: int
    blocked: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether every cell has an `ok` record."""
        return self.blocked == 0 and set(self.statuses) <= {"ok"}


def run_cells(planner: Planner, runners: Runners, run: Run, folder: Path, listener: Listener) -> Outcome:
    """Run what the store misses, and keep `run.json` current.

    Raises:
        BenchError: another run works in this folder, or `recompute=none` and a cell has no `ok` record.
    """
    started = time.monotonic()
    with _only_run(folder):
        runners.sweep()  # containers first: one that a killed run left may still write
        planner.store.sweep()
        choices = {cell: planner.decide(cell) for cell in planner.cells}
        misses = [cell for cell, choice in choices.items() if choice.state != "hit"]
        hits = len(choices) - len(misses)
        if planner.recompute == "none" and misses:
            raise BenchError(_missing(misses, choices))
        workers = planner.profile.execution.worker_count()
        listener.plan(len(choices), hits, workers)
        before = _wall_seconds_before(folder)
        manifest = _Manifest(run, folder)
        manifest.write(planner, before)
        if misses:
            runners.probe()
            try:
                with local_cluster(workers, planner.profile.execution.threads) as client:
                    _Loop(planner, runners, manifest, listener).work(client)
            finally:
                runners.sweep()
        seconds = time.monotonic() - started
        spent = (before if hits else 0.0) + (seconds if misses else 0.0)
        manifest.write(planner, spent)
    counts: dict[Status, int] = {}
    for status in planner.finished.values():
        counts[status] = counts.get(status, 0) + 1
    blocked = sum(planner.decide(cell).state in ("blocked", "waits") for cell in planner.cells)
    return Outcome(statuses=counts, hits=hits, blocked=blocked, seconds=seconds)


class _Manifest:
    """Keeps `run.json` current."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder = run, folder

    def write(self, planner: Planner, wall_seconds: float | None = None) -> None:
        """Write the matrix with the keys that are known now, and the time spent where it has changed."""
        if wall_seconds is not None:
            self.run = self.run.model_copy(update={"wall_seconds": wall_seconds})
        self.run = self.run.model_copy(update={"cells": planner.planned()})
        self.run.write(self.folder)


class _Loop:
    """Submits what can run, takes what has ended, until nothing is left."""

    def __init__(self, planner: Planner, runners: Runners, manifest: _Manifest, listener: Listener) -> None:
        self.planner, self.runners, self.manifest, self.listener = planner, runners, manifest, listener
        self.running: dict[Future, tuple[Cell, Decision, float, int]] = {}
        self.durations = Durations()

    def work(self, client: Client) -> None:
        """Run until nothing can be run."""
        from distributed import wait

        self.client = client
        self._submit_ready()
        while self.running:
            try:
                done = wait(list(self.running), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                self.listener.working(self._stages())
                continue
            for future in done:
                self._take(future)
            self._submit_ready()
            self.manifest.write(self.planner)

    def _stages(self) -> dict[Cell, str]:
        """The last line of every running method's `progress.jsonl`."""
        found = {}
        for cell, choice, _, _ in self.running.values():
            folder = self.planner.store.root / cell.kind / choice.key
            for path in folder.glob(".writing-*/output/progress.jsonl"):
                if told := last_progress(path):
                    found[cell] = told
        return found

    def _submit_ready(self) -> None:
        """Give every free worker the most urgent cell that can run; the rest waits here, where the order is ours."""
        from benchmark.execution.cells import execute

        free = self.planner.profile.execution.worker_count() - len(self.running)
        if free <= 0:
            return
        busy = {entry[0] for entry in self.running.values()}
        choices = {cell: self.planner.decide(cell) for cell in self.planner.cells if cell not in busy}
        ready = sorted((cell for cell, choice in choices.items() if choice.state == "run"), key=_urgency)
        for cell in ready[:free]:
            choice = choices[cell]
            self.listener.started(cell, choice.why)
            future = self.client.submit(execute, self._job(cell, choice), pure=False, retries=0)
            self.running[future] = (cell, choice, time.monotonic(), self._attempts(cell, choice.key))

    def _attempts(self, cell: Cell, key: str) -> int:
        return len(self.planner.store.attempts(cell.kind, key))

    def _job(self, cell: Cell, choice: Decision) -> Job:
        return Job(
            cell=cell,
            key=choice.key,
            inputs=choice.inputs,
            seed=seed_of(cell, self.planner.profile),
            profile=self.planner.profile,
            device=self.planner.identity.device,
            store=self.planner.store.root.resolve(),
            upstream=choice.upstream,
            method=self.planner.identity.methods[cell.method] if cell.kind == "generate" else None,
            model=_model_folder(self.planner, cell),
            runner=self.runners.of(cell),
        )

    def _take(self, future: Future) -> None:
        cell, choice, submitted, attempts = self.running.pop(future)
        error = future.exception()
        written = self._attempts(cell, choice.key) > attempts
        if error is not None and not written:
            self._record_loss(cell, choice, error, time.monotonic() - submitted)
        future.release()
        found = self.planner.store.latest(cell.kind, choice.key)
        if found is None:
            raise BenchError(f"{cell.title} ended without a record") from error
        record = found[0]
        self.planner.finished[choice.key] = record.status
        self.durations.add(record)
        self.listener.finished(record, self._seconds_left())

    def _record_loss(self, cell: Cell, choice: Decision, error: BaseException, seconds: float) -> None:
        """A worker that died cannot write its record: it is written for it."""
        record = Record(
            key=choice.key,
            cell=cell,
            status="failed",
            reason=f"the worker process was lost: {type(error).__name__}",
            started_at=datetime.now(UTC),
            seconds=seconds,
            device=self.planner.identity.device,
            threads=self.planner.profile.execution.threads,
            seed=seed_of(cell, self.planner.profile),
            inputs=choice.inputs,
            **self.runners.of(cell).facts(),
        )
        with self.planner.store.writing(cell.kind, choice.key) as scratch:
            self.planner.store.commit(scratch, record)

    def _seconds_left(self) -> float:
        left = [cell for cell in self.planner.cells if self.planner.decide(cell).state in ("run", "waits")]
        return self.durations.expected(left) / self.planner.profile.execution.worker_count()


class Durations:
    """Expected seconds of cells, from cells of the same kind and method that have ended."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], list[float]] = {}

    def add(self, record: Record) -> None:
        """Learn from a cell that ended."""
        cell = record.cell
        for group in ((cell.kind, cell.method), (cell.kind,)):
            self._seen.setdefault(group, []).append(record.seconds)

    def expected(self, left: list[Cell]) -> float:
        """Summed expectation in seconds of work, before it is divided among workers."""
        total = 0.0
        for cell in left:
            seen = self._seen.get((cell.kind, cell.method)) or self._seen.get((cell.kind,)) or [_GUESS_SECONDS]
            total += sum(seen) / len(seen)
        return total


def _model_folder(planner: Planner, cell: Cell) -> Path | None:
    spec = planner.identity.methods[cell.method]
    if cell.kind != "generate" or not spec.needs.model or planner.identity.base_model is None:
        return None
    return planner.identity.base_model.folder


def _urgency(cell: Cell) -> int:
    """Long chains first: the judge that fidelity waits for, then generate, then what depends on neither."""
    if cell.method == REFERENCE_METHOD:
        return 0
    return 1 if cell.kind == "generate" else 2


def _missing(misses: list[Cell], choices: dict[Cell, Decision]) -> str:
    first = misses[0]
    return (
        f"{len(misses)} cells have no ok record, and --recompute none runs nothing. "
        f"First: {first.title} ({choices[first].why}). Run with --recompute missing."
    )


def _wall_seconds_before(folder: Path) -> float:
    """Wall-clock seconds of earlier calls into this folder that came to their end; a killed call left none."""
    return (read_run(folder).wall_seconds or 0.0) if (folder / "run.json").is_file() else 0.0


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock: IO[str]
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BenchError(
                f"another run works in {folder}. Wait for it (fulora-bench status {folder}) or give another --out."
            ) from error
        yield
