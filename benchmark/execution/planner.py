"""What each cell of a run needs now: nothing (hit), to be run (and why), or to wait for what it builds on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmark.matrix import Identity, cells, changed_inputs, generate_of, inputs_of, judge_of, key_of
from benchmark.profile import Profile
from benchmark.records import Cell, Record, Status, Store
from benchmark.runs import PlannedCell

Recompute = Literal["missing", "all", "none"]
State = Literal["hit", "run", "waits", "blocked", "tried"]
_MOST_CHANGES = 3


@dataclass(frozen=True)
class Decision:
    """What is to be done with a cell, and why, in words for people."""

    state: State
    why: str
    key: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, Path] = field(default_factory=dict)


class Planner:
    """Decides from the store alone. `finished` holds what this run has tried: key to status."""

    def __init__(self, profile: Profile, identity: Identity, store: Store, recompute: Recompute) -> None:
        self.profile = profile
        self.identity = identity
        self.store = store
        self.recompute = recompute
        self.cells = cells(profile, identity.methods)
        self.finished: dict[str, Status] = {}
        self._ok: dict[tuple[str, str], tuple[Record, Path]] = {}
        records = sorted((record for record, _ in store.all_latest()), key=lambda record: record.started_at)
        self._earlier = {record.cell: record for record in records}

    def decide(self, cell: Cell) -> Decision:
        """The decision on one cell at this moment."""
        upstream, obstacle = self._upstream(cell)
        if obstacle:
            return obstacle
        records = {name: record for name, (record, _) in upstream.items()}
        inputs = inputs_of(cell, self.profile, self.identity, records)
        key = key_of(inputs)
        folders = {name: folder for name, (_, folder) in upstream.items()}
        status = self.finished.get(key)
        if status is not None and status != "ok":
            return Decision("tried", f"ended as {status} in this run", key, inputs, folders)
        may_reuse = self.recompute != "all" or status == "ok"
        if may_reuse and self._find_ok(cell, key):
            return Decision("hit", "a record with the same key is ok", key, inputs, folders)
        return Decision("run", self._why_run(cell, key, inputs), key, inputs, folders)

    def planned(self) -> list[PlannedCell]:
        """The matrix with the keys that are known now, for the run's manifest."""
        decided = [(cell, self.decide(cell)) for cell in self.cells]
        return [
            PlannedCell(cell=cell, key=choice.key, waits_for="" if choice.key else choice.why)
            for cell, choice in decided
        ]

    def _upstream(self, cell: Cell) -> tuple[dict[str, tuple[Record, Path]], Decision | None]:
        needed = {}
        if cell.kind != "generate":
            needed["generate"] = generate_of(cell)
        if cell.kind == "fidelity":
            needed["judge"] = judge_of(self.profile, cell.repetition)
        found = {}
        for name, other in needed.items():
            choice = self.decide(other)
            if choice.state in ("tried", "blocked"):
                return {}, Decision("blocked", f"{other.title} did not end ok")
            record = self._find_ok(other, choice.key) if choice.state == "hit" else None
            if record is None:
                return {}, Decision("waits", f"waits for {other.title}")
            found[name] = record
        return found, None

    def _find_ok(self, cell: Cell, key: str) -> tuple[Record, Path] | None:
        place = (cell.kind, key)
        if place not in self._ok or key in self.finished:
            found = self.store.latest_ok(cell.kind, key)
            if found is None:
                return None
            self._ok[place] = found
        return self._ok[place]

    def _why_run(self, cell: Cell, key: str, inputs: dict[str, Any]) -> str:
        if self.recompute == "all":
            return "asked to run all again"
        last = self.store.latest(cell.kind, key)
        if last:
            return f"the last attempt ended as {last[0].status}: {last[0].reason}"
        earlier = self._earlier.get(cell)
        if earlier is None:
            return "no record yet"
        changes = changed_inputs(earlier.inputs, inputs)
        more = f" and {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else ""
        return f"changed since the last record: {', '.join(changes[:_MOST_CHANGES])}{more}"
