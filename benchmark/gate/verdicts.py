"""The gate: which metrics of a run are worse than its baseline, by more than its tolerance and beyond chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmark.errors import UsageError
from benchmark.gate.baseline import Baseline
from benchmark.gate.differences import Difference, difference
from benchmark.gate.metrics import METRICS, Kind, is_gated
from benchmark.gate.schema import ROUNDING
from benchmark.gate.scores import Score
from benchmark.gate.snapshot import Row, Snapshot, apart, differing
from benchmark.statistics import gate_gain

Verdict = Literal["regressed", "missing", "failed", "not comparable", "improved", "within", "uncertain", "new"]
FAILING: tuple[Verdict, ...] = ("regressed", "missing", "failed", "not comparable")
UNDEFINED = "undefined in a repetition of this run"


@dataclass(frozen=True)
class Finding:
    """What the gate says of one metric of one row, or of a whole row (then `metric` is empty).

    `regressed` and `improved` are beyond the tolerance and outside the interval; `uncertain` is beyond the tolerance
    and inside the interval, `within` is within the tolerance.
    """

    verdict: Verdict
    kind: Kind
    row: str
    metric: str = ""
    difference: Difference = field(default_factory=lambda: Difference(None))
    tolerance: str = ""
    note: str = ""

    @property
    def fails(self) -> bool:
        """Whether the gate fails by it."""
        return self.verdict in FAILING

    def to_json(self) -> dict[str, Any]:
        """Every field in full precision."""
        told = self.difference.to_json() if self.metric else {}
        note = "; ".join(filter(None, (self.note, self.difference.note)))
        where = {"verdict": self.verdict, "kind": self.kind, "row": self.row, "metric": self.metric}
        return where | told | {"tolerance": self.tolerance, "note": note}


@dataclass(frozen=True)
class Report:
    """What the gate found.

    Attributes:
        label: name of the run.
        level: of the intervals.
        findings: of every metric, in the order of the rows' names.
        environment: what is other here than where the baseline was made, `name: there, here`.
    """

    label: str
    level: float
    findings: tuple[Finding, ...]
    environment: str

    @property
    def passed(self) -> bool:
        """Whether nothing regressed, is missing, failed or cannot be compared."""
        return not any(finding.fails for finding in self.findings)

    def of(self, *verdicts: Verdict) -> list[Finding]:
        """The findings of these kinds."""
        return [finding for finding in self.findings if finding.verdict in verdicts]

    def to_json(self) -> dict[str, Any]:
        """Every finding in full precision."""
        return {
            "run": self.label,
            "passed": self.passed,
            "level": self.level,
            "environment": self.environment,
            "findings": [finding.to_json() for finding in self.findings],
        }


def judge(run: Snapshot, baseline: Baseline) -> Report:
    """Hold a run against a baseline of the same experiment. See `check_same` for what must agree."""
    old = baseline.snapshot
    findings = [
        *_rows("utility", run.utility, old.utility, baseline),
        *_rows("fidelity", run.fidelity, old.fidelity, baseline),
    ]
    return Report(run.label, baseline.level, tuple(findings), differing(old.environment, run.environment))


def check_same(run: Snapshot, baseline: Baseline, path: Path) -> None:
    """See that the baseline is of the same experiment on the same images.

    Raises:
        UsageError: it is not; the message says what differs and what to do.
    """
    old = baseline.snapshot
    help_ = "Give the gate file of this profile, or, if the change is meant, make its numbers anew with --update."
    if run.profile != old.profile:
        raise UsageError(
            f"{path} is the baseline of another experiment (baseline / this run): "
            f"{differing(old.profile, run.profile)}. {help_}"
        )
    if run.target is not None and old.target is not None and run.target != old.target:
        raise UsageError(
            f"{path} was made on other images, so nothing can be paired. "
            f"Baseline: {old.target}. This run: {run.target}. {help_}"
        )
    for name in sorted({*run.utility} & {*old.utility}):
        for metric, score in old.utility[name].scores.items():
            told = _unpaired(run.utility[name].scores.get(metric), score)
            if told:
                raise UsageError(
                    f"{path}: {name}: {metric}: {told} (baseline / this run), so nothing can be paired. {help_}"
                )


def _unpaired(run: Score | None, old: Score) -> str:
    """The numbers of clusters, where they are not the same for the same centre."""
    if run is None or run.center != old.center:
        return ""
    sides = ["/".join(map(str, sorted({len(row) for row in score.influence.values()}))) for score in (old, run)]
    where = f" of {old.center}" if old.center else ""
    return f"influences of {sides[0]} / {sides[1]} clusters{where}" if all(sides) and sides[0] != sides[1] else ""


def _rows(kind: Kind, run: dict[str, Row], old: dict[str, Row], baseline: Baseline) -> Iterator[Finding]:
    old = {name: row for name, row in old.items() if row.scores}
    for name in sorted({*run, *old}):
        if name not in old:
            if run[name].scores:
                yield Finding("new", kind, name, note="not in the baseline; --update adds it")
            continue
        if name not in run:
            yield Finding("missing", kind, name, note="the run has no such row")
            continue
        yield from _faults(kind, name, run[name], old[name])
        if run[name].comparability and run[name].comparability != old[name].comparability:
            told = apart(old[name].comparability, run[name].comparability)
            yield Finding("not comparable", kind, name, note=f"baseline / this run: {told}; if it is meant: --update")
            continue
        yield from _metrics(kind, name, run[name], old[name], baseline)


def _faults(kind: Kind, name: str, run: Row, old: Row) -> Iterator[Finding]:
    """Repetitions of which the baseline has a result and the run has none, by reason."""
    known = _repetitions(run)
    reasons: dict[str, list[str]] = {}
    for number in sorted(_repetitions(old)):
        if number in run.faults:
            reasons.setdefault(run.faults[number], []).append(str(number))
        elif known and number not in known:
            reasons.setdefault("the run does not plan it", []).append(str(number))
    for why, numbers in reasons.items():
        yield Finding("failed", kind, name, note=f"repetition {', '.join(numbers)}: {why}")


def _repetitions(row: Row) -> set[int]:
    """The repetitions that have a result."""
    return {number for score in row.scores.values() for number in score.points}


def _metrics(kind: Kind, name: str, run: Row, old: Row, baseline: Baseline) -> Iterator[Finding]:
    if _repetitions(old) <= set(run.faults):
        return  # Each of them is told as a fault. A record that is ok without a number is not among these.
    for metric, score in old.scores.items():
        if not is_gated(metric, name):
            continue
        tolerance = baseline.tolerance(name, metric)
        if metric not in run.scores:
            yield Finding("missing", kind, name, metric, tolerance=str(tolerance), note=UNDEFINED)
            continue
        gain = partial(gate_gain, level=baseline.level)
        found = difference(run.scores[metric], score, gain, baseline.level)
        allowed = tolerance.of(found.old or 0.0) + ROUNDING * max(map(abs, score.points.values()))
        yield Finding(_verdict(found, METRICS[metric].higher, allowed), kind, name, metric, found, str(tolerance))


def _verdict(found: Difference, higher: bool, allowed: float) -> Verdict:
    if found.value is None:
        return "missing"
    sign = 1.0 if higher else -1.0
    gain = sign * found.value
    if abs(gain) <= allowed:
        return "within"
    bounds = [sign * bound for bound in (found.low, found.high) if bound is not None]
    if bounds and min(bounds) <= 0 <= max(bounds):
        return "uncertain"
    return "improved" if gain > 0 else "regressed"
