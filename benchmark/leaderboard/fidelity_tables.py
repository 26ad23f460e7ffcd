"""Fidelity of the synthetic sets, over repetitions: one table for each group of sets that can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmark.leaderboard.repetitions import number_of, over_records, over_repetitions
from benchmark.leaderboard.tables import Column, Estimate, Table, Value
from benchmark.leaderboard.views import RunView
from benchmark.records import Record

KID_SCALE = 1000.0
"""KID is shown times this, as is usual: its raw values lie near 0.01."""

SMALL_N = "†"
WARNED = f"{SMALL_N} the extractor warned at this number of images; the warning stands in `fidelity_values`."
INTERVALS = (
    "Intervals are at 95 %: over images of the reference and of the set for one repetition, as its record has it; over "
    "repetitions the mean with the variance sd_reference^2 + s^2 / S and Student's t (Satterthwaite, S - 1 degrees of "
    "freedom for the part of the S repetitions)."
)
KID_DEFINITION = (
    "distance to the held-out source with its 95 % interval over reference images and repetitions; n stands under the "
    "table; `x floor` is how many times that of real against real images, where that can be told from 0"
)
FID_RATIO_DEFINITION = "FID to the held-out source over that of real against real images at the same n; 1 is real"
COLUMNS = (
    Column("run", "run", optional=True),
    Column("method", "method"),
    Column("fid", "FID", "Frechet distance of Gaussians fitted to the features; lower is better", digits=2),
    Column("fid_floor", "floor", "FID of real against real images (halves by patient), at its own n", digits=2),
    Column("fid_ratio", "FID / floor", "FID at the floor's n over the floor: 1 cannot be told from real", digits=2),
    Column("fid_infinity", "FID at infinite n", "extrapolated over 1/n (Chong and Forsyth 2020)", digits=2),
    Column("kid", "KID x1000", "unbiased squared MMD, polynomial kernel; lower is better", digits=2),
    Column("kid_floor", "floor x1000", "KID of real against real images, at the n of the floor", digits=2),
    Column("kid_ratio", "KID / floor", "KID at the floor's n over the floor", digits=2),
    Column("precision", "precision", "share of synthetic images in the real manifold (Kynkaanniemi 2019)", digits=2),
    Column("recall", "recall", "share of real images inside the synthetic manifold", digits=2),
    Column("density", "density", "how many real neighbourhoods a synthetic image lies in (Naeem 2020)", digits=2),
    Column("coverage", "coverage", "share of real images with a synthetic one in their neighbourhood", digits=2),
    Column("recognition", "recognition %", "percent of synthetic images that a classifier trained on real source images gives the class they were made for", "percent"),  # noqa: E501
    Column("repetitions", "repetitions", "sets that were measured"),
    Column("group", "group", "what must agree for figures to be compared", data=True),
)  # fmt: skip
VALUES = (
    Column("run", "run"),
    Column("method", "method"),
    Column("extractor", "extractor"),
    Column("reference", "reference"),
    Column("group", "group"),
    Column("n_real", "n real"),
    Column("n_synthetic", "n synthetic"),
    Column("label", "class", "`all` is the pooled set"),
    Column("metric", "metric", "unscaled, as in the records"),
    Column("value", "value", "mean over repetitions, with its interval or sd, and their number"),
    Column("direction", "better", "higher or lower is better"),
    Column("warnings", "warnings"),
)
_IDENTITY = ("weights_sha256", "backend", "backend_version", "resize", "precision", "n_real", "n_synthetic")
_FURTHER = ("fid_infinity", "precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class SetRecords:
    """The records of one method's sets that may be compared with each other, one per repetition."""

    view: RunView
    method: str
    group: str
    records: tuple[Record, ...]


def group_of(record: Record) -> str:
    """What must agree before two fidelity figures may stand in one column, as canonical text.

    Numbers of images, extractor, weights, backend, resizing, precision, reference: the record's own list of them, or
    for records that have none what they tell.
    """
    told = record.outputs.get("comparability") or "; ".join(
        f"{name} {record.outputs[name]}" for name in _IDENTITY if name in record.outputs
    )
    return f"{record.cell.extractor} against {record.cell.reference}: {told}"


