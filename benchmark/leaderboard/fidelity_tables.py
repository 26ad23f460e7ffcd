"""Fidelity of the synthetic sets, over repetitions: the compact table and the full one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from benchmark.leaderboard.tables import Column, Estimate, Table, Value
from benchmark.leaderboard.views import RunView, Tried
from benchmark.records import Record

KID_SCALE = 1000.0
"""KID is shown times this, as is usual: its raw values lie near 0.01."""

SMALL_N = "†"
WARNED = f"{SMALL_N} the extractor warned at this number of images; the warning stands in `fidelity_values`."

FID_DEFINITION = "Frechet distance of extractor features, synthetic against reference; mean ± sd over repetitions"
KID_DEFINITION = "kernel (polynomial MMD) distance of extractor features x 1000; mean ± sd over repetitions"
RATIO_DEFINITION = "FID over that of two halves of the reference, both at the halves' n: 1 cannot be told from real"
RECOGNITION_DEFINITION = (
    "percent of synthetic images that a classifier trained on real source images gives the class they were made for"
)
_SCALES = {"kid": KID_SCALE, "recognition": 100.0, "near_copies": 100.0}

COMPACT = (
    Column("run", "run", optional=True),
    Column("method", "method"),
    Column("extractor", "extractor", "feature network", optional=True),
    Column(
        "reference", "reference", "heldout: source patients no method saw (headline); train: the copying diagnostic"
    ),
    Column("fid", "FID", FID_DEFINITION, digits=2),
    Column("ratio", "FID / floor", RATIO_DEFINITION, digits=2),
    Column("kid", "KID x1000", KID_DEFINITION, digits=2),
    Column("recognition", "recognition %", RECOGNITION_DEFINITION, "percent"),
    Column(
        "near_copies",
        "near copies %",
        "percent of synthetic images flagged as near copies of a training image",
        "percent",
    ),
    Column("n_real", "n real", "reference images"),
    Column("n_synthetic", "n synthetic", "synthetic images per repetition"),
)
VALUES = (
    Column("run", "run"),
    Column("method", "method"),
    Column("extractor", "extractor"),
    Column("reference", "reference"),
    Column("label", "class", "`all` is the pooled set"),
    Column("metric", "metric", "unscaled, as in the records"),
    Column("value", "value", "mean over repetitions, with sd and their number"),
    Column("direction", "better", "higher or lower is better"),
    Column("warnings", "warnings"),
)


def over_repetitions(numbers: Iterable[float | None], scale: float = 1.0, mark: str = "") -> Estimate:
    """Mean and standard deviation (n - 1) of the defined numbers; one number has no sd."""
    defined = [number * scale for number in numbers if number is not None]
    if not defined:
        return Estimate(None, reason="no repetition has a value")
    mean = math.fsum(defined) / len(defined)
    if len(defined) == 1:
        return Estimate(mean, n=1, mark=mark)
    sd = math.sqrt(math.fsum((number - mean) ** 2 for number in defined) / (len(defined) - 1))
    return Estimate(mean, sd=sd, n=len(defined), mark=mark)


def fidelity_records(view: RunView, method: str, extractor: str, reference: str) -> list[Record]:
    """The `ok` fidelity records of one method, one per repetition."""
    wanted = (method, extractor, reference)
    return [
        tried.record
        for tried in view.of_kind("fidelity")
        if tried.record is not None and tried.ok and _coordinates(tried) == wanted
    ]


def headline_extractor(view: RunView) -> str:
    """The extractor whose FID and KID the main table shows: the first that the run planned; empty if none."""
    return next((tried.cell.extractor for tried in view.of_kind("fidelity")), "")


def metric_estimate(records: list[Record], metric: str) -> Estimate:
    """A pooled fidelity metric over repetitions, in the unit that the tables show."""
    mark = SMALL_N if metric in {"fid", "kid"} and any(_warnings(record) for record in records) else ""
    return over_repetitions((_value(record.metrics.get(metric)) for record in records), _SCALES.get(metric, 1.0), mark)


def fidelity_tables(views: list[RunView]) -> list[Table]:
    """The compact table for people and the long one, with every metric and class, for programs."""
    compact: list[dict[str, Value]] = []
    values: list[Mapping[str, Value]] = []
    for view in views:
        for method, extractor, reference in dict.fromkeys(map(_coordinates, view.of_kind("fidelity"))):
            records = fidelity_records(view, method, extractor, reference)
            if not records:
                continue
            start: dict[str, Value] = {
                "run": view.label, "method": method, "extractor": extractor, "reference": reference
            }  # fmt: skip
            compact.append(start | _compact(records))
            values += [start | row for row in _values(records)]
    notes = [WARNED] if any(isinstance(row["fid"], Estimate) and row["fid"].mark for row in compact) else []
    notes.append("FID and KID compare only within one extractor, reference and n. Lower is better.")
    return [
        Table("fidelity", "Fidelity of the synthetic images", COMPACT, tuple(compact), tuple(notes)),
        Table("fidelity_values", "Fidelity, every metric and class", VALUES, tuple(values), markdown=False),
    ]


def _coordinates(tried: Tried) -> tuple[str, str, str]:
    return tried.cell.method, tried.cell.extractor, tried.cell.reference


def _compact(records: list[Record]) -> dict[str, Value]:
    metrics: dict[str, Value] = {
        name: metric_estimate(records, name) for name in ("fid", "kid", "recognition", "near_copies")
    }
    metrics["ratio"] = over_repetitions((record.metrics.get("fid") or {}).get("ratio") for record in records)
    return metrics | {name: records[0].outputs.get(name) for name in ("n_real", "n_synthetic")}


def _values(records: list[Record]) -> list[dict[str, Value]]:
    warnings = "; ".join(dict.fromkeys(warning for record in records for warning in _warnings(record)))
    pooled = [
        _row("all", name, [record.metrics.get(name) for record in records], warnings) for name in records[0].metrics
    ]
    classes = [
        _row(label, name, [_per_class(record).get(label, {}).get(name) for record in records], warnings)
        for label, found in _per_class(records[0]).items()
        for name in found
    ]
    return pooled + classes


def _per_class(record: Record) -> dict[str, dict[str, Any]]:
    return record.outputs.get("per_class") or {}


def _row(label: str, metric: str, entries: list[Any], warnings: str) -> dict[str, Value]:
    directions = {str(entry["direction"]) for entry in entries if isinstance(entry, dict) and "direction" in entry}
    return {
        "label": label,
        "metric": metric,
        "value": over_repetitions(map(_value, entries)),
        "direction": next(iter(sorted(directions)), ""),
        "warnings": warnings,
    }


def _value(entry: Any) -> float | None:
    """The number of a metric, stored bare or as `{"value": …}`."""
    number = entry.get("value") if isinstance(entry, dict) else entry
    return float(number) if isinstance(number, int | float) else None


def _warnings(record: Record) -> list[str]:
    return [str(warning) for warning in record.outputs.get("warnings") or []]
