"""What a new baseline does not hold: what the run has no result of, and what the former file had."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.gate.metrics import OF_KIND, Kind, is_gated
from benchmark.gate.snapshot import Row, Snapshot
from benchmark.gate.verdicts import UNDEFINED

BEFORE = "the file had it"


def left_out(new: Snapshot, old: Snapshot | None = None) -> dict[str, str]:
    """Rows, repetitions and metrics that are not in a baseline of `new`, and why.

    Args:
        new: what the baseline is made of.
        old: what the file held before, if there was one.

    Returns:
        reasons by place: `kind row`, or `kind row: metric` for one that is gated, or that the file had.
    """
    former: dict[Kind, dict[str, Row]] = old.rows if old is not None else {}
    found = {}
    for kind, rows in new.rows.items():
        before = {name: row for name, row in former.get(kind, {}).items() if row.scores}
        for name in sorted({*rows, *before}):
            reasons = _of_row(kind, name, rows.get(name), before.get(name))
            found.update({f"{kind} {name}{place}": "; ".join(filter(None, why)) for place, *why in reasons})
    return found


def _of_row(kind: Kind, name: str, row: Row | None, before: Row | None) -> Iterator[tuple[str, str, str]]:
    """The rest of the place, the reason, and whether the file had it."""
    if row is None:
        yield "", "the run has no such row", BEFORE
        return
    faults = "; ".join(f"repetition {number}: {why}" for number, why in sorted(row.faults.items()))
    measured = bool(row.scores or row.comparability or not faults)
    if faults:
        yield "", faults, BEFORE if before is not None and not measured else ""
    if not measured:
        return
    for metric in OF_KIND[kind]:
        was = before is not None and metric in before.scores
        if metric not in row.scores and (was or is_gated(metric, name)):
            yield f": {metric}", UNDEFINED, BEFORE if was else ""
