"""The gate file: what a run must not fall behind, readable, editable, one metric a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from benchmark.errors import UsageError
from benchmark.gate.metrics import METRICS, Tolerance
from benchmark.gate.schema import INFLUENCE_DIGITS, POINT_DIGITS, File, Line, check
from benchmark.gate.scores import Score
from benchmark.gate.snapshot import Row, Snapshot, Target
from benchmark.statistics import GATE_LEVEL

HEADER = """\
# Baseline of `fulora-bench gate`; docs/gate.md explains each line. `--update` rewrites the numbers and keeps `note`,
# `level` and every tolerance as you edit them: under `tolerances` for all rows, or as `tolerance` on a metric's line.
# Tolerances are in the unit of the metric (points of percent, KID x1000) or, with a %, relative to the baseline's mean.
"""


@dataclass(frozen=True)
class Baseline:
    """A gate file.

    Attributes:
        snapshot: the run that it was made from.
        tolerances: by metric.
        own_tolerances: by (row, metric), before those by metric; also of metrics that the snapshot lacks.
        level: of the interval.
        note: of whoever edits it.
    """

    snapshot: Snapshot
    tolerances: dict[str, Tolerance] = field(
        default_factory=lambda: {name: metric.tolerance for name, metric in METRICS.items()}
    )
    own_tolerances: dict[tuple[str, str], Tolerance] = field(default_factory=dict)
    level: float = GATE_LEVEL
    note: str = ""

    def tolerance(self, row: str, metric: str) -> Tolerance:
        """The tolerance of one metric of one row."""
        return self.own_tolerances.get((row, metric), self.tolerances[metric])

    def updated(self, snapshot: Snapshot) -> Baseline:
        """The same tolerances, level and note for the numbers of another run."""
        return Baseline(snapshot, self.tolerances, self.own_tolerances, self.level, self.note)


def read_baseline(path: Path) -> Baseline:
    """Read a gate file.

    Raises:
        UsageError: it is no gate file, or a line of it is wrong; the message says which.
    """
    help_ = "Mend that line, or remove the file and run the gate again: it then writes a new one."
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found = File.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise UsageError(f"{path} is not a gate file: {where}: {fault['msg']}. {help_}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as a gate file ({error}). {help_}") from error
    try:
        check(found)
        return _parsed(found)
    except UsageError as error:
        raise UsageError(f"{path}: {error}. {help_}") from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a gate file, atomically; equal baselines give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(HEADER + "".join(f"{line}\n" for line in _lines(baseline)), encoding="utf-8")
    scratch.replace(path)


def _parsed(file: File) -> Baseline:
    own = {
        (row, metric): Tolerance.parse(value)
        for row, values in file.kept_tolerances.items()
        for metric, value in values.items()
    }

    def scores(
        row: str, lines: Mapping[str, Line], influence: Mapping[str, dict[int, list[float]]] | None = None
    ) -> dict[str, Score]:
        found = {}
        for name, line in lines.items():
            if line.tolerance is not None:
                own[row, name] = Tolerance.parse(line.tolerance)
            effects = {number: np.array(values) for number, values in (influence or {}).get(name, {}).items()}
            found[name] = Score(line.repetitions, effects, line.center, line.sd, utility=influence is not None)
        return found

    utility = {row: Row(scores(row, lines, file.influence.get(row, {}))) for row, lines in file.utility.items()}
    fidelity = {
        row: Row(scores(row, part.metrics), comparability=part.comparability) for row, part in file.fidelity.items()
    }
    tolerances = {name: metric.tolerance for name, metric in METRICS.items()} | {
        name: Tolerance.parse(value) for name, value in file.tolerances.items()
    }
    target = Target(**file.target.model_dump()) if file.target else None
    snapshot = Snapshot(str(file.profile.get("name", "")), file.profile, target, file.environment, utility, fidelity)
    if not snapshot.has_gated:
        raise UsageError("it holds no figure that is gated, so every run would pass it")
    return Baseline(snapshot, tolerances, own, file.level, file.note)


def _lines(baseline: Baseline) -> Iterator[str]:
    snapshot = baseline.snapshot
    yield "schema_version: 1"
    yield f"note: {_flow(baseline.note)}"
    yield f"level: {baseline.level:g}"
    yield from _block("profile", snapshot.profile)
    yield f"target: {_flow(asdict(snapshot.target) if snapshot.target else None)}"
    yield from _block("environment", snapshot.environment)
    yield from _block("tolerances", {name: _plain(value) for name, value in baseline.tolerances.items()})
    kept = _kept_tolerances(baseline)
    if kept:
        yield "# Of single metrics that had no result at the last update; they return to their lines with one."
        yield from _block("kept_tolerances", kept)
    yield "utility:" if snapshot.utility else "utility: {}"
    for name, row in sorted(snapshot.utility.items()):
        if row.scores:
            yield f"  {_flow(name)}:"
            yield from (f"    {metric}: {_line(baseline, name, metric, score)}" for metric, score in row.scores.items())
    yield "fidelity:" if snapshot.fidelity else "fidelity: {}"
    for name, row in sorted(snapshot.fidelity.items()):
        if row.scores:
            yield f"  {_flow(name)}:"
            yield f"    comparability: {_flow(row.comparability)}"
            yield "    metrics:"
            yield from (
                f"      {metric}: {_line(baseline, name, metric, score)}" for metric, score in row.scores.items()
            )
    yield "# What each cluster does to each number above, clusters in sorted order: paired intervals are made of it."
    yield "influence:" if snapshot.utility else "influence: {}"
    for name, row in sorted(snapshot.utility.items()):
        if row.scores:
            yield f"  {_flow(name)}:"
            yield from (f"    {metric}: {_effects(score)}" for metric, score in row.scores.items())


def _kept_tolerances(baseline: Baseline) -> dict[str, dict[str, float | str]]:
    """Tolerances of single metrics that have no line of their own, by row and metric."""
    rows = baseline.snapshot.utility | baseline.snapshot.fidelity
    kept: dict[str, dict[str, float | str]] = {}
    for (row, metric), tolerance in sorted(baseline.own_tolerances.items()):
        if row not in rows or metric not in rows[row].scores:
            kept.setdefault(row, {})[metric] = _plain(tolerance)
    return {_flow(row): values for row, values in kept.items()}


def _block(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}:" if values else f"{name}: {{}}"
    yield from (f"  {key}: {_flow(value)}" for key, value in values.items())


def _line(baseline: Baseline, row: str, metric: str, score: Score) -> str:
    def numbers(values: Mapping[int, float]) -> str:
        return ", ".join(f"{number}: {_short(value, POINT_DIGITS)}" for number, value in sorted(values.items()))

    parts = [f"mean: {_short(score.mean, POINT_DIGITS)}", f"repetitions: {{{numbers(score.points)}}}"]
    parts += [f"center: {_flow(score.center)}"] if score.center else []
    parts += [f"sd: {{{numbers(score.sd)}}}"] if score.sd else []
    own = baseline.own_tolerances.get((row, metric))
    parts += [f"tolerance: {_flow(_plain(own))}"] if own is not None else []
    return "{" + ", ".join(parts) + "}"


def _effects(score: Score) -> str:
    rows = [
        f"{number}: [{', '.join(_short(value, INFLUENCE_DIGITS) for value in effects)}]"
        for number, effects in sorted(score.influence.items())
        if np.all(np.isfinite(effects))
    ]
    return "{" + ", ".join(rows) + "}"


def _plain(tolerance: Tolerance) -> float | str:
    whole = tolerance.amount == int(tolerance.amount)
    return str(tolerance) if tolerance.relative else int(tolerance.amount) if whole else tolerance.amount


def _short(value: float, digits: int) -> str:
    """The shortest text of a number rounded to its significant digits; JSON and YAML read it alike."""
    rounded = float(f"{value:.{digits}g}") + 0.0
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)


def _flow(value: Any) -> str:
    """A value on one line: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