def headline_groups(view: RunView) -> set[str]:
    """The groups among the sets that the main table would show: more than one share no column there."""
    first = _headline_extractor(view)
    records = [record for record in _records(view) if record.cell.extractor == first]
    return {group_of(record) for record in records if record.cell.reference == "heldout"}


def headline_kid(view: RunView, method: str) -> Estimate:
    """KID against the held-out source by the first extractor of the run, over repetitions, marked with its ratio."""
    wanted = (method, _headline_extractor(view), "heldout")
    entries = [record.metrics.get("kid") or {} for record in _records(view) if _coordinates(record) == wanted]
    ratio = _ratio(entries).value
    return over_records(entries, KID_SCALE, "" if ratio is None else f" ({ratio:.3g} x floor)")


def headline_fid_ratio(view: RunView, method: str) -> float | None:
    """FID over its floor against the held-out source by the first extractor of the run, mean over repetitions."""
    wanted = (method, _headline_extractor(view), "heldout")
    entries = [record.metrics.get("fid") or {} for record in _records(view) if _coordinates(record) == wanted]
    return _ratio(entries).value


def headline_sizes(view: RunView) -> tuple[Any, Any] | None:
    """Reference and synthetic images behind the fidelity figures of the main table; `None` without any."""
    first = _headline_extractor(view)
    records = [record for record in _records(view) if record.cell.extractor == first]
    sizes = [record.outputs for record in records if record.cell.reference == "heldout"]
    return (sizes[0].get("n_real"), sizes[0].get("n_synthetic")) if sizes else None


def fidelity_tables(views: list[RunView]) -> list[Table]:
    """One table for each group, those against the held-out source first, and a long one with everything."""
    found: dict[str, list[SetRecords]] = {}
    for view in views:
        for sets in _sets(view):
            found.setdefault(sets.group, []).append(sets)
    names: dict[str, int] = {}
    tables = [_table(sets, names) for sets in sorted(found.values(), key=lambda sets: _rank(views, sets[0]))]
    values = [row for sets in found.values() for one in sets for row in _values(one)]
    return [
        *tables,
        Table("fidelity_values", "Fidelity, every metric and class", VALUES, tuple(values), markdown=False),
    ]


def _records(view: RunView) -> list[Record]:
    return [tried.record for tried in view.of_kind("fidelity") if tried.record is not None and tried.ok]


def _sets(view: RunView) -> Iterable[SetRecords]:
    found: dict[tuple[str, str], list[Record]] = {}
    for record in _records(view):
        found.setdefault((record.cell.method, group_of(record)), []).append(record)
    for (method, group), records in found.items():
        yield SetRecords(view, method, group, tuple(records))


def _rank(views: list[RunView], sets: SetRecords) -> tuple[bool, int]:
    planned = list(dict.fromkeys(tried.cell.extractor for view in views for tried in view.of_kind("fidelity")))
    cell = sets.records[0].cell
    return cell.reference != "heldout", planned.index(cell.extractor)


def _headline_extractor(view: RunView) -> str:
    return next((tried.cell.extractor for tried in view.of_kind("fidelity")), "")


def _coordinates(record: Record) -> tuple[str, str, str]:
    return record.cell.method, record.cell.extractor, record.cell.reference


def _table(group: list[SetRecords], names: dict[str, int]) -> Table:
    first = group[0].records[0]
    name = re.sub(r"\W+", "_", f"fidelity_{first.cell.reference}_{first.cell.extractor}")
    names[name] = names.get(name, 0) + 1
    name = name if names[name] == 1 else f"{name}_{names[name]}"
    against = "the held-out source (headline)" if first.cell.reference == "heldout" else "the training images (copying)"
    sizes = f"{first.outputs.get('n_real')} real, {first.outputs.get('n_synthetic')} synthetic images"
    title = f"Fidelity against {against}, {first.cell.extractor}: {sizes}"
    rows = [_row(sets) for sets in group]
    columns = tuple(
        column
        for column in COLUMNS
        if column.key not in (*_FURTHER, "recognition") or any(row[column.key] is not None for row in rows)
    )
    return Table(name, title, columns, tuple(rows), tuple(_notes(group)))


