"""A score as tables for people: metrics, classes, centres, and classes that all centres have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.utility.scores import MetricValue, ScoreResult
from benchmark.utility.slice_scores import CenterScores, CenterTable, ClassScores, Extreme
from benchmark.utility.values import Value


@dataclass(frozen=True)
class Shown:
    """One table: a title, the heads of its columns, its rows as text, and what must be said of them below."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()


def score_tables(result: ScoreResult) -> Iterator[Shown]:
    """The tables of a score, in the order in which they are read; a part that the score lacks has none."""
    present = ", ".join(result.classes_present)
    title = f"{result.protocol}: {result.n_images} images, {result.n_clusters} clusters, present {present}"
    yield Shown(title, ("metric", "value", "95 % interval", "better", "notes"), _metrics(result.metrics))
    if result.per_class:
        yield _classes(result.per_class)
    if result.centers:
        yield from _centers(result.centers)


def _metrics(metrics: dict[str, MetricValue]) -> list[list[str]]:
    return [
        [
            name,
            _number(m.value),
            _interval(m.ci_low, m.ci_high),
            m.direction,
            "; ".join(filter(None, (m.reason, *m.notes))),
        ]
        for name, m in metrics.items()
    ]


def _classes(classes: dict[str, ClassScores]) -> Shown:
    rows = [[name, str(one.n), str(one.n_predicted), *_cells(one.values)] for name, one in classes.items()]
    columns = ("class", "n", "pred.", "precision", "recall", "F1", "AUROC")
    notes = _reasons({name: one.values for name, one in classes.items()})
    return Shown("per class, one against the rest, open reading", columns, rows, notes)


def _centers(table: CenterTable) -> Iterator[Shown]:
    columns = ("centre", "n", "clusters", "classes", "accuracy", "macro-F1", "macro-AUROC")
    yield _center_rows("per centre, macro averages over the classes that it has", columns, table.per_center)
    ends = _extremes(table.worst, table.gap, "all")
    reasons = _why_open(table.worst, table.gap, "all")
    matched = table.class_matched
    if matched:
        yield _center_rows("per centre, on the classes that every centre has", columns[:5], matched.per_center)
        ends += _extremes(matched.worst, matched.gap, "shared")
        reasons += _why_open(matched.worst, matched.gap, "shared")
    heads = ("accuracy", "classes", "centre", "value", "95 % interval")
    yield Shown("between centres", heads, ends, (*reasons, table.worst.note, table.gap.note))


def _center_rows(title: str, columns: tuple[str, ...], centers: dict[str, CenterScores]) -> Shown:
    rows = [
        [name, str(one.n_images), str(one.n_clusters), "\n".join(one.classes_present), *_cells(one.values)]
        for name, one in centers.items()
    ]
    return Shown(title, columns, rows, _reasons({name: one.values for name, one in centers.items()}))


def _extremes(worst: Extreme, gap: Extreme, classes: str) -> list[list[str]]:
    between = " - ".join(dict.fromkeys((gap.names["best"], gap.names["worst"])))
    named = (("worst", worst, worst.names["name"]), ("gap", gap, between))
    return [
        [name, classes, center, _number(one.found.value), _interval(one.found.ci_low, one.found.ci_high)]
        for name, one, center in named
    ]


def _why_open(worst: Extreme, gap: Extreme, classes: str) -> tuple[str, ...]:
    return tuple(
        f"{name}, {classes} classes: {one.found.reason}"
        for name, one in (("worst", worst), ("gap", gap))
        if one.found.reason
    )


def _cells(values: dict[str, Value]) -> list[str]:
    """Each value over its interval, which is short enough for four of them in 80 columns."""
    return [
        _number(one.value) + ("" if one.ci_low is None else f"\n{one.ci_low:.2f}..{one.ci_high:.2f}")
        for one in values.values()
    ]


def _reasons(rows: dict[str, dict[str, Value]]) -> tuple[str, ...]:
    """Each reason of a row once; it names its metrics unless it is that of all."""
    told = []
    for row, values in rows.items():
        reasons: dict[str, list[str]] = {}
        for name, one in values.items():
            if one.reason:
                reasons.setdefault(one.reason, []).append(name)
        for reason, names in reasons.items():
            told.append(f"{row}: {reason}" if len(names) == len(values) else f"{row}, {', '.join(names)}: {reason}")
    return tuple(told)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
