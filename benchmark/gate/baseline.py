"""The gate file: what a run must not fall behind, readable, editable, one metric a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import UnknownNameError, UsageError
from benchmark.gate.metrics import METRICS, Tolerance
from benchmark.gate.scores import Score
from benchmark.gate.snapshot import Row, Snapshot, Target
from benchmark.statistics import GATE_LEVEL

HEADER = """\
# Baseline of `fulora-bench gate`; docs/gate.md explains each line. `--update` rewrites the numbers and keeps `note`,
# `level` and every tolerance as you edit them: under `tolerances` for all rows, or as `tolerance` on a metric's line.
# Tolerances are in the unit of the metric (points of percent, KID x1000) or, with a %, relative to the baseline's mean.
"""
DIGITS = 4
"""Significant digits of the influences; points keep two more."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Line(_Part):
    """One metric of one row; `mean` is for people, the repetitions count."""

    mean: float | None = None
    repetitions: dict[int, float] = Field(min_length=1)
    tolerance: float | str | None = None
    center: str = ""
    sd: dict[int, float] = Field(default_factory=dict)


class _Fidelity(_Part):
    comparability: str
    metrics: dict[str, _Line]


class _Target(_Part):
    protocol: str
    track: str
    images: int
    clusters: int
    sha256: str


class _File(_Part):
    schema_version: Literal[1]
    note: str = ""
    level: float = Field(default=GATE_LEVEL, gt=0.5, lt=1)
    profile: dict[str, Any]
    target: _Target | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    tolerances: dict[str, float | str] = Field(default_factory=dict)
    utility: dict[str, dict[str, _Line]] = Field(default_factory=dict)
    fidelity: dict[str, _Fidelity] = Field(default_factory=dict)
    influence: dict[str, dict[str, dict[int, list[float]]]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A gate file.

    Attributes:
        snapshot: the run that it was made from.
        tolerances: by metric.
        own_tolerances: by (row, metric), before those by metric.
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
        found = _File.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise UsageError(f"{path} is not a gate file: {where}: {fault['msg']}. {help_}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as a gate file ({error}). {help_}") from error
    try:
        return _parsed(found)
    except UsageError as error:
        raise UsageError(f"{path}: {error}. {help_}") from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a gate file, atomically; equal baselines give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(HEADER + "".join(f"{line}\n" for line in _lines(baseline)), encoding="utf-8")
    scratch.replace(path)


def _parsed(file: _File) -> Baseline:
    own: dict[tuple[str, str], Tolerance] = {}

    def scores(
        row: str, lines: Mapping[str, _Line], influence: Mapping[str, dict[int, list[float]]]
    ) -> dict[str, Score]:
        found = {}
        for name, line in lines.items():
            _known(name)
            if line.tolerance is not None:
                own[row, name] = Tolerance.parse(line.tolerance)
            effects = {number: np.array(values) for number, values in influence.get(name, {}).items()}
            found[name] = Score(line.repetitions, effects, line.center, line.sd)
            _check_line(f"{row}: {name}", line, found[name], file.target)
        return found

    utility = {row: Row(scores(row, lines, file.influence.get(row, {}))) for row, lines in file.utility.items()}
    fidelity = {
        row: Row(scores(row, part.metrics, {}), comparability=part.comparability) for row, part in file.fidelity.items()
    }
    for name in file.tolerances:
        _known(name)
    tolerances = {name: metric.tolerance for name, metric in METRICS.items()} | {
        name: Tolerance.parse(value) for name, value in file.tolerances.items()
    }
    target = Target(**file.target.model_dump()) if file.target else None
    snapshot = Snapshot(str(file.profile.get("name", "")), file.profile, target, file.environment, utility, fidelity)
    return Baseline(snapshot, tolerances, own, file.level, file.note)


def _known(metric: str) -> None:
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)


def _check_line(where: str, line: _Line, score: Score, target: _Target | None) -> None:
    """Numbers are not for editing: what was made from them would no longer belong to them."""
    if line.mean is not None and abs(line.mean - score.mean) > 1e-4 * max(1.0, abs(score.mean)):
        raise UsageError(f"{where}: mean {line.mean:g} is not that of its repetitions ({score.mean:g})")
    for number, effects in score.influence.items():
        whole = target is not None and not score.center
        if number not in score.points or (whole and target is not None and len(effects) != target.clusters):
            raise UsageError(f"{where}: its influences do not fit its repetitions or the clusters of the target")


def _lines(baseline: Baseline) -> Iterator[str]:
    snapshot = baseline.snapshot
    yield "schema_version: 1"
    yield f"note: {_flow(baseline.note)}"
    yield f"level: {baseline.level:g}"
    yield from _block("profile", snapshot.profile)
    yield f"target: {_flow(asdict(snapshot.target) if snapshot.target else None)}"
    yield from _block("environment", snapshot.environment)
    yield from _block("tolerances", {name: _plain(value) for name, value in baseline.tolerances.items()})
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


def _block(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}:" if values else f"{name}: {{}}"
    yield from (f"  {key}: {_flow(value)}" for key, value in values.items())


def _line(baseline: Baseline, row: str, metric: str, score: Score) -> str:
    def numbers(values: Mapping[int, float]) -> str:
        return ", ".join(f"{number}: {_short(value, DIGITS + 2)}" for number, value in sorted(values.items()))

    parts = [f"mean: {_short(score.mean, DIGITS + 2)}", f"repetitions: {{{numbers(score.points)}}}"]
    parts += [f"center: {_flow(score.center)}"] if score.center else []
    parts += [f"sd: {{{numbers(score.sd)}}}"] if score.sd else []
    own = baseline.own_tolerances.get((row, metric))
    parts += [f"tolerance: {_flow(_plain(own))}"] if own is not None else []
    return "{" + ", ".join(parts) + "}"


def _effects(score: Score) -> str:
    rows = [
        f"{number}: [{', '.join(_short(value, DIGITS) for value in effects)}]"
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