def _row(sets: SetRecords) -> dict[str, Value]:
    records = sets.records
    mark = SMALL_N if any(_warnings(record) for record in records) else ""
    row: dict[str, Value] = {
        "run": sets.view.label,
        "method": sets.method,
        "repetitions": str(len(records)),
        "group": sets.group,
        "fid": over_records(_entries(records, "fid"), 1.0, mark),
        "kid": over_records(_entries(records, "kid"), KID_SCALE, mark),
        "recognition": over_records(_entries(records, "recognition"), 100.0) if _has(records, "recognition") else None,
    }
    for name, scale in (("fid", 1.0), ("kid", KID_SCALE)):
        entries = _entries(records, name)
        row[f"{name}_floor"] = over_repetitions(((entry or {}).get("floor") for entry in entries), scale).value
        row[f"{name}_ratio"] = _ratio(entries)
    for name in _FURTHER:
        row[name] = over_records(_entries(records, name)) if _has(records, name) else None
    return row


def _ratio(entries: list[Any]) -> Estimate:
    """The ratio to the floor over repetitions, if every one has it: the others would be a selection."""
    ratios = [(entry or {}).get("ratio") for entry in entries]
    lacking = sum(ratio is None for ratio in ratios)
    if not lacking:
        return over_repetitions(ratios)
    return Estimate(None, reason=f"{lacking} of {len(ratios)} repetitions have no ratio: the floor is near 0")


def _notes(group: list[SetRecords]) -> list[str]:
    records = [record for sets in group for record in sets.records]
    floors = sorted({entry["floor_n"] for record in records for entry in _entries([record], "fid") if (entry or {}).get("floor_n")})  # fmt: skip # noqa: E501
    facts = {name: records[0].outputs.get(name) for name in ("backend", "resize", "precision")}
    weights = str(records[0].outputs.get("weights_sha256") or "")[:12]
    said = [f"{name} {fact}" for name, fact in facts.items() if fact] + ([f"weights {weights}"] if weights else [])
    notes = ["Only sets that can be compared stand here: " + "; ".join(said) + "."]
    if floors:
        notes.append(f"Floors are at n = {' to '.join(map(str, sorted({floors[0], floors[-1]})))} on either side.")
    if any(_warnings(record) for record in records):
        notes.append(WARNED)
    return [*notes, INTERVALS]


def _values(sets: SetRecords) -> list[dict[str, Value]]:
    records = sets.records
    first = records[0]
    start: dict[str, Value] = {
        "run": sets.view.label, "method": sets.method, "extractor": first.cell.extractor,
        "reference": first.cell.reference, "group": sets.group, "n_real": first.outputs.get("n_real"),
        "n_synthetic": first.outputs.get("n_synthetic"),
        "warnings": "; ".join(dict.fromkeys(warning for record in records for warning in _warnings(record))),
    }  # fmt: skip
    rows = [start | _value_row("all", name, _entries(records, name)) for name in first.metrics]
    for label, found in _per_class(first).items():
        sizes = {name: found[name] for name in ("n_real", "n_synthetic") if name in found}
        for name in found:
            if name not in sizes:
                entries = [_per_class(record).get(label, {}).get(name) for record in records]
                rows.append(start | sizes | _value_row(label, name, entries))
    return rows


def _value_row(label: str, metric: str, entries: list[Any]) -> dict[str, Value]:
    directions = {str(entry["direction"]) for entry in entries if isinstance(entry, dict) and "direction" in entry}
    return {
        "label": label,
        "metric": metric,
        "value": over_records(entries),
        "direction": next(iter(sorted(directions)), ""),
    }


def _entries(records: Iterable[Record], metric: str) -> list[Any]:
    return [record.metrics.get(metric) for record in records]


def _has(records: Iterable[Record], metric: str) -> bool:
    return any(number_of(entry) is not None for entry in _entries(records, metric))


def _per_class(record: Record) -> dict[str, dict[str, Any]]:
    return record.outputs.get("per_class") or {}


def _warnings(record: Record) -> list[str]:
    return [str(warning) for warning in record.outputs.get("warnings") or []]
