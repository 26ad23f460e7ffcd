"""One run against another, row by row, where both have been measured in the same way on the same images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.gate.differences import Difference, difference
from benchmark.gate.snapshot import Row, Snapshot, differing, take
from benchmark.gate.snapshot import apart as parts_apart
from benchmark.statistics import paired_gain

LEVEL = 0.95


@dataclass(frozen=True)
class Line:
    """One metric of one row that both have."""

    kind: str
    row: str
    metric: str
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """B against A.

    Attributes:
        a, b: their names.
        lines: differences B - A.
        apart: rows that cannot be compared, and what differs.
        only_a, only_b: rows with results that the other does not have.
        profile, environment: what is other in B, `name: A, B`.
    """

    a: str
    b: str
    lines: tuple[Line, ...]
    apart: tuple[tuple[str, str], ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    profile: str
    environment: str

    def to_json(self) -> dict[str, Any]:
        """Every number in full precision."""
        return {
            "a": self.a,
            "b": self.b,
            "level": LEVEL,
            "profile": self.profile,
            "environment": self.environment,
            "differences": [
                {"kind": line.kind, "row": line.row, "metric": line.metric, **line.difference.to_json()}
                for line in self.lines
            ],
            "not_comparable": [{"row": row, "differs": why} for row, why in self.apart],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
        }


def open_side(text: str) -> Snapshot:
    """A run folder, or `FOLDER:METHOD` for the rows of one of its methods."""
    folder, _, method = text.rpartition(":")
    if Path(text).is_dir() or not folder:
        return take(Path(text))
    return take(Path(folder), method)


def compare(a: Snapshot, b: Snapshot) -> Comparison:
    """Paired differences B - A of every row and metric that both have.

    Raises:
        UsageError: their classifiers were tested on different images, or they share no row.
    """
    if a.target is not None and b.target is not None and a.target != b.target:
        told = [f"{side.label}: {target}" for side, target in ((a, a.target), (b, b.target))]
        raise UsageError(
            f"the two were tested on different images, so nothing can be paired. {'; '.join(told)}. "
            "Compare runs of one protocol with the same prepared cohorts."
        )
    lines, apart = [], []
    for kind, ours, theirs in (("utility", b.utility, a.utility), ("fidelity", b.fidelity, a.fidelity)):
        for name in (name for name in theirs if name in ours):
            if ours[name].comparability != theirs[name].comparability and ours[name].scores and theirs[name].scores:
                apart.append((f"{kind} {name}", parts_apart(theirs[name].comparability, ours[name].comparability)))
            else:
                lines += list(_lines(kind, name, ours[name], theirs[name]))
    if not lines and not apart:
        raise UsageError(
            f"{a.label} and {b.label} have no row with results in common. "
            f"Rows of the first: {_some(a)}; of the second: {_some(b)}."
        )
    return Comparison(
        a.label,
        b.label,
        tuple(lines),
        tuple(apart),
        tuple(_only(a, b)),
        tuple(_only(b, a)),
        differing(a.profile, b.profile),
        differing(a.environment, b.environment),
    )


def _lines(kind: str, name: str, b: Row, a: Row) -> Iterator[Line]:
    for metric in (metric for metric in a.scores if metric in b.scores):
        yield Line(kind, name, metric, difference(b.scores[metric], a.scores[metric], paired_gain, LEVEL))


def _measured(side: Snapshot) -> list[str]:
    rows = [(f"utility {name}", row) for name, row in side.utility.items()]
    rows += [(f"fidelity {name}", row) for name, row in side.fidelity.items()]
    return [name for name, row in rows if row.scores]


def _only(side: Snapshot, other: Snapshot) -> list[str]:
    there = set(_measured(other))
    return [name for name in _measured(side) if name not in there]


def _some(side: Snapshot) -> str:
    names = _measured(side)
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "") if names else "none"
