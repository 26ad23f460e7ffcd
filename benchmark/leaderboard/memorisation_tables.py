"""Whether a method gives its training images back."""

from __future__ import annotations

from typing import Any

from benchmark.leaderboard.repetitions import number_of, over_records, over_repetitions
from benchmark.leaderboard.tables import Column, Table, Value
from benchmark.leaderboard.views import COPY_LIMIT, WEAK_LIMIT, RunView
from benchmark.records import Record

COLUMNS = (
    Column("run", "run", optional=True),
    Column("extractor", "extractor", "network of the distances", optional=True),
    Column("method", "method"),
    Column("near_copies", "copies %", "near-copies of a training image, by correlation under registration", "percent"),
    Column("heldout_copies", "copies, held-out %", "the same of held-out real images: false alarms", "percent"),
    Column("exact_copies", "exact copies %", "pixel for pixel a training image, or its mirror image", "percent"),
    Column("nn_ratio", "nn ratio", "distance to the nearest training image over that of held-out images; 1 is as far as unseen real images", digits=2),  # noqa: E501
    Column("authenticity", "authentic %", "farther from the nearest training image than that from its own", "percent"),
    Column("heldout_authenticity", "authentic, held-out %", "the same of held-out images: the yardstick", "percent"),
    Column("limit", "limit", "correlation above which a sample is called a copy: what 0.1 % of unseen real images exceed", digits=3),  # noqa: E501
    Column("n_heldout", "n held-out", "held-out images that the limit is taken from"),
    Column("correlation", "largest correlation", "with any training image, over all samples and repetitions", digits=3),
    Column("heldout_correlation", "largest, held-out", "the same of held-out real images", digits=3),
    Column("flagged", "flagged", f"more than {100 * COPY_LIMIT:g} % near-copies in a repetition: not ranked"),
    Column("repetitions", "repetitions", "sets that were looked at"),
)  # fmt: skip
NOTE = (
    f"Against the images that the method was given. Flagged methods (more than {100 * COPY_LIMIT:g} % near-copies in "
    "any repetition, by any extractor) are on no ranking. Real images that no method saw are the "
    f"yardstick of every figure. A limit above {WEAK_LIMIT:g}, of few held-out images or ones like the training "
    "images, misses many changed copies: there 0 % says little."
)
_SHARES = ("near_copies", "exact_copies", "authenticity", "heldout_authenticity")


def memorisation_tables(views: list[RunView]) -> list[Table]:
    """A row for each method and extractor."""
    rows = [row for view in views for row in _rows(view)]
    columns = tuple(column for column in COLUMNS if any(row.get(column.key) is not None for row in rows))
    return [Table("memorisation", "Memorisation", columns, tuple(rows), (NOTE,) if rows else ())]


def _rows(view: RunView) -> list[dict[str, Value]]:
    found: dict[tuple[str, str], list[Record]] = {}
    for tried in view.of_kind("fidelity"):
        if tried.record is not None and tried.ok and "near_copies" in tried.record.metrics:
            found.setdefault((tried.cell.extractor, tried.cell.method), []).append(tried.record)
    return [_row(view, *place, records) for place, records in found.items()]


def _row(view: RunView, extractor: str, method: str, records: list[Record]) -> dict[str, Value]:
    row: dict[str, Value] = {
        "run": view.label,
        "extractor": extractor,
        "method": method,
        "flagged": view.copied(method) is not None,
        "repetitions": str(len(records)),
    }
    for name in (*_SHARES, "nn_ratio"):
        entries = [record.metrics.get(name) for record in records]
        if any(number_of(entry) is not None for entry in entries):
            row[name] = over_records(entries, 100.0 if name in _SHARES else 1.0)
    copies: list[dict[str, Any]] = [record.metrics["near_copies"] for record in records]
    shares = [
        100 * float(found["share_of_heldout_above_limit"])
        for found in copies
        if "share_of_heldout_above_limit" in found
    ]
    row["heldout_copies"] = over_repetitions(shares).value
    row["limit"] = _largest(copies, "limit")
    row["n_heldout"] = min((int(found["n_heldout"]) for found in copies if "n_heldout" in found), default=None)
    row["correlation"] = _largest(copies, "largest_correlation")
    row["heldout_correlation"] = _largest(copies, "largest_correlation_of_heldout")
    return row


def _largest(entries: list[dict[str, Any]], name: str) -> float | None:
    return max((float(entry[name]) for entry in entries if entry.get(name) is not None), default=None)
